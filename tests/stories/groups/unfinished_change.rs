//! A change whose function dies.
use super::GROUP;
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::{Account, Cluster};
use wigwag_domain::{GroupId, UserId};
use wigwag_local::faults::FaultPlan;
use wigwag_protocol::Code;
use wigwag_store::groups;

/// A fault plan: every invocation that makes twelve calls is killed at one of them. Most changes of
/// a group make so many calls, and hardly anything else does.
const EVERY_PROCESS_DIES: &str = "[processes]\nkill_after_calls = { rate = 1.0, calls = 12 }";

/// The function that removes a member dies half-way, and nobody repeats the request or looks at the
/// group. A while later the removal is complete, for the member and for everybody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_finished_after_its_function_died_though_nobody_asks_again() -> Result<()> {
    const TRIES: u64 = 12;
    let cluster =
        Cluster::with(|options| options.fault_plan = FaultPlan::parse(EVERY_PROCESS_DIES).expect("a plan")).await?;
    cluster.stack.faults().pause();
    let users = cluster.crowd(1, TRIES + 1).await?;
    let members = users
        .iter()
        .map(|&user| cluster.member(user))
        .collect::<Result<Vec<_>>>()?;
    let others: Vec<&Account> = members[1..].iter().collect();
    let group = cluster.group(&members[0], &others).await?;
    cluster.settled().await?;
    let store = cluster.store();
    let mut left = None;
    for member in &members[1..] {
        let body = json!({ "group_id": group, "user_ids": [member.user_id] });
        cluster.stack.faults().resume();
        let answer = cluster.send("POST", "/group/remove", Some(&members[0].token), Some(body.to_string()));
        let status = answer.await?.status();
        cluster.stack.faults().pause();
        let found = groups::group(&store, GroupId(group)).await?.expect("a group");
        if found.unfinished_since_ms.is_some() {
            assert_eq!(status, 500);
            left = Some(member);
            break;
        }
    }
    let removed = left.expect("a function that died half-way");
    cluster.settled().await?;
    let found = groups::group(&store, GroupId(group)).await?.expect("a group");
    assert_eq!(found.unfinished_since_ms, None);
    let membership = groups::membership(&store, GroupId(group), UserId(removed.user_id))
        .await?
        .expect("a membership");
    assert!(!membership.is_active());
    let mut device = cluster.device(removed).await?;
    let refused = device.say_to(GROUP, group, 1, "from outside").await?;
    assert_eq!(refused.code, Code::NOT_A_MEMBER.number());
    let inbox = cluster.inbox(&members[0]).await?;
    let told = inbox.iter().filter_map(|message| message.group_change.as_ref());
    let told = told.filter(|change| change.user_ids == [removed.user_id]);
    assert_eq!(told.count(), 1);
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}
