//! Changes whose function died, and who finishes them.

use super::{OWNER, every_change};
use crate::harness::group::{GROUP, TestGroup, new_group};
use crate::harness::queues::OutOfReach;
use crate::harness::{ABANDONED, LATER, NOW, ids};
use std::collections::BTreeSet;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::task::Task;
use wigwag_domain::{GroupId, UserId};
use wigwag_messaging::change_group::ChangeError;
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::GroupChangeType;
use wigwag_store::groups;

/// For every call after which the function can die: the next change finishes what it began, and a
/// repeat makes the change if it had not begun.
#[tokio::test]
async fn the_next_change_finishes_one_whose_function_died_halfway() {
    for wanted in every_change() {
        let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
        let before = friends.seen().await;
        friends.change(OWNER, wanted.clone()).await.unwrap();
        let after = friends.seen().await;
        assert_ne!(before, after);
        for answer_lost in [true, false] {
            for calls in 1.. {
                let what = format!("{wanted:?} dies after {calls} calls, answer lost: {answer_lost}");
                let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
                let dying = friends.engine.store_that_dies_after(calls, answer_lost);
                let died = friends.change_by(&dying, OWNER, &wanted).await;
                assert_eq!(
                    friends.change(UserId(9), Wanted::Leave).await.unwrap().unchanged,
                    ids([9]),
                    "{what}"
                );
                friends.assert_whole(&what).await;
                let seen = friends.seen().await;
                assert!(seen == before || seen == after, "{what}: {seen:?}");
                let _ = friends.change(OWNER, wanted.clone()).await;
                assert_eq!(friends.seen().await, after, "{what}");
                if died.is_ok() {
                    assert!(calls > 7, "{what}");
                    break;
                }
            }
        }
    }
}

/// For every call after which the function can die, and nobody follows: the worker's task finishes
/// what it began, and nothing if it had not begun. It leaves a change alone that may still be under
/// way.
#[tokio::test]
async fn a_worker_finishes_a_change_whose_function_died_halfway() {
    let more = [
        Wanted::Rename("others".to_owned()),
        Wanted::Mute(true),
        Wanted::Role(UserId(3), Role::Admin),
        Wanted::Remove(vec![UserId(3)]),
    ];
    for wanted in every_change().into_iter().chain(more) {
        let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
        let before = friends.seen().await;
        friends.change(OWNER, wanted.clone()).await.unwrap();
        let (after, said) = (friends.seen().await, friends.announced().await);
        for answer_lost in [true, false] {
            for calls in 1.. {
                let what = format!("{wanted:?} dies after {calls} calls, answer lost: {answer_lost}");
                let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
                let dying = friends.engine.store_that_dies_after(calls, answer_lost);
                let died = friends.change_by(&dying, OWNER, &wanted).await;
                let begun = friends.unfinished_since_ms().await;
                let left = (friends.seen().await, friends.announced().await);
                friends.queue.finish(&friends.store, NOW).await;
                assert_eq!(
                    (friends.seen().await, friends.announced().await),
                    left,
                    "{what}: too early"
                );
                friends.queue.finish(&friends.store, ABANDONED).await;
                assert!(friends.queue.take_finishes().is_empty(), "{what}");
                friends.assert_whole(&what).await;
                if begun.is_some() || died.is_ok() {
                    assert_eq!(friends.seen().await, after, "{what}");
                    let announced = friends.announced().await;
                    let what_was_said = |said: &[(u64, GroupChangeType, Vec<UserId>)]| -> Vec<_> {
                        said.iter().map(|(_, change, users)| (*change, users.clone())).collect()
                    };
                    assert_eq!(what_was_said(&announced), what_was_said(&said), "{what}");
                } else {
                    assert_eq!(friends.seen().await, left.0, "{what}");
                    assert!(left.0 == before || left.0 == after, "{what}");
                }
                if died.is_ok() {
                    break;
                }
            }
        }
    }
}

/// Otherwise nobody would finish it if its function died.
#[tokio::test]
async fn a_change_does_not_begin_if_the_queue_does_not_take_its_task() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    let before = friends.engine.items("directory");
    for wanted in every_change() {
        let changed = wigwag_messaging::change_group(
            &friends.store,
            &OutOfReach,
            GROUP,
            OWNER,
            &wanted,
            MessagesFrom::Anyone,
            NOW,
        )
        .await;
        assert!(matches!(changed, Err(ChangeError::Store(_))), "{wanted:?}");
    }
    let made = wigwag_messaging::create_group(
        &friends.store,
        &OutOfReach,
        GroupId(GROUP.0 + 1),
        OWNER,
        &new_group(&[UserId(2)]),
        MessagesFrom::Anyone,
        NOW,
    )
    .await;
    assert!(matches!(made, Err(ChangeError::Store(_))));
    assert_eq!(friends.engine.items("directory"), before);
}

/// The function died before it began the change. Another change of the same version, much later,
/// has its own task.
#[tokio::test]
async fn the_task_of_a_change_that_never_began_does_not_hide_that_of_a_later_one() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    friends.queue.take_finishes();
    let dying = friends.engine.store_that_dies_after(3, false);
    let add = Wanted::Add(vec![UserId(4)]);
    let died = friends.change_by(&dying, OWNER, &add).await;
    assert!(died.is_err());
    friends.change(OWNER, Wanted::Mute(true)).await.unwrap();
    let ids: BTreeSet<String> = friends
        .queue
        .take_finishes()
        .iter()
        .map(Task::deduplication_id)
        .collect();
    let dying = friends.engine.store_that_dies_after(3, true);
    let died = wigwag_messaging::change_group(
        &dying,
        &friends.queue,
        GROUP,
        OWNER,
        &Wanted::Mute(false),
        MessagesFrom::Anyone,
        LATER,
    )
    .await;
    assert!(died.is_err());
    let again = friends.queue.take_finishes();
    assert!(again.iter().all(|task| !ids.contains(&task.deduplication_id())));
}

#[tokio::test]
async fn an_abandoned_change_is_finished_later() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    let dying = friends.engine.store_that_dies_after(4, false);
    let wanted = Wanted::Remove(vec![UserId(3)]);
    let died = friends.change_by(&dying, OWNER, &wanted).await;
    assert!(died.is_err());
    friends.queue.take();
    let group = groups::group(&friends.store, GROUP).await.unwrap().unwrap();
    assert!(!group.is_left_unfinished(NOW) && group.is_left_unfinished(LATER));
    wigwag_messaging::finish_change(&friends.store, &friends.queue, GROUP, LATER)
        .await
        .unwrap();
    assert_eq!(friends.queue.take().len(), 1);
    let group = groups::group(&friends.store, GROUP).await.unwrap().unwrap();
    assert_eq!((group.members, group.unfinished_since_ms), (2, None));
    let removed = groups::membership(&friends.store, GROUP, UserId(3))
        .await
        .unwrap()
        .unwrap();
    assert!(!removed.is_active());
}
