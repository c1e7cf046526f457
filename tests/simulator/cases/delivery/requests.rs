//! How many requests a delivery takes.

use super::{all_done, connect_phone, engine_with_members, first_shard, message};
use crate::harness::{NOW, ids};
use wigwag_domain::UserId;
use wigwag_domain::task::SHARD_MEMBERS;
use wigwag_messaging::deliver::Delivery;

#[tokio::test]
async fn a_full_shard_takes_few_requests() {
    let members: Vec<UserId> = (1..=SHARD_MEMBERS).map(UserId).collect();
    let engine = engine_with_members(&members).await;
    let (store, calls) = engine.counting_store();
    all_done(&store, &[message(1)]).await;
    assert_eq!(
        calls.take(),
        [("BatchExecuteStatement".to_owned(), 41), ("Query".to_owned(), 1)]
    );
    let batch: Vec<Delivery> = (2..=11).map(message).collect();
    all_done(&store, &batch).await;
    let made: usize = calls.take().iter().map(|(_, count)| count).sum();
    assert_eq!(made, 1 + 20 + 1 + 200, "499 members, ten messages");
    let span = first_shard();
    connect_phone(&engine.store(), UserId(9)).await;
    let pushes = wigwag_messaging::announce(&store, &span, &[message(12).logged], NOW)
        .await
        .unwrap();
    assert_eq!(calls.take(), [("BatchGetItem".to_owned(), 5), ("Query".to_owned(), 1)]);
    assert_eq!(pushes.iter().map(|inbound| inbound.user).collect::<Vec<_>>(), ids([9]));
}
