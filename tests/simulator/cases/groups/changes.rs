//! Changes that are made once, and changes that are refused.

use super::OWNER;
use crate::harness::group::{GROUP, TestGroup, new_group};
use crate::harness::{LATER, NOW, ids};
use wigwag_domain::groups::rules::{Changed, Wanted};
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::{GroupId, UserId};
use wigwag_messaging::change_group::ChangeError;
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;
use wigwag_store::{directory, groups};

#[tokio::test]
async fn a_change_that_is_asked_for_again_is_announced_once() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    friends.change(OWNER, Wanted::HandOver(UserId(2))).await.unwrap();
    assert_eq!(
        friends
            .change(OWNER, Wanted::HandOver(UserId(2)))
            .await
            .unwrap()
            .unchanged,
        ids([2])
    );
    assert_eq!(
        friends.refused(OWNER, Wanted::HandOver(UserId(3))).await,
        Code::ROLE_TOO_LOW
    );
    friends
        .change(UserId(2), Wanted::MuteMember(UserId(3), NOW + 600_000))
        .await
        .unwrap();
    let again = Wanted::MuteMember(UserId(3), NOW + 620_000);
    assert_eq!(friends.change(UserId(2), again).await.unwrap().unchanged, ids([3]));
    assert_eq!(friends.announced().await.len(), 3);
}

/// Nobody could unmute an owner.
#[tokio::test]
async fn a_muted_member_who_becomes_the_owner_may_speak() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    friends
        .change(OWNER, Wanted::MuteMember(UserId(2), LATER))
        .await
        .unwrap();
    friends.change(OWNER, Wanted::HandOver(UserId(2))).await.unwrap();
    let owner = groups::membership(&friends.store, GROUP, UserId(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((owner.role, owner.muted_until_ms), (Role::Owner, 0));
    friends.assert_whole("handed over").await;
}

#[tokio::test]
async fn users_who_have_blocked_the_actor_are_not_added_and_all_are_named() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    for user in [3, 4, 5] {
        directory::set_blocked(&friends.store, UserId(user), OWNER, true)
            .await
            .unwrap();
    }
    match friends
        .change(OWNER, Wanted::Add(vec![UserId(3), UserId(4), UserId(6), UserId(5)]))
        .await
    {
        Err(ChangeError::RefusedFor(Code::BLOCKED, users)) => assert_eq!(users, ids([4, 5])),
        other => panic!("{other:?}"),
    }
    // A block does not matter for users who are members already, or if the actor may not add
    // anybody.
    assert_eq!(
        friends
            .change(OWNER, Wanted::Add(vec![UserId(3)]))
            .await
            .unwrap()
            .unchanged,
        ids([3])
    );
    assert_eq!(
        friends.refused(UserId(3), Wanted::Add(vec![UserId(4)])).await,
        Code::ROLE_TOO_LOW
    );
    match friends.create(&new_group(&[UserId(3), UserId(99), UserId(98)])).await {
        Err(ChangeError::RefusedFor(Code::USER_NOT_FOUND, users)) => assert_eq!(users, ids([99, 98])),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_change_leaves_nothing_behind() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    friends
        .change(OWNER, Wanted::Role(UserId(2), Role::Admin))
        .await
        .unwrap();
    let before = (friends.seen().await, friends.announced().await);
    friends.queue.take();
    let many: Vec<UserId> = (100..201).map(UserId).collect();
    for (actor, wanted, code) in [
        (UserId(9), Wanted::Add(vec![UserId(9)]), Code::NOT_A_MEMBER),
        (UserId(3), Wanted::Add(vec![UserId(4)]), Code::ROLE_TOO_LOW),
        (
            UserId(2),
            Wanted::Add(vec![UserId(4), UserId(99)]),
            Code::USER_NOT_FOUND,
        ),
        (UserId(2), Wanted::Add(many.clone()), Code::TOO_MANY_USERS),
        (UserId(2), Wanted::Remove(many), Code::TOO_MANY_USERS),
        (UserId(2), Wanted::Remove(vec![UserId(3), OWNER]), Code::OWNER_STAYS),
        (OWNER, Wanted::Leave, Code::OWNER_STAYS),
        (UserId(2), Wanted::HandOver(UserId(2)), Code::ROLE_TOO_LOW),
        (OWNER, Wanted::HandOver(UserId(9)), Code::MEMBER_NOT_FOUND),
        (UserId(2), Wanted::Dissolve, Code::ROLE_TOO_LOW),
    ] {
        assert_eq!(friends.refused(actor, wanted.clone()).await, code, "{wanted:?}");
    }
    let unknown = wigwag_messaging::change_group(
        &friends.store,
        &friends.queue,
        GroupId(78),
        OWNER,
        &Wanted::Leave,
        MessagesFrom::Anyone,
        NOW,
    )
    .await;
    assert!(matches!(unknown, Err(ChangeError::Refused(Code::GROUP_NOT_FOUND))));
    assert!(friends.change(OWNER, Wanted::Add(vec![])).await.unwrap() == Changed::default());
    assert_eq!((friends.seen().await, friends.announced().await), before);
    assert!(friends.queue.take().is_empty());
}
