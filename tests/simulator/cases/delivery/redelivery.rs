//! Tasks that are handed out again, or to two workers at once.

use super::{again, all_done, deliver, engine_with_members, inbox, message};
use crate::harness::NOW;
use wigwag_domain::UserId;
use wigwag_protocol::Encoding;

#[tokio::test]
async fn a_redelivered_task_makes_no_second_copy() {
    let engine = engine_with_members(&[UserId(1), UserId(2)]).await;
    let store = engine.store();
    all_done(&store, &[message(1), message(2)]).await;
    all_done(&store, &[again(message(1)), again(message(2))]).await;
    assert_eq!(
        inbox(&store, UserId(2)).await,
        (vec![1, 2], 2),
        "the plan was read first"
    );
    all_done(&store, &[message(2), message(3), message(2)]).await;
    assert_eq!(
        inbox(&store, UserId(2)).await,
        (vec![1, 2, 3], 4),
        "one seq was reserved in vain, and sealed"
    );
}

#[tokio::test]
async fn a_worker_that_lost_the_race_follows_the_plan_and_gives_its_seqs_up() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let store = engine.store();
    let (batch, second) = ([message(1)], engine.store());
    let (one, other) = tokio::join!(deliver(&store, &batch), deliver(&second, &batch));
    assert_eq!((one.done, other.done), (1, 1), "{:?} {:?}", one.error, other.error);
    for user in [2, 3] {
        let page = wigwag_messaging::sync(&store, UserId(user), 0, 100, Encoding::Protobuf, NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((page.messages.len(), page.cursor), (1, 2), "nobody waits for a lease");
    }
}
