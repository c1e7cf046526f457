//! Groups that are made.

use super::OWNER;
use crate::harness::group::{GROUP, TestGroup, announced_change, create, new_group};
use crate::harness::ids;
use wigwag_domain::UserId;
use wigwag_domain::groups::NewGroup;
use wigwag_domain::groups::membership::ShardMember;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::task::{Audience, Task};
use wigwag_messaging::change_group::ChangeError;
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::GroupChangeType;
use wigwag_store::groups;

#[tokio::test]
async fn a_new_group_has_its_members_and_announces_them() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    let group = groups::group(&friends.store, GROUP).await.unwrap().unwrap();
    assert_eq!(
        (group.name.as_str(), group.owner, group.members, group.max_seq),
        ("friends", OWNER, 3, 1)
    );
    assert_eq!((group.settings.version, group.settings.shards), (1, 1));
    assert_eq!(friends.members().await, ids([1, 2, 3]));
    assert_eq!(
        [friends.role(UserId(1)).await, friends.role(UserId(2)).await],
        [Some(Role::Owner), Some(Role::Member)]
    );
    assert_eq!(
        friends.announced().await,
        [(1, GroupChangeType::Created, ids([1, 2, 3]))]
    );
    let tasks = friends.queue.take();
    assert!(matches!(
        tasks.as_slice(),
        [Task::Deliver { group: GROUP, audience: Audience::Shard(0), logged, skip: None }] if logged.conversation_seq() == 1
    ));
    assert_eq!(announced_change(&tasks[0]).name, "friends");
}

#[tokio::test]
async fn a_group_of_a_hundred_and_one_is_made_in_one_change() {
    let friends = TestGroup::empty(OWNER, UserId(101)).await;
    let users: Vec<UserId> = (2..=101).map(UserId).collect();
    friends.create(&new_group(&users)).await.unwrap();
    let members: Vec<ShardMember> = groups::shard(&friends.store, GROUP, 0).await.unwrap();
    assert_eq!(members.len(), 101);
    assert!(
        members
            .iter()
            .enumerate()
            .all(|(slot, member)| member.slot == slot as u64)
    );
    assert_eq!(friends.count().await, 101);
}

#[tokio::test]
async fn a_group_with_an_unknown_user_or_a_taken_id_is_not_made() {
    let friends = TestGroup::empty(OWNER, UserId(3)).await;
    let refused = |result| match result {
        Err(ChangeError::Refused(code) | ChangeError::RefusedFor(code, _)) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(friends.create(&new_group(&[UserId(2), UserId(99)])).await),
        Code::USER_NOT_FOUND
    );
    assert_eq!(groups::group(&friends.store, GROUP).await.unwrap(), None);
    let many: Vec<UserId> = (2..=102).map(UserId).collect();
    assert_eq!(refused(friends.create(&new_group(&many)).await), Code::TOO_MANY_USERS);
    friends.create(&new_group(&[UserId(2)])).await.unwrap();
    let again = create(&friends, &friends.store, UserId(3), &new_group(&[])).await;
    assert_eq!(refused(again), Code::BUSY);
    assert_eq!(friends.members().await, ids([1, 2]));
}

#[tokio::test]
async fn a_repeated_request_makes_one_group_wherever_the_first_died() {
    for answer_lost in [true, false] {
        for calls in 1.. {
            let what = format!("dies after {calls} calls, answer lost: {answer_lost}");
            let friends = TestGroup::empty(OWNER, UserId(9)).await;
            let request = NewGroup {
                request: Some("a".to_owned()),
                ..new_group(&[UserId(2), UserId(3)])
            };
            let dying = friends.engine.store_that_dies_after(calls, answer_lost);
            let died = create(&friends, &dying, OWNER, &request).await;
            // The user tries again; the group may exist by then.
            friends.create(&request).await.unwrap();
            friends.create(&request).await.unwrap();
            friends.assert_whole(&what).await;
            assert_eq!(friends.announced().await.len(), 1, "{what}");
            let other = NewGroup {
                request: Some("b".to_owned()),
                ..request.clone()
            };
            assert!(matches!(
                friends.create(&other).await,
                Err(ChangeError::Refused(Code::BUSY))
            ));
            let by_another = create(&friends, &friends.store, UserId(2), &request).await;
            assert!(by_another.is_err(), "{what}");
            if died.is_ok() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_group_whose_creation_died_is_whole_or_does_not_exist() {
    for answer_lost in [true, false] {
        for calls in 1.. {
            let what = format!("dies after {calls} calls, answer lost: {answer_lost}");
            let friends = TestGroup::empty(OWNER, UserId(9)).await;
            let dying = friends.engine.store_that_dies_after(calls, answer_lost);
            let died = create(&friends, &dying, OWNER, &new_group(&[UserId(2), UserId(3)])).await;
            match friends.change(UserId(9), Wanted::Leave).await {
                Ok(_) => friends.assert_whole(&what).await,
                Err(ChangeError::Refused(Code::GROUP_NOT_FOUND)) => {
                    assert!(friends.announced().await.is_empty(), "{what}");
                    assert_eq!(friends.intervals(UserId(2)).await, [], "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
            if died.is_ok() {
                break;
            }
        }
    }
}
