//! The connections to push to.

use super::{again, all_done, connect_phone, engine_with_members, first_shard, message};
use crate::engine::Engine;
use crate::engine::wire::{Call, Reply};
use crate::harness::group::{GROUP, put_shard_row};
use crate::harness::{NOW, ids};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wigwag_domain::UserId;
use wigwag_messaging::announce::ShardRange;

#[tokio::test]
async fn users_who_may_be_online_are_pushed_again_when_a_task_is_redelivered() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let store = engine.store();
    all_done(&store, &[message(1)]).await;
    connect_phone(&store, UserId(2)).await;
    let pushes = all_done(&store, &[again(message(1)), message(2), message(3)]).await;
    let summary: Vec<_> = pushes
        .iter()
        .map(|inbound| (inbound.user, inbound.messages.as_slice()))
        .collect();
    assert_eq!(summary, [(UserId(2), [(1, 0), (2, 1), (3, 2)].as_slice())]);
    assert_eq!(pushes[0].head.connections(NOW).next().unwrap().1.id, "c2=");
    let pushes = all_done(&store, &[again(message(1))]).await;
    assert_eq!(pushes[0].messages, [(1, 0)]);
}

#[tokio::test]
async fn a_super_groups_message_is_announced_to_entitled_members_who_may_be_online() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let store = engine.store();
    engine.user(UserId(4)).await;
    put_shard_row(&engine, 500, UserId(4), 1, None);
    engine.user(UserId(5)).await;
    put_shard_row(&engine, 501, UserId(5), 0, Some(1));
    for user in [1, 2, 4, 5] {
        connect_phone(&store, UserId(user)).await;
    }
    let span = ShardRange {
        group: GROUP,
        shards: 0..2,
    };
    let batch = [message(1).logged, message(2).logged];
    let pushes = wigwag_messaging::announce(&store, &span, &batch, NOW).await.unwrap();
    let summary: Vec<_> = pushes
        .iter()
        .map(|inbound| (inbound.user, inbound.messages.as_slice()))
        .collect();
    let (both, first, second): (&[_], &[_], &[_]) = (&[(0, 0), (0, 1)], &[(0, 0)], &[(0, 1)]);
    assert_eq!(
        summary,
        [
            (UserId(1), both),
            (UserId(2), both),
            (UserId(4), second),
            (UserId(5), first)
        ]
    );
    let later = async move { wigwag_messaging::announce(&store, &span, &batch, NOW + 3 * 3_600_000).await };
    let pushes = tokio::spawn(later).await.unwrap().unwrap();
    assert!(pushes.is_empty(), "no connection lives so long");
}

/// Answers a `BatchGetItem`, but leaves the keys unprocessed that `is_left` picks.
fn answer_but(engine: &Engine, call: &Call, is_left: impl Fn(&Value) -> bool) -> Reply {
    if call.operation != "BatchGetItem" {
        return engine.run(call);
    }
    let mut request: Value = serde_json::from_str(&call.body).unwrap();
    let asked = &mut request["RequestItems"]["timelines"];
    let keys = asked["Keys"].as_array().unwrap().clone();
    let (left, done): (Vec<Value>, Vec<Value>) = keys.into_iter().partition(is_left);
    let mut unprocessed = asked.clone();
    unprocessed["Keys"] = json!(left);
    asked["Keys"] = json!(done);
    let mut answer = json!({ "Responses": { "timelines": [] } });
    if !done.is_empty() {
        let call = Call {
            operation: call.operation.clone(),
            body: request.to_string(),
        };
        answer = serde_json::from_str(&engine.run(&call).body).unwrap();
    }
    if !left.is_empty() {
        answer["UnprocessedKeys"] = json!({ "timelines": unprocessed });
    }
    Reply::success(&answer)
}

#[tokio::test]
async fn unprocessed_keys_are_asked_for_again_and_one_that_stays_affects_no_other() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    for user in [2, 3] {
        connect_phone(&engine.store(), UserId(user)).await;
    }
    let span = first_shard();
    let asked = Arc::new(AtomicUsize::new(0));
    let slow = engine.store_by(move |engine, call| {
        let is_early = call.operation == "BatchGetItem" && asked.fetch_add(1, Ordering::SeqCst) < 3;
        let reply = answer_but(engine, &call, |_| is_early);
        Box::pin(async move { Ok(reply) })
    });
    let pushes = wigwag_messaging::announce(&slow, &span, &[message(1).logged], NOW)
        .await
        .unwrap();
    assert_eq!(pushes.len(), 2, "three answers without anything");
    let hot = engine.store_by(|engine, call| {
        let reply = answer_but(engine, &call, |key| key["t"]["S"] == "u3");
        Box::pin(async move { Ok(reply) })
    });
    let pushes = wigwag_messaging::announce(&hot, &span, &[message(1).logged], NOW)
        .await
        .unwrap();
    assert_eq!(pushes.iter().map(|inbound| inbound.user).collect::<Vec<_>>(), ids([2]));
    let down = engine.store_by(|engine, call| {
        let reply = answer_but(engine, &call, |_| true);
        Box::pin(async move { Ok(reply) })
    });
    assert!(
        wigwag_messaging::announce(&down, &span, &[message(1).logged], NOW)
            .await
            .is_err()
    );
}
