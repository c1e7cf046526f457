//! Members whose inboxes cannot be written for now: their copies are left to tasks of their own.

use super::{
    again, all_done_with_pending, carry_out, connect_phone, deliver_alone, deliver_to, engine_with_members, inbox,
    message, pending,
};
use crate::engine::is_of_inbox;
use crate::harness::ids;
use wigwag_domain::UserId;
use wigwag_domain::task::Audience;

/// The same holds for a statement that can never run and for one that is always throttled.
#[tokio::test]
async fn a_refused_statement_affects_only_its_member() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3), UserId(4)]).await;
    let store = engine.store_that_fails_statements("AccessDenied", false);
    let (delivered, tasks) = deliver_to(&store, &Audience::Shard(0), &[message(1)]).await;
    assert_eq!(delivered.done, 1);
    assert_eq!(
        pending(&tasks),
        [(Some(0), ids([2, 3]), 1)],
        "one could not reserve, the next could not be put"
    );
    let store = engine.store();
    assert_eq!(inbox(&store, UserId(4)).await, (vec![1], 1));
    let (delivered, tasks) = carry_out(&store, &tasks[0]).await;
    assert_eq!((delivered.done, tasks.len()), (1, 0), "{:?}", delivered.error);
    assert_eq!(inbox(&store, UserId(2)).await.0, [1]);
    assert_eq!(inbox(&store, UserId(3)).await.0, [1]);
}

/// Reservations, copies, or both are refused all the time.
#[tokio::test]
async fn a_member_whose_inbox_refuses_writes_keeps_nobody_waiting() {
    for refused in ["UPDATE", "INSERT", ""] {
        let members: Vec<UserId> = (1..=60).map(UserId).collect();
        let engine = engine_with_members(&members).await;
        connect_phone(&engine.store(), UserId(2)).await;
        let hot = engine.store_that_refuses(move |statement| {
            is_of_inbox(statement, UserId(3)) && statement["Statement"].as_str().unwrap().starts_with(refused)
        });
        for (number, batch) in [[message(1), message(2)], [message(1), message(2)].map(again)]
            .iter()
            .enumerate()
        {
            let (delivered, tasks) = deliver_to(&hot, &Audience::Shard(0), batch).await;
            assert_eq!(delivered.done, 2, "{refused} {number}: {:?}", delivered.error);
            assert_eq!(pending(&tasks), [(Some(0), ids([3]), 1), (Some(0), ids([3]), 2)]);
            assert_eq!(delivered.pushes[0].messages, [(1, 0), (2, 1)]);
        }
        let store = engine.store();
        for &user in members.iter().filter(|user| ![1, 3].contains(&user.0)) {
            assert_eq!(inbox(&store, user).await, (vec![1, 2], 2), "{refused}: user {user}");
        }
        let (_, tasks) = deliver_to(&hot, &Audience::Shard(0), &[again(message(2))]).await;
        let (failed, _) = carry_out(&hot, &tasks[0]).await;
        assert_eq!(failed.done, 0);
        assert!(failed.error.is_some_and(|error| error.is_retryable()));
        for _ in 0..2 {
            all_done_with_pending(&store, &[again(message(1))]).await;
            let (delivered, none) = carry_out(&store, &tasks[0]).await;
            assert_eq!((delivered.done, none.len()), (1, 0), "{:?}", delivered.error);
            let mut seqs = inbox(&store, UserId(3)).await.0;
            seqs.sort_unstable();
            assert_eq!(seqs, [1, 2], "{refused}");
        }
    }
}

#[tokio::test]
async fn an_inbox_that_still_refuses_its_pending_copy_keeps_no_other_waiting() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3), UserId(4)]).await;
    let refuse = |users: &'static [UserId]| {
        engine.store_that_refuses(move |statement| users.iter().any(|&user| is_of_inbox(statement, user)))
    };
    let (_, tasks) = deliver_to(&refuse(&[UserId(3), UserId(4)]), &Audience::Shard(0), &[message(1)]).await;
    assert_eq!(pending(&tasks), [(Some(0), ids([3, 4]), 1)]);
    let (delivered, rest) = carry_out(&refuse(&[UserId(3)]), &tasks[0]).await;
    assert_eq!((delivered.done, pending(&rest)), (1, vec![(Some(0), ids([3]), 1)]));
    let store = engine.store();
    assert_eq!(inbox(&store, UserId(4)).await, (vec![1], 1));
    // Both tasks at once, and the first one again: one copy.
    let second = engine.store();
    let shard = Audience::Shard(0);
    let batch = [again(message(1))];
    tokio::join!(
        carry_out(&store, &tasks[0]),
        carry_out(&second, &rest[0]),
        deliver_to(&store, &shard, &batch)
    );
    assert_eq!(inbox(&store, UserId(3)).await.0, [1]);
    assert_eq!(inbox(&store, UserId(4)).await.0, [1]);
}

#[tokio::test]
async fn the_next_worker_knows_the_pending_copies_of_one_that_died() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    connect_phone(&engine.store(), UserId(2)).await;
    let hot = engine.store_that_refuses(|statement| is_of_inbox(statement, UserId(3)));
    let failed = deliver_alone(&hot, &[message(1)]).await;
    assert_eq!((failed.done, failed.error.is_some()), (0, true));
    assert_eq!(
        failed.pushes.len(),
        1,
        "complete copies are pushed although the task failed"
    );
    let store = engine.store();
    assert_eq!(inbox(&store, UserId(2)).await, (vec![1], 1));
    all_done_with_pending(&store, &[again(message(1))]).await;
    assert_eq!(inbox(&store, UserId(2)).await, (vec![1], 1));
    assert_eq!(inbox(&store, UserId(3)).await, (vec![1], 1));
}

/// The worker of a shard does not try pending copies again: another refusal would cost the other
/// members time.
#[tokio::test]
async fn a_redelivered_task_leaves_pending_copies_to_a_task_of_their_own_again() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let hot = engine.store_that_refuses(|statement| is_of_inbox(statement, UserId(3)));
    deliver_to(&hot, &Audience::Shard(0), &[message(1)]).await;
    let (store, calls) = engine.counting_store();
    let (delivered, tasks) = deliver_to(&store, &Audience::Shard(0), &[again(message(1))]).await;
    assert_eq!((delivered.done, pending(&tasks)), (1, vec![(Some(0), ids([3]), 1)]));
    let puts = calls
        .take()
        .into_iter()
        .find(|(operation, _)| operation == "BatchExecuteStatement");
    assert_eq!(
        puts,
        Some(("BatchExecuteStatement".to_owned(), 1)),
        "the copy of the other member"
    );
    assert_eq!(inbox(&store, UserId(3)).await, (vec![], 0));
}
