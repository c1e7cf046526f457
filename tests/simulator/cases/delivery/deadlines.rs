//! Workers whose time runs out.

use super::{again, all_done, connect_phone, engine_with_members, inbox, message};
use crate::harness::group::GROUP;
use crate::harness::queues::{Collected, OutOfReach};
use crate::harness::{NOW, moment};
use std::sync::atomic::Ordering;
use std::time::Duration;
use wigwag_domain::UserId;
use wigwag_domain::task::Audience;
use wigwag_messaging::deliver::Delivery;

#[tokio::test]
async fn a_call_without_an_answer_is_cut_off_at_the_deadline_and_not_repeated() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let (store, sent) = engine.store_that_hangs_after(0);
    let deadline = moment() + Duration::from_millis(1_700);
    let audience = Audience::Shard(0);
    let late = wigwag_messaging::deliver(
        &store,
        &Collected::default(),
        GROUP,
        &audience,
        &[message(1)],
        deadline,
        NOW,
    )
    .await;
    assert_eq!((late.done, late.error.is_none()), (0, true));
    assert_eq!(sent.load(Ordering::SeqCst), 2, "the reservations, the plan");
    all_done(&engine.store(), &[again(message(1))]).await;
    assert_eq!(inbox(&engine.store(), UserId(2)).await.0, [1]);
}

/// Copies are put two hundred at a time: here those of two messages.
#[tokio::test]
async fn complete_messages_are_done_and_pushed_when_the_deadline_comes_midway() {
    let members: Vec<UserId> = (1..=101).map(UserId).collect();
    let engine = engine_with_members(&members).await;
    connect_phone(&engine.store(), UserId(2)).await;
    let (store, _) = engine.store_that_hangs_after(4 + 1 + 8);
    let batch: Vec<Delivery> = (1..=5).map(message).collect();
    let deadline = moment() + Duration::from_secs(5);
    let (audience, queue) = (Audience::Shard(0), Collected::default());
    let late = wigwag_messaging::deliver(&store, &queue, GROUP, &audience, &batch, deadline, NOW).await;
    assert_eq!((late.done, late.error.is_none()), (2, true));
    assert_eq!(late.pushes[0].messages, [(1, 0), (2, 1)]);
    assert!(queue.take().is_empty(), "no copy is pending");
    let rest: Vec<Delivery> = batch[2..].iter().cloned().map(again).collect();
    all_done(&engine.store(), &rest).await;
    for user in [2, 101] {
        assert_eq!(inbox(&engine.store(), UserId(user)).await.0, [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn nothing_is_begun_after_the_deadline() {
    let engine = engine_with_members(&[UserId(1), UserId(2)]).await;
    let store = engine.store();
    let past = moment();
    let late = wigwag_messaging::deliver(
        &store,
        &OutOfReach,
        GROUP,
        &Audience::Shard(0),
        &[message(1)],
        past,
        NOW,
    )
    .await;
    assert_eq!((late.done, late.error.is_none(), late.pushes.len()), (0, true, 0));
    assert_eq!(inbox(&store, UserId(2)).await, (vec![], 0));
}
