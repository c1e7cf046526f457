//! Muted members and muted groups.
use super::say;
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::Cluster;
use wigwag_protocol::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_member_sends_later_with_the_same_client_id() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    let group = cluster.group(&ada, &[&bob]).await?;
    let mute = |seconds: u64| json!({ "group_id": group, "user_id": bob.user_id, "seconds": seconds });
    assert_eq!(cluster.outcome("/group/mute_member", &ada, &mute(60)).await?, Code::OK);
    assert_eq!(say(&mut b, group, 1).await?, Some(Code::MEMBER_MUTED));
    assert_eq!(cluster.outcome("/group/mute_member", &ada, &mute(0)).await?, Code::OK);
    let update = |muted: bool| json!({ "group_id": group, "muted": muted });
    assert_eq!(cluster.outcome("/group/update", &ada, &update(true)).await?, Code::OK);
    assert_eq!(say(&mut b, group, 1).await?, Some(Code::GROUP_MUTED));
    assert_eq!(say(&mut a, group, 1).await?, Some(Code::OK));
    assert_eq!(cluster.outcome("/group/update", &ada, &update(false)).await?, Code::OK);
    assert_eq!(
        say(&mut b, group, 1).await?,
        Some(Code::OK),
        "its client_id was not used up"
    );
    cluster.stop().await;
    Ok(())
}
