//! A group becomes a super group.
use super::GROUP;
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::{Cluster, changes, texts};
use wigwag_protocol::Code;
use wigwag_protocol::pb::GroupChangeType;

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_copied_until_the_group_becomes_a_super_group() -> Result<()> {
    use GroupChangeType::{BecameSuper, Created, MembersRemoved};
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    let group = cluster.group(&ada, &[&bob, &eve]).await?;
    a.tell_to(GROUP, group, 1, "copied").await?;
    let update = json!({ "group_id": group, "super_group": true });
    assert_eq!(cluster.outcome("/group/update", &ada, &update).await?, Code::OK);
    let ack = a.tell_to(GROUP, group, 2, "announced").await?;
    assert_eq!(ack.seq, 0);
    let again = a.tell_to(GROUP, group, 2, "announced").await?;
    assert_eq!(again, ack, "a repeat gets the same answer");
    let remove = json!({ "group_id": group, "user_ids": [bob.user_id] });
    assert_eq!(cluster.outcome("/group/remove", &ada, &remove).await?, Code::OK);
    a.tell_to(GROUP, group, 3, "without bob").await?;
    cluster.settled().await?;
    let inbox = b.catch_up(0).await?;
    assert_eq!(
        (texts(&inbox), changes(&inbox)),
        (vec!["copied".into()], vec![Created, BecameSuper, MembersRemoved])
    );
    let page = b.pull_group(group).await?;
    assert_eq!(texts(&page.messages), ["copied", "announced"]);
    assert_eq!(changes(&page.messages), [Created, BecameSuper, MembersRemoved]);
    let last = page.messages.last().map(|message| message.conversation_seq);
    assert_eq!(
        last,
        Some(page.max_seq),
        "bob's removal is the last message that bob may read"
    );
    let refused = b.say_to(GROUP, group, 1, "from outside").await?;
    assert_eq!(refused.code, Code::NOT_A_MEMBER.number());
    let page = cluster.device(&eve).await?.pull_group(group).await?;
    assert_eq!(texts(&page.messages), ["copied", "announced", "without bob"]);
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}
