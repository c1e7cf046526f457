//! Pushing frames to devices through the API Gateway management API.
//!
//! A push is an attempt, never a promise: what does not arrive is found by the device's next sync. So a failure costs the
//! sender nothing but a log line, and the time that all pushes may take is bounded. The SDK's own retries are off: its backoff on
//! 429 would hold the function for seconds.

mod lot;

pub use lot::Content;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use futures_util::{StreamExt as _, stream};
use lot::{Lot, share};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wigwag_protocol::{Encoding, OutputFrame};
use wigwag_store::devices::Disconnected;
use wigwag_store::head::{Connection, Head};
use wigwag_store::{DeviceKey, RoomId, Store, StoreError, UserId};

/// Posts that run at once.
const CONCURRENCY: usize = 32;

/// Longest wait for one post. One that takes longer is one that its device will not get.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits after the first and the second 429; after a third the push is given up.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// A connection younger than this may still be opening: API Gateway gives `$connect` and the authorizer 29 s each.
const HANDSHAKE_MS: i64 = 60_000;

/// How a post ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// API Gateway took it. That says nothing about the device.
    Accepted,
    /// There is no such connection any more.
    Gone,
    /// It failed otherwise.
    Failed,
}

/// What a device is to be pushed.
#[derive(Debug, Clone)]
pub struct Push {
    /// Which one.
    pub target: Target,
    /// What, in order.
    pub contents: Vec<Content>,
}

/// A device to push to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whose it is.
    pub user: UserId,
    /// Which one it is.
    pub device: DeviceKey,
    /// Where it is.
    pub connection: Connection,
    /// The room that it was found in, where it was found in one.
    pub room: Option<RoomId>,
}

impl Target {
    /// The devices of a head that can be pushed to.
    pub fn all(user: UserId, head: &Head, now_ms: i64) -> impl Iterator<Item = Self> {
        head.connections(now_ms).map(move |(device, connection)| Self {
            user,
            device: device.clone(),
            connection: connection.clone(),
            room: None,
        })
    }

    /// How frames to it are written.
    pub fn encoding(&self) -> Encoding {
        if self.connection.protobuf {
            Encoding::Protobuf
        } else {
            Encoding::Json
        }
    }
}

/// The way to devices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pusher {
    client: Client,
}

impl Pusher {
    /// A pusher with the endpoint and credentials of `config`.
    pub fn new(config: Builder) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let config = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        Self {
            client: Client::from_conf(config.build()),
        }
    }

    /// Pushes to each target what belongs to it, in as few frames as that takes, one after the other. What has not been taken by
    /// `deadline` is left. A connection that is gone leaves its user's head, if it is still the one there. A young one stays: API
    /// Gateway answers 410 also before `$connect` has returned.
    pub async fn push(&self, store: &Store, pushes: Vec<Push>, deadline: Instant, now_ms: i64) {
        let left = AtomicUsize::new(pushes.len());
        let all = stream::iter(share(pushes)).for_each_concurrent(CONCURRENCY, async |(target, lot)| {
            self.push_lot(store, &target, &lot, now_ms).await;
            left.fetch_sub(1, Ordering::Relaxed);
        });
        if tokio::time::timeout_at(deadline.into(), all).await.is_err() {
            let devices = left.into_inner();
            tracing::warn!(devices, "some devices could not be pushed to in time; they will sync");
        }
    }

    /// A frame that fails ends it: what follows would show the device a gap, and it will sync anyway.
    async fn push_lot(&self, store: &Store, target: &Target, lot: &Lot, now_ms: i64) {
        for frame in lot.frames(target.encoding()) {
            match self.post(&target.connection.id, frame.clone()).await {
                Delivery::Accepted => {}
                Delivery::Gone if now_ms - target.connection.connected_at_ms > HANDSHAKE_MS => {
                    return self.forget(store, target).await;
                }
                Delivery::Gone | Delivery::Failed => return,
            }
        }
    }

    /// Removes a connection that is gone from the head and from the room that it was found in.
    async fn forget(&self, store: &Store, target: &Target) {
        if let Err(error) = Self::try_forget(store, target).await {
            tracing::warn!(connection.id = target.connection.id, %error, "could not remove a connection that is gone");
        }
    }

    async fn try_forget(store: &Store, target: &Target) -> Result<(), StoreError> {
        let Connection {
            id, connected_at_ms, ..
        } = &target.connection;
        let disconnected = store
            .disconnect(target.user, &target.device, *connected_at_ms, id)
            .await?;
        // The head may say nothing of the room: another connection stands there, or its row was left behind.
        match (disconnected, target.room) {
            (Disconnected::Yes { room: Some(left) }, Some(found)) if left == found => Ok(()),
            (_, Some(found)) => store.forget_occupant(found, id).await,
            (_, None) => Ok(()),
        }
    }

    /// Posts a frame to a connection.
    async fn post(&self, connection_id: &str, frame: Blob) -> Delivery {
        for wait in BACKOFF.into_iter().map(Some).chain([None]) {
            let sent = self
                .client
                .post_to_connection()
                .connection_id(connection_id)
                .data(frame.clone())
                .send()
                .await;
            let Err(error) = sent else { return Delivery::Accepted };
            match (status(&error), wait) {
                (Some(410), _) => return Delivery::Gone,
                (Some(429), Some(wait)) => tokio::time::sleep(wait).await,
                (status, _) => {
                    tracing::warn!(connection.id = connection_id, status, error = %error, "a push failed; the device will sync");
                    return Delivery::Failed;
                }
            }
        }
        Delivery::Failed
    }

    /// Closes connections after telling each of them why.
    pub async fn close(&self, connections: Vec<Connection>, reason: &OutputFrame) {
        stream::iter(connections)
            .for_each_concurrent(CONCURRENCY, async |connection| {
                let encoding = if connection.protobuf { Encoding::Protobuf } else { Encoding::Json };
                let frame = OutputFrame::encode_batch(std::slice::from_ref(reason), encoding);
                if self.post(&connection.id, Blob::new(frame)).await == Delivery::Gone {
                    return;
                }
                if let Err(error) = self.client.delete_connection().connection_id(&connection.id).send().await
                    && status(&error) != Some(410)
                {
                    tracing::warn!(connection.id = connection.id, %error, "could not close a connection that was replaced");
                }
            })
            .await;
    }
}

/// HTTP status of a failed call. By status, not by error type: a 410 may come without the header that names the type.
fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
