//! A message to a super group.
use super::GROUP;
use anyhow::Result;
use wigwag_cluster::{Cluster, changes, texts};
use wigwag_protocol::pb::GroupChangeType;

#[tokio::test(flavor = "multi_thread")]
async fn members_online_are_pushed_what_everybody_reads_from_the_log() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let tablet = cluster.another_device(&ada, "tablet").await?;
    let (mut a, mut t, mut b) = (
        cluster.device(&ada).await?,
        cluster.device(&tablet).await?,
        cluster.device(&bob).await?,
    );
    let group = cluster.super_group(&ada, &[&bob, &eve]).await?;
    // The creation is announced in the inbox too, so that members who are away learn that there is
    // a log to read.
    for device in [&mut a, &mut t, &mut b] {
        let told = [device.pushed().await?, device.pushed().await?];
        let mut seqs = told.each_ref().map(|message| message.seq);
        seqs.sort_unstable();
        assert_eq!(seqs, [0, 1]);
        assert!(told.iter().all(|message| message.conversation_seq == 1));
        assert!(
            told.iter()
                .all(|message| message.group_change.as_ref().is_some_and(|change| change.super_group))
        );
    }
    for (client_id, text) in (1..).zip(["one", "two", "three"]) {
        let ack = a.tell_to(GROUP, group, client_id, text).await?;
        assert_eq!((ack.seq, ack.conversation_seq), (0, client_id + 1));
        for device in [&mut t, &mut b] {
            let message = device.pushed().await?;
            assert_eq!((message.seq, message.conversation_seq), (0, client_id + 1));
            assert_eq!(texts(&[message]), [text]);
        }
    }
    cluster.settled().await?;
    let mut e = cluster.device(&eve).await?;
    let inbox = e.catch_up(0).await?;
    assert_eq!(
        (texts(&inbox).len(), changes(&inbox)),
        (0, vec![GroupChangeType::Created])
    );
    let page = e.pull_group(group).await?;
    assert_eq!(
        (texts(&page.messages), page.max_seq),
        (vec!["one".into(), "two".into(), "three".into()], 4)
    );
    cluster.stop().await;
    Ok(())
}
