use crate::harness::{
    Collected, Engine, LATER, NOW, OutOfReach, config, deadline, is_of_inbox, moment, phone, store_over,
};
use crate::in_process::{Call, Reply, Wire};
use aws_sdk_dynamodb::config::{AsyncSleep, Sleep};
use prost::Message as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wigwag_protocol::{Encoding, pb};
use wigwag_store::devices::ConnectionPolicy;
use wigwag_store::fanout::{Audience, Delivered, Delivery, Inbound, Logged, SHARD_MEMBERS, Span, Task};
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
    let (delivered, tasks) = deliver_to(store, &Audience::Shard(0), batch).await;
    assert!(tasks.is_empty(), "{tasks:?}");
    delivered
}

/// With the tasks that were enqueued.
async fn deliver_to(store: &Store, audience: &Audience, batch: &[Delivery]) -> (Delivered, Vec<Task>) {
    let queue = Collected::default();
    let delivered = store.deliver(&queue, GROUP, audience, batch, deadline(), NOW).await;
    (delivered, queue.take())
}

/// By a worker that reaches no queue any more.
async fn deliver_alone(store: &Store, batch: &[Delivery]) -> Delivered {
    let audience = Audience::Shard(0);
    store
        .deliver(&OutOfReach, GROUP, &audience, batch, deadline(), NOW)
        .await
}

/// For whom the tasks are that deliver to those who were owed copies.
fn owed(tasks: &[Task]) -> Vec<(Option<u32>, Vec<UserId>, u64)> {
    let owed = |task: &Task| match task {
        Task::Deliver {
            audience: Audience::Owed { shard, users },
            logged,
            skip: Some(1),
            group: GROUP,
        } => (*shard, users.clone(), logged.conversation_seq()),
        other => panic!("{other:?}"),
    };
    tasks.iter().map(owed).collect()
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
        let (delivered, _) = deliver_to(&store, &audience, &[message(5)]).await;
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
            let first = deliver_alone(&dead, &batch).await;
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
        let delivered = deliver_alone(&dead, &batch).await;
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
    let dead = deliver_alone(&engine.store_that_dies_after(3, true), &[message(1)]).await;
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
        deliver_alone(&engine.store_that_dies_after(3, true), &[message(1)]).await;
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

/// Of a statement that cannot be run, as of one that is throttled for ever.
#[tokio::test]
async fn a_statement_that_is_refused_costs_nobody_but_its_member() {
    let engine = group_of(&[1, 2, 3, 4]).await;
    let store = engine.store_that_fails_statements("AccessDenied", false);
    let (delivered, tasks) = deliver_to(&store, &Audience::Shard(0), &[message(1)]).await;
    assert_eq!(delivered.done, 1);
    assert_eq!(
        owed(&tasks),
        [(Some(0), vec![2, 3], 1)],
        "the reservation of one, the copy of the next"
    );
    let store = engine.store();
    assert_eq!(inbox(&store, 4).await, (vec![1], 1));
    let (delivered, tasks) = carry_out(&store, &tasks[0]).await;
    assert_eq!((delivered.done, tasks.len()), (1, 0), "{:?}", delivered.error);
    assert_eq!(inbox(&store, 2).await.0, [1]);
    assert_eq!(inbox(&store, 3).await.0, [1]);
}

/// Carries out a task of one message, as a worker would.
async fn all_done_with_the_owed(store: &Store, batch: &[Delivery]) {
    let (delivered, tasks) = deliver_to(store, &Audience::Shard(0), batch).await;
    assert_eq!(delivered.done, batch.len(), "{:?}", delivered.error);
    for task in tasks {
        let (delivered, none) = carry_out(store, &task).await;
        assert_eq!((delivered.done, none.len()), (1, 0), "{:?}", delivered.error);
    }
}

async fn carry_out(store: &Store, task: &Task) -> (Delivered, Vec<Task>) {
    let Task::Deliver {
        audience, logged, skip, ..
    } = task
    else {
        panic!("{task:?}");
    };
    let delivery = Delivery {
        logged: logged.clone(),
        skip: *skip,
        redelivered: false,
    };
    deliver_to(store, audience, &[delivery]).await
}

/// Reserving, putting a copy, or both are refused for as long as it takes.
#[tokio::test]
async fn a_member_whose_inbox_refuses_what_is_written_keeps_nobody_waiting() {
    for refused in ["UPDATE", "INSERT", ""] {
        let members: Vec<UserId> = (1..=60).collect();
        let engine = group_of(&members).await;
        connect(&engine.store(), 2).await;
        let hot = engine.store_that_refuses(move |statement| {
            is_of_inbox(statement, 3) && statement["Statement"].as_str().unwrap().starts_with(refused)
        });
        for (number, batch) in [[message(1), message(2)], [message(1), message(2)].map(again)]
            .iter()
            .enumerate()
        {
            let (delivered, tasks) = deliver_to(&hot, &Audience::Shard(0), batch).await;
            assert_eq!(delivered.done, 2, "{refused} {number}: {:?}", delivered.error);
            assert_eq!(owed(&tasks), [(Some(0), vec![3], 1), (Some(0), vec![3], 2)]);
            assert_eq!(delivered.pushes[0].messages, [(1, 0), (2, 1)]);
        }
        let store = engine.store();
        for &user in members.iter().filter(|user| ![1, 3].contains(*user)) {
            assert_eq!(inbox(&store, user).await, (vec![1, 2], 2), "{refused}: user {user}");
        }
        let (_, tasks) = deliver_to(&hot, &Audience::Shard(0), &[again(message(2))]).await;
        let (failed, _) = carry_out(&hot, &tasks[0]).await;
        assert_eq!(failed.done, 0);
        assert!(failed.error.is_some_and(|error| error.is_retryable()));
        for _ in 0..2 {
            all_done_with_the_owed(&store, &[again(message(1))]).await;
            let (delivered, none) = carry_out(&store, &tasks[0]).await;
            assert_eq!((delivered.done, none.len()), (1, 0), "{:?}", delivered.error);
            let mut seqs = inbox(&store, 3).await.0;
            seqs.sort_unstable();
            assert_eq!(seqs, [1, 2], "{refused}");
        }
    }
}

#[tokio::test]
async fn of_those_who_are_owed_copies_one_who_still_refuses_keeps_no_other_waiting() {
    let engine = group_of(&[1, 2, 3, 4]).await;
    let refuse = |users: &'static [UserId]| {
        engine.store_that_refuses(move |statement| users.iter().any(|&user| is_of_inbox(statement, user)))
    };
    let (_, tasks) = deliver_to(&refuse(&[3, 4]), &Audience::Shard(0), &[message(1)]).await;
    assert_eq!(owed(&tasks), [(Some(0), vec![3, 4], 1)]);
    let (delivered, rest) = carry_out(&refuse(&[3]), &tasks[0]).await;
    assert_eq!((delivered.done, owed(&rest)), (1, vec![(Some(0), vec![3], 1)]));
    let store = engine.store();
    assert_eq!(inbox(&store, 4).await, (vec![1], 1));
    // Both tasks at once, and the first one again: one copy.
    let second = engine.store();
    let shard = Audience::Shard(0);
    let batch = [again(message(1))];
    tokio::join!(
        carry_out(&store, &tasks[0]),
        carry_out(&second, &rest[0]),
        deliver_to(&store, &shard, &batch)
    );
    assert_eq!(inbox(&store, 3).await.0, [1]);
    assert_eq!(inbox(&store, 4).await.0, [1]);
}

#[tokio::test]
async fn a_worker_that_dies_owing_a_copy_is_followed_by_one_that_knows() {
    let engine = group_of(&[1, 2, 3]).await;
    connect(&engine.store(), 2).await;
    let hot = engine.store_that_refuses(|statement| is_of_inbox(statement, 3));
    let failed = deliver_alone(&hot, &[message(1)]).await;
    assert_eq!((failed.done, failed.error.is_some()), (0, true));
    assert_eq!(failed.pushes.len(), 1, "what stands is pushed though the task failed");
    let store = engine.store();
    assert_eq!(inbox(&store, 2).await, (vec![1], 1));
    all_done_with_the_owed(&store, &[again(message(1))]).await;
    assert_eq!(inbox(&store, 2).await, (vec![1], 1));
    assert_eq!(inbox(&store, 3).await, (vec![1], 1));
}

/// The worker of a shard does not try again for who was owed a copy: were they to refuse once more, it would be time of the others.
#[tokio::test]
async fn who_was_owed_a_copy_is_left_to_a_task_of_their_own_again() {
    let engine = group_of(&[1, 2, 3]).await;
    let hot = engine.store_that_refuses(|statement| is_of_inbox(statement, 3));
    deliver_to(&hot, &Audience::Shard(0), &[message(1)]).await;
    let (store, calls) = engine.counting_store();
    let (delivered, tasks) = deliver_to(&store, &Audience::Shard(0), &[again(message(1))]).await;
    assert_eq!((delivered.done, owed(&tasks)), (1, vec![(Some(0), vec![3], 1)]));
    let puts = calls
        .take()
        .into_iter()
        .find(|(operation, _)| operation == "BatchExecuteStatement");
    assert_eq!(
        puts,
        Some(("BatchExecuteStatement".to_owned(), 1)),
        "the copy of the other"
    );
    assert_eq!(inbox(&store, 3).await, (vec![], 0));
}

/// Every reader of a shard gave its seq up, and the plan is an item of one partition.
#[tokio::test]
async fn the_seqs_of_a_whole_shard_are_swapped_in_one_write() {
    let members: Vec<UserId> = (1..=200).collect();
    let engine = group_of(&members).await;
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
async fn swaps_that_fail_keep_no_others_from_being_put() {
    let engine = group_of(&[1, 2, 3]).await;
    deliver_alone(&engine.store_that_dies_after(3, true), &[message(1), message(2)]).await;
    for user in [2, 3] {
        assert_eq!(inbox(&engine.store(), user).await, (vec![], 2));
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
    assert_eq!(owed(&tasks), [(Some(0), vec![2, 3], 1)]);
    for user in [2, 3] {
        assert_eq!(inbox(&engine.store(), user).await.0, [2]);
    }
    carry_out(&engine.store(), &tasks[0]).await;
    for user in [2, 3] {
        let seqs: BTreeSet<u64> = inbox(&engine.store(), user).await.0.into_iter().collect();
        assert_eq!(seqs, BTreeSet::from([1, 2]));
    }
}

/// The head of a user, with something in it that nobody can read.
fn spoil_head(engine: &Engine, user: UserId) {
    let inbox = format!("u{user}");
    let is_head = |item: &Value| item["t"]["S"] == inbox.as_str() && item["n"]["N"] == "0";
    let mut head = engine.items("timelines").into_iter().find(is_head).unwrap();
    let device = wigwag_store::DeviceKey::of(1, "of a newer version");
    head[format!("C{device}")] = json!({ "S": "short" });
    engine.put("timelines", &head);
}

#[tokio::test]
async fn a_device_that_cannot_be_read_keeps_no_message_from_anybody() {
    let engine = group_of(&[1, 2, 3]).await;
    let store = engine.store();
    for user in [2, 3] {
        connect(&store, user).await;
    }
    spoil_head(&engine, 3);
    let users = |pushes: &[Inbound]| -> Vec<UserId> { pushes.iter().map(|inbound| inbound.user).collect() };
    assert_eq!(
        users(&all_done(&store, &[message(1)]).await),
        [2, 3],
        "their other devices"
    );
    assert_eq!(inbox_seqs(&engine, 3), [1]);
    assert_eq!(users(&all_done(&store, &[again(message(1))]).await), [2, 3]);
    let span = Span {
        group: GROUP,
        shards: 0..1,
    };
    let pushes = store.announce(&span, &[message(2).logged], NOW).await.unwrap();
    assert_eq!(users(&pushes), [2, 3]);
}

/// The seqs of the entries in an inbox, as the table says.
fn inbox_seqs(engine: &Engine, user: UserId) -> Vec<u64> {
    let inbox = format!("u{user}");
    let items = engine.items("timelines");
    let entries = items
        .iter()
        .filter(|item| item["t"]["S"] == inbox.as_str() && item.get("m").is_some());
    entries
        .map(|item| item["n"]["N"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_nobody_but_its_member() {
    let engine = group_of(&[1, 2, 3]).await;
    let row = json!({
        "pk": { "S": format!("group#{GROUP}#0") },
        "sk": { "S": format!("{:016}", 1) },
        "u": { "N": "2" },
        "j": { "S": "of a newer version" },
    });
    engine.put("directory", &row);
    let store = engine.store();
    connect(&store, 3).await;
    all_done(&store, &[message(1)]).await;
    assert_eq!(inbox(&store, 3).await.0, [1]);
    let span = Span {
        group: GROUP,
        shards: 0..1,
    };
    assert_eq!(store.announce(&span, &[message(2).logged], NOW).await.unwrap().len(), 1);
}

/// An answer to a `BatchGetItem` that leaves those keys undone of which this is true.
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
async fn keys_that_an_answer_leaves_are_asked_for_again_and_one_that_stays_costs_no_other() {
    let engine = group_of(&[1, 2, 3]).await;
    for user in [2, 3] {
        connect(&engine.store(), user).await;
    }
    let span = Span {
        group: GROUP,
        shards: 0..1,
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let slow = engine.store_by(move |engine, call| {
        let is_early = call.operation == "BatchGetItem" && asked.fetch_add(1, Ordering::SeqCst) < 3;
        let reply = answer_but(engine, &call, |_| is_early);
        Box::pin(async move { Ok(reply) })
    });
    let pushes = slow.announce(&span, &[message(1).logged], NOW).await.unwrap();
    assert_eq!(pushes.len(), 2, "three answers without anything");
    let hot = engine.store_by(|engine, call| {
        let reply = answer_but(engine, &call, |key| key["t"]["S"] == "u3");
        Box::pin(async move { Ok(reply) })
    });
    let pushes = hot.announce(&span, &[message(1).logged], NOW).await.unwrap();
    assert_eq!(pushes.iter().map(|inbound| inbound.user).collect::<Vec<_>>(), [2]);
    let down = engine.store_by(|engine, call| {
        let reply = answer_but(engine, &call, |_| true);
        Box::pin(async move { Ok(reply) })
    });
    assert!(down.announce(&span, &[message(1).logged], NOW).await.is_err());
}

/// Waits as long as it is told to.
#[derive(Debug)]
struct RealTime;

impl AsyncSleep for RealTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}

/// Of its bulk requests those after so many are never answered. Answers with how many it was sent.
fn store_that_hangs_after(engine: &Engine, answered: usize) -> (Store, Arc<AtomicUsize>) {
    let (engine, sent) = (engine.clone(), Arc::new(AtomicUsize::new(0)));
    let count = sent.clone();
    let wire = Wire::new(move |call| {
        let (engine, count) = (engine.clone(), count.clone());
        Box::pin(async move {
            if call.operation == "BatchExecuteStatement" && count.fetch_add(1, Ordering::SeqCst) >= answered {
                std::future::pending::<()>().await;
            }
            Ok(engine.run(&call))
        })
    });
    (store_over(config(wire).sleep_impl(RealTime)), sent)
}

#[tokio::test]
async fn a_call_that_is_not_answered_is_cut_off_where_time_ends_and_not_tried_again() {
    let engine = group_of(&[1, 2, 3]).await;
    let (store, sent) = store_that_hangs_after(&engine, 0);
    let deadline = moment() + Duration::from_millis(1_700);
    let audience = Audience::Shard(0);
    let late = store
        .deliver(&Collected::default(), GROUP, &audience, &[message(1)], deadline, NOW)
        .await;
    assert_eq!((late.done, late.error.is_none()), (0, true));
    assert_eq!(sent.load(Ordering::SeqCst), 2, "the reservations, the plan");
    all_done(&engine.store(), &[again(message(1))]).await;
    assert_eq!(inbox(&engine.store(), 2).await.0, [1]);
}

/// Copies are put two hundred at a time: here two messages.
#[tokio::test]
async fn where_time_runs_out_midway_what_stands_is_done_and_pushed() {
    let members: Vec<UserId> = (1..=101).collect();
    let engine = group_of(&members).await;
    connect(&engine.store(), 2).await;
    let (store, _) = store_that_hangs_after(&engine, 4 + 1 + 8);
    let batch: Vec<Delivery> = (1..=5).map(message).collect();
    let deadline = moment() + Duration::from_secs(5);
    let (audience, queue) = (Audience::Shard(0), Collected::default());
    let late = store.deliver(&queue, GROUP, &audience, &batch, deadline, NOW).await;
    assert_eq!((late.done, late.error.is_none()), (2, true));
    assert_eq!(late.pushes[0].messages, [(1, 0), (2, 1)]);
    assert!(
        queue.take().is_empty(),
        "those who wait for the rest are as many as before"
    );
    let rest: Vec<Delivery> = batch[2..].iter().cloned().map(again).collect();
    all_done(&engine.store(), &rest).await;
    for user in [2, 101] {
        assert_eq!(inbox(&engine.store(), user).await.0, [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn nothing_is_begun_after_the_deadline() {
    let engine = group_of(&[1, 2]).await;
    let store = engine.store();
    let past = moment();
    let late = store
        .deliver(&OutOfReach, GROUP, &Audience::Shard(0), &[message(1)], past, NOW)
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
