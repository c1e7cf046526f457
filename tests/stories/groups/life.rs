//! A group from beginning to end.
use super::GROUP;
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::{Account, Cluster, changes, texts};
use wigwag_protocol::Code;
use wigwag_protocol::http::{Group, Groups, Role};
use wigwag_protocol::pb::GroupChangeType;

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_get_everything_from_joining_to_leaving() -> Result<()> {
    use GroupChangeType::{Created, Dissolved, HandedOver, MemberLeft, MembersAdded, MembersRemoved};
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b, mut e) = (
        cluster.device(&ada).await?,
        cluster.device(&bob).await?,
        cluster.device(&eve).await?,
    );
    let group = cluster.group(&ada, &[&bob]).await?;
    a.tell_to(GROUP, group, 1, "one").await?;
    b.tell_to(GROUP, group, 1, "two").await?;
    let users = |who: &Account| json!({ "group_id": group, "user_ids": [who.user_id] });
    assert_eq!(cluster.outcome("/group/add", &ada, &users(&eve)).await?, Code::OK);
    e.tell_to(GROUP, group, 1, "three").await?;
    assert_eq!(cluster.outcome("/group/remove", &ada, &users(&bob)).await?, Code::OK);
    a.tell_to(GROUP, group, 2, "four").await?;
    let refused = b.say_to(GROUP, group, 2, "from outside").await?;
    assert_eq!(refused.code, Code::NOT_A_MEMBER.number());
    let hand_over = json!({ "group_id": group, "user_id": eve.user_id });
    assert_eq!(cluster.outcome("/group/hand_over", &ada, &hand_over).await?, Code::OK);
    let this = json!({ "group_id": group });
    assert_eq!(cluster.outcome("/group/leave", &ada, &this).await?, Code::OK);
    e.tell_to(GROUP, group, 2, "five").await?;
    assert_eq!(cluster.outcome("/group/dissolve", &eve, &this).await?, Code::OK);
    assert_eq!(
        cluster.outcome("/group/dissolve", &eve, &this).await?,
        Code::OK,
        "again"
    );
    let refused = e.say_to(GROUP, group, 3, "too late").await?;
    assert_eq!(refused.code, Code::GROUP_DISSOLVED.number());
    for (who, said, changed) in [
        (
            &ada,
            vec!["one", "two", "three", "four"],
            vec![Created, MembersAdded, MembersRemoved, HandedOver, MemberLeft],
        ),
        (
            &bob,
            vec!["one", "two", "three"],
            vec![Created, MembersAdded, MembersRemoved],
        ),
        (
            &eve,
            vec!["three", "four", "five"],
            vec![MembersAdded, MembersRemoved, HandedOver, MemberLeft, Dissolved],
        ),
    ] {
        has_in_the_inbox(&cluster, who, &said, &changed).await?;
    }
    let seen: Group = cluster.get(&format!("/group/{group}"), Some(&eve.token)).await?;
    assert!(
        seen.dissolved && seen.role == Role::Owner && seen.owner_id == eve.user_id,
        "{seen:?}"
    );
    let gone: Result<Group> = cluster.get(&format!("/group/{group}"), Some(&ada.token)).await;
    assert!(gone.is_err(), "ada left and still sees the group: {gone:?}");
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}

/// Checks the texts and the changes in an inbox, in the order of the conversation. A member's own
/// messages are in the inbox at once, those of others when a worker has copied them.
async fn has_in_the_inbox(cluster: &Cluster, who: &Account, said: &[&str], changed: &[GroupChangeType]) -> Result<()> {
    let mut messages = cluster.inbox(who).await?;
    messages.sort_by_key(|message| message.conversation_seq);
    assert_eq!(texts(&messages), said);
    assert_eq!(changes(&messages), changed);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dissolved_group_disappears_from_the_list_of_a_user_who_leaves_it() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob] = cluster.accounts(["ada", "bob"]).await?;
    let group = cluster.group(&ada, &[&bob]).await?;
    let this = json!({ "group_id": group });
    assert_eq!(cluster.outcome("/group/dissolve", &ada, &this).await?, Code::OK);
    for who in [&bob, &ada] {
        let listed: Groups = cluster.get("/group/list", Some(&who.token)).await?;
        assert!(listed.groups[0].dissolved);
        for _ in 0..2 {
            assert_eq!(cluster.outcome("/group/leave", who, &this).await?, Code::OK);
        }
        let listed: Groups = cluster.get("/group/list", Some(&who.token)).await?;
        assert_eq!(listed, Groups::default());
    }
    cluster.settled().await?;
    cluster.stop().await;
    Ok(())
}
