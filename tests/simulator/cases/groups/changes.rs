//! Changes that are made once, and changes that are refused.

use super::OWNER;
use crate::harness::group::{GROUP, TestGroup, new_group};
use crate::harness::{LATER, NOW};
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;
use wigwag_store::UserId;
use wigwag_store::groups::{ChangeError, Changed, Wanted};
use wigwag_store::send::MessagesFrom;

#[tokio::test]
async fn a_change_that_is_asked_for_again_is_announced_once() {
    let friends = TestGroup::with(OWNER, &[2, 3]).await;
    friends.change(OWNER, Wanted::HandOver(2)).await.unwrap();
    assert_eq!(friends.change(OWNER, Wanted::HandOver(2)).await.unwrap().unchanged, [2]);
    assert_eq!(friends.refused(OWNER, Wanted::HandOver(3)).await, Code::ROLE_TOO_LOW);
    friends.change(2, Wanted::MuteMember(3, NOW + 600_000)).await.unwrap();
    let again = Wanted::MuteMember(3, NOW + 620_000);
    assert_eq!(friends.change(2, again).await.unwrap().unchanged, [3]);
    assert_eq!(friends.announced().await.len(), 3);
}

/// Nobody could unmute an owner.
#[tokio::test]
async fn a_muted_member_who_becomes_the_owner_may_speak() {
    let friends = TestGroup::with(OWNER, &[2, 3]).await;
    friends.change(OWNER, Wanted::MuteMember(2, LATER)).await.unwrap();
    friends.change(OWNER, Wanted::HandOver(2)).await.unwrap();
    let owner = friends.store.membership(GROUP, 2).await.unwrap().unwrap();
    assert_eq!((owner.role, owner.muted_until_ms), (Role::Owner, 0));
    friends.assert_whole("handed over").await;
}

#[tokio::test]
async fn users_who_have_blocked_the_actor_are_not_added_and_all_are_named() {
    let friends = TestGroup::with(OWNER, &[2, 3]).await;
    for user in [3, 4, 5] {
        friends.store.set_blocked(user, OWNER, true).await.unwrap();
    }
    match friends.change(OWNER, Wanted::Add(vec![3, 4, 6, 5])).await {
        Err(ChangeError::RefusedFor(Code::BLOCKED, users)) => assert_eq!(users, [4, 5]),
        other => panic!("{other:?}"),
    }
    // A block does not matter for users who are members already, or if the actor may not add
    // anybody.
    assert_eq!(
        friends.change(OWNER, Wanted::Add(vec![3])).await.unwrap().unchanged,
        [3]
    );
    assert_eq!(friends.refused(3, Wanted::Add(vec![4])).await, Code::ROLE_TOO_LOW);
    match friends.create(&new_group(&[3, 99, 98])).await {
        Err(ChangeError::RefusedFor(Code::USER_NOT_FOUND, users)) => assert_eq!(users, [99, 98]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_change_leaves_nothing_behind() {
    let friends = TestGroup::with(OWNER, &[2, 3]).await;
    friends.change(OWNER, Wanted::Role(2, Role::Admin)).await.unwrap();
    let before = (friends.seen().await, friends.announced().await);
    friends.queue.take();
    let many: Vec<UserId> = (100..201).collect();
    for (actor, wanted, code) in [
        (9, Wanted::Add(vec![9]), Code::NOT_A_MEMBER),
        (3, Wanted::Add(vec![4]), Code::ROLE_TOO_LOW),
        (2, Wanted::Add(vec![4, 99]), Code::USER_NOT_FOUND),
        (2, Wanted::Add(many.clone()), Code::TOO_MANY_USERS),
        (2, Wanted::Remove(many), Code::TOO_MANY_USERS),
        (2, Wanted::Remove(vec![3, OWNER]), Code::OWNER_STAYS),
        (OWNER, Wanted::Leave, Code::OWNER_STAYS),
        (2, Wanted::HandOver(2), Code::ROLE_TOO_LOW),
        (OWNER, Wanted::HandOver(9), Code::MEMBER_NOT_FOUND),
        (2, Wanted::Dissolve, Code::ROLE_TOO_LOW),
    ] {
        assert_eq!(friends.refused(actor, wanted.clone()).await, code, "{wanted:?}");
    }
    let unknown = friends
        .store
        .change_group(&friends.queue, 78, OWNER, &Wanted::Leave, MessagesFrom::Anyone, NOW)
        .await;
    assert!(matches!(unknown, Err(ChangeError::Refused(Code::GROUP_NOT_FOUND))));
    assert!(friends.change(OWNER, Wanted::Add(vec![])).await.unwrap() == Changed::default());
    assert_eq!((friends.seen().await, friends.announced().await), before);
    assert!(friends.queue.take().is_empty());
}
