//! How workers deliver the messages of a group to its members.
//!
//! The groups have no item and no log here: a worker needs only the rows of its shard and its
//! tasks.

mod copies;
mod deadlines;
mod dying_workers;
mod pending_copies;
mod pushes;
mod redelivery;
mod requests;
mod swaps;
mod unreadable_rows;

use crate::engine::Engine;
use crate::harness::group::{GROUP, put_shard_row};
use crate::harness::queues::{Collected, OutOfReach};
use crate::harness::{LATER, NOW, connect, deadline, phone};
use wigwag_domain::UserId;
use wigwag_domain::task::{Audience, Logged, Task};
use wigwag_messaging::announce::ShardRange;
use wigwag_messaging::connect::ConnectionPolicy;
use wigwag_messaging::deliver::{Delivered, Delivery, MemberPush};
use wigwag_protocol::{Encoding, pb};
use wigwag_store::Store;

/// An engine with the shard rows of these members, who joined before all messages. The sender is
/// user 1.
async fn engine_with_members(members: &[UserId]) -> Engine {
    let engine = Engine::start();
    for (slot, &user) in members.iter().enumerate() {
        engine.user(user).await;
        put_shard_row(&engine, slot, user, 0, None);
    }
    engine
}

/// The first shard of the group.
fn first_shard() -> ShardRange {
    ShardRange {
        group: GROUP,
        shards: 0..1,
    }
}

/// A message of user 1, delivered for the first time.
fn message(conversation_seq: u64) -> Delivery {
    message_with(conversation_seq, &format!("message {conversation_seq}"))
}

fn message_with(conversation_seq: u64, content: &str) -> Delivery {
    let message = pb::Message {
        session_type: pb::SessionType::Group.into(),
        receiver_id: GROUP.0,
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
        skip: Some(UserId(1)),
        redelivered: false,
    }
}

/// The same delivery, handed out again.
fn again(mut delivery: Delivery) -> Delivery {
    delivery.redelivered = true;
    delivery
}

/// Delivers to the first shard. No copy may be left pending.
async fn deliver(store: &Store, batch: &[Delivery]) -> Delivered {
    let (delivered, tasks) = deliver_to(store, &Audience::Shard(0), batch).await;
    assert!(tasks.is_empty(), "{tasks:?}");
    delivered
}

/// Delivers to an audience. Returns the tasks that were enqueued as well.
async fn deliver_to(store: &Store, audience: &Audience, batch: &[Delivery]) -> (Delivered, Vec<Task>) {
    let queue = Collected::default();
    let delivered = wigwag_messaging::deliver(store, &queue, GROUP, audience, batch, deadline(), NOW).await;
    (delivered, queue.take())
}

/// Delivers to the first shard with a worker that reaches no queue any more.
async fn deliver_alone(store: &Store, batch: &[Delivery]) -> Delivered {
    let audience = Audience::Shard(0);
    wigwag_messaging::deliver(store, &OutOfReach, GROUP, &audience, batch, deadline(), NOW).await
}

/// Delivers to the first shard. Every message must be done.
async fn all_done(store: &Store, batch: &[Delivery]) -> Vec<MemberPush> {
    let delivered = deliver(store, batch).await;
    assert!(delivered.error.is_none(), "{:?}", delivered.error);
    assert_eq!(delivered.done, batch.len());
    delivered.pushes
}

/// Carries out a task of one message, as a worker does.
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

/// The pending copies that these tasks are for: the shard, the users, and the seq of the message.
fn pending(tasks: &[Task]) -> Vec<(Option<u32>, Vec<UserId>, u64)> {
    let pending = |task: &Task| match task {
        Task::Deliver {
            audience: Audience::Pending { shard, users },
            logged,
            skip: Some(UserId(1)),
            group: GROUP,
        } => (*shard, users.clone(), logged.conversation_seq()),
        other => panic!("{other:?}"),
    };
    tasks.iter().map(pending).collect()
}

/// Delivers to the first shard, and then carries out the tasks of the pending copies.
async fn all_done_with_pending(store: &Store, batch: &[Delivery]) {
    let (delivered, tasks) = deliver_to(store, &Audience::Shard(0), batch).await;
    assert_eq!(delivered.done, batch.len(), "{:?}", delivered.error);
    for task in tasks {
        let (delivered, none) = carry_out(store, &task).await;
        assert_eq!((delivered.done, none.len()), (1, 0), "{:?}", delivered.error);
    }
}

/// The conversation seqs in an inbox, and its cursor at the end. Gives up every hole on the way.
async fn inbox(store: &Store, user: UserId) -> (Vec<u64>, u64) {
    let page = wigwag_messaging::sync(store, user, 0, 100, Encoding::Protobuf, LATER)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page.cursor, page.max_seq);
    let seqs = page.messages.iter().map(|message| message.conversation_seq);
    (seqs.collect(), page.cursor)
}

/// Connects a user's phone.
async fn connect_phone(store: &Store, user: UserId) {
    connect(store, user, &phone(), &format!("c{user}="), ConnectionPolicy::Device).await;
}
