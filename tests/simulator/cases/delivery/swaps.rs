//! Seqs of a delivery plan that readers sealed, and the seqs that replace them.

use super::{
    again, all_done, carry_out, deliver, deliver_alone, deliver_to, engine_with_members, inbox, message, pending,
};
use crate::engine::wire::Reply;
use crate::harness::{ids, let_others_run};
use serde_json::Value;
use std::collections::BTreeSet;
use wigwag_domain::UserId;
use wigwag_domain::task::Audience;

#[tokio::test]
async fn all_workers_agree_on_the_seq_that_replaces_a_sealed_one() {
    let engine = engine_with_members(&[UserId(1), UserId(2)]).await;
    let store = engine.store();
    // The worker dies with the plan put and no copy.
    let dead = deliver_alone(&engine.store_that_dies_after(3, true), &[message(1)]).await;
    assert!(dead.error.is_some());
    assert_eq!(inbox(&store, UserId(2)).await, (vec![], 1));
    for _ in 0..2 {
        all_done(&store, &[again(message(1))]).await;
        assert_eq!(inbox(&store, UserId(2)).await, (vec![1], 2));
    }
}

#[tokio::test]
async fn a_worker_that_is_held_up_follows_the_one_that_overtook_it() {
    for calls in 1..7 {
        let engine = engine_with_members(&[UserId(1), UserId(2)]).await;
        let store = engine.store();
        // The first worker dies with the plan put and no copy; a reader gives the seq up.
        deliver_alone(&engine.store_that_dies_after(3, true), &[message(1)]).await;
        assert_eq!(inbox(&store, UserId(2)).await, (vec![], 1));
        let (held_up, go_on) = engine.store_held_up_after(calls);
        let late = tokio::spawn(async move { deliver(&held_up, &[again(message(1))]).await });
        let_others_run().await;
        all_done(&store, &[again(message(1))]).await;
        go_on.add_permits(1000);
        let late = late.await.unwrap();
        assert_eq!(late.done, 1, "{:?}", late.error);
        assert_eq!(inbox(&store, UserId(2)).await.0, [1], "held up after {calls} calls");
    }
}

/// Every reader of a shard gave its seq up. The plan is one item, so all swaps are one write.
#[tokio::test]
async fn the_seqs_of_a_whole_shard_are_swapped_in_one_write() {
    let members: Vec<UserId> = (1..=200).map(UserId).collect();
    let engine = engine_with_members(&members).await;
    deliver_alone(&engine.store_that_dies_after(10, true), &[message(1)]).await;
    for &user in &members[1..] {
        assert_eq!(inbox(&engine.store(), user).await, (vec![], 1));
    }
    let (store, calls) = engine.counting_store();
    all_done(&store, &[again(message(1))]).await;
    let swaps = calls
        .take()
        .into_iter()
        .find(|(operation, _)| operation == "UpdateItem");
    assert_eq!(swaps, Some(("UpdateItem".to_owned(), 1)));
    for &user in &members[1..] {
        assert_eq!(inbox(&engine.store(), user).await, (vec![1], 2));
    }
}

#[tokio::test]
async fn failed_swaps_keep_no_other_copies_waiting() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    deliver_alone(&engine.store_that_dies_after(3, true), &[message(1), message(2)]).await;
    for user in [2, 3] {
        assert_eq!(inbox(&engine.store(), UserId(user)).await, (vec![], 2));
    }
    let store = engine.store_by(|engine, call| {
        let request: Value = serde_json::from_str(&call.body).unwrap();
        let is_refused = call.operation == "UpdateItem" && request["Key"]["n"]["N"] == "1";
        let reply = if is_refused {
            Reply::throttled()
        } else {
            engine.run(&call)
        };
        Box::pin(async move { Ok(reply) })
    });
    let batch = [message(1), message(2)].map(again);
    let (delivered, tasks) = deliver_to(&store, &Audience::Shard(0), &batch).await;
    assert_eq!(delivered.done, 2, "{:?}", delivered.error);
    assert_eq!(pending(&tasks), [(Some(0), ids([2, 3]), 1)]);
    for user in [2, 3] {
        assert_eq!(inbox(&engine.store(), UserId(user)).await.0, [2]);
    }
    carry_out(&engine.store(), &tasks[0]).await;
    for user in [2, 3] {
        let seqs: BTreeSet<u64> = inbox(&engine.store(), UserId(user)).await.0.into_iter().collect();
        assert_eq!(seqs, BTreeSet::from([1, 2]));
    }
}
