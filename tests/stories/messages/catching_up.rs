//! A device that was away.
use super::texts;
use anyhow::Result;
use wigwag_cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_away_gets_everything_once_and_in_order() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut b = cluster.device(&bob).await?;
    let mut a = cluster.device(&ada).await?;
    a.tell(bob.user_id, 1, "1").await?;
    assert_eq!(b.pushed().await?.seq, 1);
    b.leave().await?;
    for client_id in 2..=30 {
        a.tell(bob.user_id, client_id, &client_id.to_string()).await?;
    }
    let mut b = cluster.device(&bob).await?;
    let (mut cursor, mut got) = (1, Vec::new());
    loop {
        let page = b.sync(cursor, 7).await?;
        cursor = page.cursor;
        got.extend(page.messages);
        if !page.has_more {
            assert_eq!(page.max_seq, cursor);
            break;
        }
    }
    let wanted: Vec<String> = (2..=30).map(|n| n.to_string()).collect();
    assert_eq!(texts(&got), wanted);
    assert_eq!(b.heartbeat().await?, 30);
    cluster.stop().await;
    Ok(())
}
