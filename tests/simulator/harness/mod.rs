//! The set-up that tests share: moments, devices, drafts, queues, groups.

pub(crate) mod group;
pub(crate) mod queues;

use crate::engine::Engine;
use std::time::{Duration, Instant};
use wigwag_domain::connection::Connection;
use wigwag_domain::head::InboxHead;
use wigwag_domain::outgoing::Draft;
use wigwag_domain::page::Range;
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::timeline::{Content, Entry};
use wigwag_domain::{DeviceKey, MessageKey, UserId};
use wigwag_messaging::SendError;
use wigwag_messaging::connect::{Connected, ConnectionPolicy};
use wigwag_messaging::send_to_peer::SentToPeer;
use wigwag_protocol::pb::Message;
use wigwag_store::{Store, inboxes};

/// The time of most calls, in milliseconds. No lease has ended by then.
pub(crate) const NOW: i64 = 1_800_000_000_000;

/// A time when a change that began at [`NOW`] counts as abandoned. It is before [`LATER`].
pub(crate) const ABANDONED: i64 = NOW + 30_000;

/// A time when every lease that began at [`NOW`] has ended.
pub(crate) const LATER: i64 = NOW + 60_000;

/// The first thousand entries of a timeline.
pub(crate) const WHOLE_TIMELINE: Range = Range {
    after: 0,
    through: None,
    limit: 1000,
};

/// The present moment of this process's clock.
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// A deadline that no test reaches.
pub(crate) fn deadline() -> Instant {
    moment() + Duration::from_hours(1)
}

/// Runs a future to its end, outside of any schedule.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// Lets all other tasks run until each of them waits.
pub(crate) async fn let_others_run() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// The device that most tests use.
pub(crate) fn phone() -> DeviceKey {
    DeviceKey::derive(1, "phone")
}

/// A message of user 1's phone.
pub(crate) fn draft(client_id: u64, content: &str) -> Draft {
    let key = MessageKey {
        sender: UserId(1),
        device: phone(),
        session: 10,
        client_id,
    };
    Draft {
        key,
        message_type: 1,
        content: content.as_bytes().to_vec(),
    }
}

/// Sends a message to user 2.
pub(crate) async fn send(store: &Store, draft: &Draft) -> Result<SentToPeer, SendError> {
    wigwag_messaging::send_to_peer(store, draft, UserId(2), MessagesFrom::Anyone, NOW).await
}

/// Users by their numbers.
pub(crate) fn ids(users: impl IntoIterator<Item = u64>) -> Vec<UserId> {
    users.into_iter().map(UserId).collect()
}

/// An engine with the accounts of users 1 to `users`.
pub(crate) async fn engine_with_users(users: u64) -> Engine {
    let engine = Engine::start();
    for user in 1..=users {
        engine.user(UserId(user)).await;
    }
    engine
}

/// A connection that was made at [`NOW`].
pub(crate) fn connection(id: &str) -> Connection {
    Connection {
        id: id.to_owned(),
        platform: 1,
        protobuf: true,
        connected_at_ms: NOW,
    }
}

/// Connects a device.
pub(crate) async fn connect(store: &Store, user: UserId, device: &DeviceKey, id: &str, policy: ConnectionPolicy) {
    let connected = wigwag_messaging::connect(store, user, device, &connection(id), policy, NOW)
        .await
        .unwrap();
    assert!(matches!(connected, Connected::Yes { .. }), "{connected:?}");
}

/// The head of a user's inbox.
pub(crate) async fn inbox_head(store: &Store, user: UserId) -> InboxHead {
    inboxes::head(store, user, true).await.unwrap().unwrap()
}

/// The message in an entry of a log.
pub(crate) fn logged_message(entry: &Entry) -> Message {
    match &entry.content {
        Content::Inline(bytes) => prost::Message::decode(bytes.as_slice()).unwrap(),
        content @ Content::Reference { .. } => panic!("an entry of a log refers to {content:?}"),
    }
}
