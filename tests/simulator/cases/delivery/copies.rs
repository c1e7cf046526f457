//! Which members get a copy, and of what.

use super::{all_done, deliver_to, engine_with_members, inbox, message, message_with};
use crate::harness::NOW;
use crate::harness::group::{GROUP, put_shard_row};
use prost::Message as _;
use wigwag_domain::task::Audience;
use wigwag_domain::timeline::{Content, Entry};
use wigwag_domain::{TimelineId, UserId};
use wigwag_protocol::Encoding;
use wigwag_store::timelines;
use wigwag_store::timelines::Missing;

#[tokio::test]
async fn a_batch_is_in_the_inbox_of_every_member_but_the_sender() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let store = engine.store();
    all_done(&store, &[message(1), message(2), message(4)]).await;
    assert_eq!(inbox(&store, UserId(1)).await, (vec![], 0));
    assert_eq!(inbox(&store, UserId(2)).await, (vec![1, 2, 4], 3));
    assert_eq!(inbox(&store, UserId(3)).await, (vec![1, 2, 4], 3));
}

#[tokio::test]
async fn a_member_gets_the_messages_of_their_intervals_and_no_others() {
    let engine = engine_with_members(&[UserId(1), UserId(2)]).await;
    engine.user(UserId(3)).await;
    engine.user(UserId(4)).await;
    put_shard_row(&engine, 2, UserId(3), 2, None);
    put_shard_row(&engine, 3, UserId(4), 0, Some(1));
    put_shard_row(&engine, 4, UserId(4), 2, Some(3));
    let store = engine.store();
    all_done(&store, &[message(1), message(2), message(3), message(4)]).await;
    assert_eq!(inbox(&store, UserId(2)).await.0, [1, 2, 3, 4]);
    assert_eq!(inbox(&store, UserId(3)).await.0, [3, 4]);
    assert_eq!(inbox(&store, UserId(4)).await.0, [1, 3]);
}

#[tokio::test]
async fn chosen_users_get_a_message_whatever_the_shard_says() {
    let engine = engine_with_members(&[UserId(1)]).await;
    engine.user(UserId(2)).await;
    let store = engine.store();
    for _ in 0..2 {
        let audience = Audience::Users(vec![UserId(1), UserId(2)]);
        let (delivered, _) = deliver_to(&store, &audience, &[message(5)]).await;
        assert_eq!(delivered.done, 1, "{:?}", delivered.error);
    }
    assert_eq!(inbox(&store, UserId(1)).await.0, [0_u64; 0]);
    assert_eq!(inbox(&store, UserId(2)).await.0, [5]);
}

#[tokio::test]
async fn a_message_too_large_for_an_inbox_is_read_from_the_log() {
    let engine = engine_with_members(&[UserId(1), UserId(2)]).await;
    let store = engine.store();
    let large = message_with(1, &"x".repeat(2_000));
    let log = TimelineId::group(GROUP);
    timelines::reserve(&store, &log, 1, Missing::Create, NOW).await.unwrap();
    let content = Content::Inline(large.logged.message.encode_to_vec());
    let entry = Entry {
        key: large.logged.key.clone(),
        reserved_at_ms: NOW,
        content,
    };
    timelines::put(&store, &log, 1, &entry).await.unwrap();
    all_done(&store, std::slice::from_ref(&large)).await;
    let page = wigwag_messaging::sync(&store, UserId(2), 0, 100, Encoding::Protobuf, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page.messages[0].content, large.logged.message.content);
}

#[tokio::test]
async fn a_member_without_an_inbox_keeps_nobody_waiting() {
    let engine = engine_with_members(&[UserId(1), UserId(2)]).await;
    put_shard_row(&engine, 2, UserId(99), 0, None);
    let store = engine.store();
    all_done(&store, &[message(1)]).await;
    assert_eq!(inbox(&store, UserId(2)).await, (vec![1], 1));
}
