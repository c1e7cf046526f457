//! Workers that die or fail midway, and what the next one does.

use super::{again, all_done, deliver_alone, engine_with_members, inbox, message};
use wigwag_domain::UserId;
use wigwag_messaging::deliver::Delivery;

#[tokio::test]
async fn the_next_worker_finishes_a_batch_wherever_the_first_one_died() {
    for answer_lost in [false, true] {
        for calls in 0..6 {
            let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
            let dead = engine.store_that_dies_after(calls, answer_lost);
            let batch = [message(1), message(2)];
            let first = deliver_alone(&dead, &batch).await;
            assert!(first.done == 2 || first.error.is_some());
            let store = engine.store();
            if first.done == 2 {
                assert_eq!(
                    inbox(&store, UserId(3)).await.0,
                    [1, 2],
                    "a message is reported done only when it is"
                );
            }
            if calls % 2 == 0 {
                // The readers give up what is not written yet.
                inbox(&store, UserId(2)).await;
            }
            all_done(&store, &batch.map(again)).await;
            for user in [2, 3] {
                let mut seqs = inbox(&store, UserId(user)).await.0;
                seqs.sort_unstable();
                assert_eq!(
                    seqs,
                    [1, 2],
                    "user {user}, dead after {calls} calls, answer lost: {answer_lost}"
                );
            }
        }
    }
}

/// Copies are put two hundred at a time: here those of two messages.
#[tokio::test]
async fn a_worker_that_fails_reports_the_messages_that_all_members_have() {
    let members: Vec<UserId> = (1..=101).map(UserId).collect();
    let before_copies = 1 + 4 + 1;
    for (slices, done) in [(0, 0), (1, 2), (2, 4)] {
        let engine = engine_with_members(&members).await;
        let dead = engine.store_that_dies_after(before_copies + slices * 8 + 1, false);
        let batch: Vec<Delivery> = (1..=5).map(message).collect();
        let delivered = deliver_alone(&dead, &batch).await;
        assert_eq!(delivered.done, done);
        assert!(delivered.error.is_some());
        let complete: Vec<u64> = (1..=5).take(done).collect();
        for user in [2, 50, 101] {
            assert!(inbox(&engine.store(), UserId(user)).await.0.starts_with(&complete));
        }
    }
}

/// A bulk request succeeds although one of its statements failed.
#[tokio::test]
async fn a_statement_that_fails_for_now_is_run_again() {
    for code in [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "TransactionConflict",
        "InternalServerError",
    ] {
        for takes_effect in [false, true] {
            let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
            let store = engine.store_that_fails_statements(code, takes_effect);
            all_done(&store, &[message(1), message(2)]).await;
            let (seqs, _) = inbox(&engine.store(), UserId(2)).await;
            assert_eq!(seqs, [1, 2], "{code}, takes effect: {takes_effect}");
            let burnt = if takes_effect { 2 } else { 0 };
            assert_eq!(inbox(&engine.store(), UserId(2)).await.1, 2 + burnt, "{code}");
            assert_eq!(inbox(&engine.store(), UserId(3)).await, (vec![1, 2], 2));
        }
    }
}
