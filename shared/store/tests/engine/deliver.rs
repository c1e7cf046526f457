use crate::harness::{Engine, LATER, NOW, deadline, moment, phone};
use prost::Message as _;
use serde_json::json;
use wigwag_protocol::{Encoding, pb};
use wigwag_store::devices::ConnectionPolicy;
use wigwag_store::fanout::{Audience, Delivered, Delivery, Inbound, Logged, SHARD_MEMBERS, Span};
use wigwag_store::head::Connection;
use wigwag_store::timeline::Missing;
use wigwag_store::{GroupId, Store, TimelineId, UserId};

const GROUP: GroupId = 7;

/// A group of these members, who have been in it from its beginning.
async fn group_of(members: &[UserId]) -> Engine {
    let engine = Engine::start();
    for (place, &user) in members.iter().enumerate() {
        engine.user(user).await;
        member(&engine, place, user, 0, None);
    }
    engine
}

/// The row of a range of membership.
fn member(engine: &Engine, place: usize, user: UserId, joined_after: u64, left: Option<u64>) {
    let shard = place / usize::try_from(SHARD_MEMBERS).unwrap();
    let mut row = json!({
        "pk": { "S": format!("group#{GROUP}#{shard}") },
        "sk": { "S": format!("{place:016}") },
        "u": { "N": user.to_string() },
        "j": { "N": joined_after.to_string() },
        "v": { "N": "1" },
    });
    if let Some(left) = left {
        row["l"] = json!({ "N": left.to_string() });
    }
    engine.put("directory", &row);
}

fn message(conversation_seq: u64) -> Delivery {
    saying(conversation_seq, &format!("message {conversation_seq}"))
}

fn saying(conversation_seq: u64, content: &str) -> Delivery {
    let message = pb::Message {
        session_type: pb::SessionType::Group.into(),
        receiver_id: GROUP,
        sender_id: 1,
        message_type: 1,
        content: content.as_bytes().to_vec(),
        send_time: NOW,
        conversation_seq,
        ..pb::Message::default()
    };
    let key = format!("key {conversation_seq}").into_bytes();
    Delivery {
        logged: Logged { key, message },
        skip: Some(1),
        redelivered: false,
    }
}

fn again(mut delivery: Delivery) -> Delivery {
    delivery.redelivered = true;
    delivery
}

async fn deliver(store: &Store, batch: &[Delivery]) -> Delivered {
    store.deliver(GROUP, &Audience::Shard(0), batch, deadline(), NOW).await
}

async fn all_done(store: &Store, batch: &[Delivery]) -> Vec<Inbound> {
    let delivered = deliver(store, batch).await;
    assert!(delivered.error.is_none(), "{:?}", delivered.error);
    assert_eq!(delivered.done, batch.len());
    delivered.pushes
}

/// The conversation seqs in an inbox, and its cursor at the end; every hole on the way is given up.
async fn inbox(store: &Store, user: UserId) -> (Vec<u64>, u64) {
    let page = store
        .inbox(user, 0, 100, Encoding::Protobuf, LATER)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page.cursor, page.max_seq);
    let seqs = page.messages.iter().map(|message| message.conversation_seq);
    (seqs.collect(), page.cursor)
}

async fn connect(store: &Store, user: UserId) {
    let connection = Connection {
        id: format!("c{user}="),
        platform: 1,
        protobuf: true,
        connected_at_ms: NOW,
    };
    let policy = ConnectionPolicy::Device;
    store.connect(user, &phone(), &connection, policy, NOW).await.unwrap();
}

#[tokio::test]
async fn a_batch_stands_in_the_inbox_of_every_member_but_the_sender() {
    let engine = group_of(&[1, 2, 3]).await;
    let store = engine.store();
    all_done(&store, &[message(1), message(2), message(4)]).await;
    assert_eq!(inbox(&store, 1).await, (vec![], 0));
    assert_eq!(inbox(&store, 2).await, (vec![1, 2, 4], 3));
    assert_eq!(inbox(&store, 3).await, (vec![1, 2, 4], 3));
}

#[tokio::test]
async fn a_member_gets_what_falls_into_their_ranges_and_nothing_else() {
    let engine = group_of(&[1, 2]).await;
    engine.user(3).await;
    engine.user(4).await;
    member(&engine, 2, 3, 2, None);
    member(&engine, 3, 4, 0, Some(1));
    member(&engine, 4, 4, 2, Some(3));
    let store = engine.store();
    all_done(&store, &[message(1), message(2), message(3), message(4)]).await;
    assert_eq!(inbox(&store, 2).await.0, [1, 2, 3, 4]);
    assert_eq!(inbox(&store, 3).await.0, [3, 4]);
    assert_eq!(inbox(&store, 4).await.0, [1, 3]);
}

#[tokio::test]
async fn chosen_users_get_a_message_whatever_the_shard_says() {
    let engine = group_of(&[1]).await;
    engine.user(2).await;
    let store = engine.store();
    for _ in 0..2 {
        let audience = Audience::Users(vec![1, 2]);
        let delivered = store.deliver(GROUP, &audience, &[message(5)], deadline(), NOW).await;
        assert_eq!(delivered.done, 1, "{:?}", delivered.error);
    }
    assert_eq!(inbox(&store, 1).await.0, [0_u64; 0]);
    assert_eq!(inbox(&store, 2).await.0, [5]);
}

#[tokio::test]
async fn a_task_handed_out_again_makes_no_second_copy() {
    let engine = group_of(&[1, 2]).await;
    let store = engine.store();
    all_done(&store, &[message(1), message(2)]).await;
    all_done(&store, &[again(message(1)), again(message(2))]).await;
    assert_eq!(inbox(&store, 2).await, (vec![1, 2], 2), "its plan was read first");
    all_done(&store, &[message(2), message(3), message(2)]).await;
    assert_eq!(
        inbox(&store, 2).await,
        (vec![1, 2, 3], 4),
        "one seq was reserved in vain, and sealed"
    );
}

#[tokio::test]
async fn a_worker_that_lost_the_race_follows_the_plan_and_gives_its_seqs_up() {
    let engine = group_of(&[1, 2, 3]).await;
    let store = engine.store();
    let (batch, second) = ([message(1)], engine.store());
    let (one, other) = tokio::join!(deliver(&store, &batch), deliver(&second, &batch));
    assert_eq!((one.done, other.done), (1, 1), "{:?} {:?}", one.error, other.error);
    for user in [2, 3] {
        let page = store
            .inbox(user, 0, 100, Encoding::Protobuf, NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((page.messages.len(), page.cursor), (1, 2), "nobody waits for a lease");
    }
}

#[tokio::test]
async fn wherever_a_worker_dies_the_next_one_finishes_its_batch() {
    for answer_lost in [false, true] {
        for calls in 0..6 {
            let engine = group_of(&[1, 2, 3]).await;
            let dead = engine.store_that_dies_after(calls, answer_lost);
            let batch = [message(1), message(2)];
            let first = deliver(&dead, &batch).await;
            assert!(first.done == 2 || first.error.is_some());
            let store = engine.store();
            if first.done == 2 {
                assert_eq!(inbox(&store, 3).await.0, [1, 2], "what is reported done is done");
            }
            if calls % 2 == 0 {
                // The readers give up whatever is not written yet.
                inbox(&store, 2).await;
            }
            all_done(&store, &batch.map(again)).await;
            for user in [2, 3] {
                let mut seqs = inbox(&store, user).await.0;
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

/// Copies are put two hundred at a time: here two messages.
#[tokio::test]
async fn a_worker_that_fails_reports_the_messages_that_stand_everywhere() {
    let members: Vec<UserId> = (1..=101).collect();
    let before_copies = 1 + 4 + 1;
    for (slices, done) in [(0, 0), (1, 2), (2, 4)] {
        let engine = group_of(&members).await;
        let dead = engine.store_that_dies_after(before_copies + slices * 8 + 1, false);
        let batch: Vec<Delivery> = (1..=5).map(message).collect();
        let delivered = deliver(&dead, &batch).await;
        assert_eq!(delivered.done, done);
        assert!(delivered.error.is_some());
        let stands: Vec<u64> = (1..=5).take(done).collect();
        for user in [2, 50, 101] {
            assert!(inbox(&engine.store(), user).await.0.starts_with(&stands));
        }
    }
}

#[tokio::test]
async fn a_seq_that_a_reader_sealed_is_replaced_and_all_workers_agree_on_the_other() {
    let engine = group_of(&[1, 2]).await;
    let store = engine.store();
    // Dies with the plan put and no copy.
    let dead = deliver(&engine.store_that_dies_after(3, true), &[message(1)]).await;
    assert!(dead.error.is_some());
    assert_eq!(inbox(&store, 2).await, (vec![], 1));
    for _ in 0..2 {
        all_done(&store, &[again(message(1))]).await;
        assert_eq!(inbox(&store, 2).await, (vec![1], 2));
    }
}

#[tokio::test]
async fn a_worker_that_is_held_up_for_as_long_as_another_takes_follows_it() {
    for calls in 1..7 {
        let engine = group_of(&[1, 2]).await;
        let store = engine.store();
        // Dies with the plan put and no copy; a reader gives the seq up.
        deliver(&engine.store_that_dies_after(3, true), &[message(1)]).await;
        assert_eq!(inbox(&store, 2).await, (vec![], 1));
        let (held_up, go_on) = engine.store_held_up_after(calls);
        let late = tokio::spawn(async move { deliver(&held_up, &[again(message(1))]).await });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        all_done(&store, &[again(message(1))]).await;
        go_on.add_permits(1000);
        let late = late.await.unwrap();
        assert_eq!(late.done, 1, "{:?}", late.error);
        assert_eq!(inbox(&store, 2).await.0, [1], "held up after {calls} calls");
    }
}

#[tokio::test]
async fn a_message_too_large_for_an_inbox_is_read_from_the_log() {
    let engine = group_of(&[1, 2]).await;
    let store = engine.store();
    let large = saying(1, &"x".repeat(2_000));
    let log = TimelineId::group(GROUP);
    store.reserve(&log, 1, Missing::Create, NOW).await.unwrap();
    let content = wigwag_store::timeline::Content::Inline(large.logged.message.encode_to_vec());
    let entry = wigwag_store::timeline::Entry {
        key: large.logged.key.clone(),
        reserved_at_ms: NOW,
        content,
    };
    store.put(&log, 1, &entry).await.unwrap();
    all_done(&store, std::slice::from_ref(&large)).await;
    let page = store.inbox(2, 0, 100, Encoding::Protobuf, NOW).await.unwrap().unwrap();
    assert_eq!(page.messages[0].content, large.logged.message.content);
}

#[tokio::test]
async fn who_may_be_online_is_to_be_pushed_also_when_the_task_is_handed_out_again() {
    let engine = group_of(&[1, 2, 3]).await;
    let store = engine.store();
    all_done(&store, &[message(1)]).await;
    connect(&store, 2).await;
    let pushes = all_done(&store, &[again(message(1)), message(2), message(3)]).await;
    let summary: Vec<_> = pushes
        .iter()
        .map(|inbound| (inbound.user, inbound.messages.as_slice()))
        .collect();
    assert_eq!(summary, [(2, [(1, 0), (2, 1), (3, 2)].as_slice())]);
    assert_eq!(pushes[0].head.connections(NOW).next().unwrap().1.id, "c2=");
    let pushes = all_done(&store, &[again(message(1))]).await;
    assert_eq!(pushes[0].messages, [(1, 0)]);
}

#[tokio::test]
async fn a_member_without_an_inbox_keeps_nobody_waiting() {
    let engine = group_of(&[1, 2]).await;
    member(&engine, 2, 99, 0, None);
    let store = engine.store();
    all_done(&store, &[message(1)]).await;
    assert_eq!(inbox(&store, 2).await, (vec![1], 1));
}

/// A request is answered with success while one of its statements failed.
#[tokio::test]
async fn a_statement_that_fails_for_the_moment_is_run_again() {
    for code in [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "TransactionConflict",
        "InternalServerError",
    ] {
        for takes_effect in [false, true] {
            let engine = group_of(&[1, 2, 3]).await;
            let store = engine.store_that_fails_statements(code, takes_effect);
            all_done(&store, &[message(1), message(2)]).await;
            let (seqs, _) = inbox(&engine.store(), 2).await;
            assert_eq!(seqs, [1, 2], "{code}, takes effect: {takes_effect}");
            let burnt = if takes_effect { 2 } else { 0 };
            assert_eq!(inbox(&engine.store(), 2).await.1, 2 + burnt, "{code}");
            assert_eq!(inbox(&engine.store(), 3).await, (vec![1, 2], 2));
        }
    }
}

#[tokio::test]
async fn a_statement_that_is_refused_fails_the_delivery_and_what_was_reserved_is_sealed() {
    let engine = group_of(&[1, 2, 3]).await;
    let failed = deliver(
        &engine.store_that_fails_statements("AccessDenied", false),
        &[message(1)],
    )
    .await;
    assert_eq!(failed.done, 0);
    assert!(failed.error.is_some_and(|error| !error.is_retryable()));
    let store = engine.store();
    all_done(&store, &[again(message(1))]).await;
    let page = store.inbox(3, 0, 100, Encoding::Protobuf, NOW).await.unwrap().unwrap();
    assert_eq!((page.messages.len(), page.cursor), (1, 2), "nobody waits for a lease");
}

#[tokio::test]
async fn nothing_is_begun_after_the_deadline() {
    let engine = group_of(&[1, 2]).await;
    let store = engine.store();
    let past = moment();
    let late = store
        .deliver(GROUP, &Audience::Shard(0), &[message(1)], past, NOW)
        .await;
    assert_eq!((late.done, late.error.is_none(), late.pushes.len()), (0, true, 0));
    assert_eq!(inbox(&store, 2).await, (vec![], 0));
}

#[tokio::test]
async fn a_full_shard_takes_few_requests() {
    let members: Vec<UserId> = (1..=SHARD_MEMBERS).collect();
    let engine = group_of(&members).await;
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
    let span = Span {
        group: GROUP,
        shards: 0..1,
    };
    connect(&engine.store(), 9).await;
    let pushes = store.announce(&span, &[message(12).logged], NOW).await.unwrap();
    assert_eq!(calls.take(), [("BatchGetItem".to_owned(), 5), ("Query".to_owned(), 1)]);
    assert_eq!(pushes.iter().map(|inbound| inbound.user).collect::<Vec<_>>(), [9]);
}

#[tokio::test]
async fn a_super_groups_message_is_announced_to_the_members_who_may_be_online_and_entitled() {
    let engine = group_of(&[1, 2, 3]).await;
    let store = engine.store();
    engine.user(4).await;
    member(&engine, 500, 4, 1, None);
    engine.user(5).await;
    member(&engine, 501, 5, 0, Some(1));
    for user in [1, 2, 4, 5] {
        connect(&store, user).await;
    }
    let span = Span {
        group: GROUP,
        shards: 0..2,
    };
    let batch = [message(1).logged, message(2).logged];
    let pushes = store.announce(&span, &batch, NOW).await.unwrap();
    let summary: Vec<_> = pushes
        .iter()
        .map(|inbound| (inbound.user, inbound.messages.as_slice()))
        .collect();
    let (both, first, second): (&[_], &[_], &[_]) = (&[(0, 0), (0, 1)], &[(0, 0)], &[(0, 1)]);
    assert_eq!(summary, [(1, both), (2, both), (4, second), (5, first)]);
    let later = async move { store.announce(&span, &batch, NOW + 3 * 3_600_000).await };
    let pushes = tokio::spawn(later).await.unwrap().unwrap();
    assert!(pushes.is_empty(), "no connection lives so long");
}
