//! Groups that become super groups.

use super::OWNER;
use crate::harness::group::{GROUP, TestGroup, announced_change};
use crate::harness::{LATER, NOW, draft, ids};
use wigwag_domain::UserId;
use wigwag_domain::groups::rules::{Changed, Wanted};
use wigwag_domain::task::{Audience, Task};
use wigwag_protocol::http::Role;
use wigwag_store::groups;

/// Wherever the change dies, a message that is sent before the change is finished has a copy, or a
/// seq beyond the announced one.
#[tokio::test]
async fn a_super_group_tells_since_when_it_is_one() {
    let mut in_the_log_alone = 0;
    for calls in 3..7 {
        let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
        let dying = friends.engine.store_that_dies_after(calls, false);
        let died = friends.change_by(&dying, OWNER, &Wanted::BecomeSuper).await;
        assert!(died.is_err(), "after {calls} calls");
        let sent = wigwag_messaging::send_to_group(&friends.store, &friends.queue, &draft(1, "in between"), GROUP, NOW)
            .await
            .unwrap();
        friends.queue.take();
        friends.change(OWNER, Wanted::BecomeSuper).await.unwrap();
        let tasks = friends.queue.take();
        let is_beyond = sent.message.conversation_seq > announced_change(&tasks[0]).super_after;
        assert_eq!(is_beyond, sent.own_seq == 0, "after {calls} calls");
        in_the_log_alone += u32::from(is_beyond);
    }
    assert!(in_the_log_alone > 0);
}

/// The last message in every inbox says that no more will come that way. After it, only the users
/// that a change is about get a copy.
#[tokio::test]
async fn a_change_of_a_super_group_is_copied_to_the_users_that_it_is_about() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    friends.queue.take();
    friends.change(OWNER, Wanted::BecomeSuper).await.unwrap();
    assert_eq!(
        friends.change(OWNER, Wanted::BecomeSuper).await.unwrap(),
        Changed::default()
    );
    let settings = groups::group(&friends.store, GROUP).await.unwrap().unwrap().settings;
    assert!(settings.is_super(2) && !settings.is_super(1));
    let tasks = friends.queue.take();
    assert!(
        matches!(
            tasks.as_slice(),
            [Task::Deliver {
                audience: Audience::Shard(0),
                ..
            }]
        ),
        "{tasks:?}"
    );
    assert!(announced_change(&tasks[0]).super_group);
    for (wanted, about) in [
        (Wanted::Add(vec![UserId(4), UserId(5)]), ids([4, 5])),
        (Wanted::Remove(vec![UserId(5)]), ids([5])),
        (Wanted::Role(UserId(2), Role::Admin), ids([2])),
        (Wanted::MuteMember(UserId(4), LATER), ids([4])),
        (Wanted::HandOver(UserId(2)), ids([2, 1])),
    ] {
        friends.change(OWNER, wanted.clone()).await.unwrap();
        let tasks = friends.queue.take();
        match tasks.as_slice() {
            [
                Task::Announce { shards, .. },
                Task::Deliver {
                    audience: Audience::Users(users),
                    ..
                },
            ] => {
                assert_eq!((shards.clone(), users), (0..1, &about), "{wanted:?}");
            }
            other => panic!("{wanted:?}: {other:?}"),
        }
    }
    for wanted in [
        Wanted::Mute(true),
        Wanted::Rename("others".to_owned()),
        Wanted::Dissolve,
    ] {
        friends.change(UserId(2), wanted).await.unwrap();
        assert!(matches!(friends.queue.take().as_slice(), [Task::Announce { .. }]));
    }
}
