//! A message to a group.
use super::GROUP;
use anyhow::Result;
use wigwag_cluster::{Cluster, changes, texts};
use wigwag_protocol::pb::GroupChangeType;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_message_reaches_every_device_of_every_member_once() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let tablet = cluster.another_device(&ada, "tablet").await?;
    let (mut a, mut t) = (cluster.device(&ada).await?, cluster.device(&tablet).await?);
    let (mut b, mut e) = (cluster.device(&bob).await?, cluster.json_device(&eve).await?);
    let group = cluster.group(&ada, &[&bob, &eve]).await?;
    let ack = a.tell_to(GROUP, group, 1, "one").await?;
    assert!(ack.seq > 0 && ack.conversation_seq == 2, "{ack:?}");
    b.tell_to(GROUP, group, 1, "two").await?;
    t.tell_to(GROUP, group, 1, "three").await?;
    assert_eq!(a.pushed_texts(2).await?, ["two", "three"]);
    assert_eq!(t.pushed_texts(2).await?, ["one", "two"]);
    assert_eq!(b.pushed_texts(2).await?, ["one", "three"]);
    assert_eq!(e.pushed_texts(3).await?, ["one", "two", "three"]);
    for who in [&ada, &bob, &eve] {
        let mut messages = cluster.inbox(who).await?;
        messages.sort_by_key(|message| message.conversation_seq);
        assert_eq!(texts(&messages), ["one", "two", "three"]);
        assert_eq!(changes(&messages), [GroupChangeType::Created]);
        let seqs: Vec<u64> = messages.iter().map(|message| message.conversation_seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4], "everybody sees the same seqs");
    }
    cluster.stop().await;
    Ok(())
}
