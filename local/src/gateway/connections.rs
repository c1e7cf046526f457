//! The open connections: what is known about each, and the way to its socket.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use super::clock::Moment;
use crate::faults::SocketHarm;
use crate::lambda::REGION;
use crate::template::model::WebSocketApi;

/// One connection, from its handshake on.
#[derive(Debug)]
pub(super) struct Connection {
    /// The id that events and the management API use.
    pub(super) id: String,
    /// The API it belongs to.
    pub(super) api: Arc<WebSocketApi>,
    /// When the handshake came.
    pub(super) connected_at: Moment,
    /// The client's address.
    pub(super) source_ip: IpAddr,
    /// The client's `User-Agent`, if it sent one.
    pub(super) user_agent: Option<String>,
    /// What the authorizer said about the client: `principalId` and its context.
    pub(super) authorizer: Option<Map<String, Value>>,
    /// The faults that are injected into this connection.
    pub(super) harm: SocketHarm,
    /// Cancelled to close the connection from this side.
    pub(super) close: CancellationToken,
    frames: mpsc::Sender<Utf8Bytes>,
    since: Instant,
    last_active_ms: AtomicU64,
}

/// Why a frame was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotQueued {
    /// The client does not read fast enough.
    Full,
    /// The socket has gone.
    Gone,
}

/// What the handshake knows about the client.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// Its address.
    pub(super) source_ip: IpAddr,
    /// Its `User-Agent`.
    pub(super) user_agent: Option<String>,
}

impl Connection {
    /// Makes a connection, and the queue of frames to write to its socket.
    pub(super) fn new(
        id: String,
        api: Arc<WebSocketApi>,
        client: Client,
        harm: SocketHarm,
        queue: usize,
    ) -> (Self, mpsc::Receiver<Utf8Bytes>) {
        let (frames, to_write) = mpsc::channel(queue.max(1));
        let connection = Self {
            id,
            api,
            connected_at: Moment::now(),
            source_ip: client.source_ip,
            user_agent: client.user_agent,
            authorizer: None,
            harm,
            close: CancellationToken::new(),
            frames,
            since: Instant::now(),
            last_active_ms: AtomicU64::new(0),
        };
        (connection, to_write)
    }

    /// The host name of its API, as on AWS.
    pub(super) fn domain_name(&self) -> String {
        domain_name(&self.api.api_id)
    }

    /// Queues a text frame for the client.
    pub(super) fn queue(&self, frame: Utf8Bytes) -> Result<(), NotQueued> {
        self.frames.try_send(frame).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotQueued::Full,
            mpsc::error::TrySendError::Closed(_) => NotQueued::Gone,
        })
    }

    /// How long it has been open.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// The moment at which it reaches that age.
    pub(super) fn at_age(&self, age: Duration) -> Instant {
        self.since + age
    }

    /// Notes that a message went through, in either direction.
    pub(super) fn touch(&self) {
        let age_ms = u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX);
        self.last_active_ms.fetch_max(age_ms, Ordering::Relaxed);
    }

    /// The age at which the last message went through.
    pub(super) fn last_active_age(&self) -> Duration {
        Duration::from_millis(self.last_active_ms.load(Ordering::Relaxed))
    }

    /// When the last message went through.
    pub(super) fn last_active_at(&self) -> Moment {
        self.connected_at.plus(self.last_active_age())
    }
}

/// The host name of an API, as on AWS.
pub(super) fn domain_name(api_id: &str) -> String {
    format!("{api_id}.execute-api.{REGION}.amazonaws.com")
}

/// The connections that accept posts.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<HashMap<String, Arc<Connection>>>);

impl Connections {
    /// From here on, the connection accepts posts.
    pub(super) fn insert(&self, connection: &Arc<Connection>) {
        self.lock().insert(connection.id.clone(), Arc::clone(connection));
    }

    /// From here on, the connection is gone.
    pub(super) fn remove(&self, id: &str) -> Option<Arc<Connection>> {
        self.lock().remove(id)
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Connection>> {
        self.lock().get(id).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
