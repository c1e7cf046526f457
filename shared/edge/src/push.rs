//! Pushing frames to devices through the API Gateway management API.
//!
//! A push is an attempt, not a promise: the device's next sync finds what did not arrive. So a
//! failure costs the sender nothing but a log line, and the time for all pushes is bounded. The
//! SDK's own retries are off: its backoff on 429 would hold the function for seconds.

mod batch;

pub use batch::Content;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use batch::{PushBatch, share};
use futures_util::{StreamExt as _, stream};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wigwag_domain::connection::Connection;
use wigwag_domain::head::InboxHead;
use wigwag_domain::{DeviceKey, RoomId, UserId};
use wigwag_messaging::disconnect::Disconnected;
use wigwag_protocol::{Encoding, OutputFrame};
use wigwag_store::{Store, StoreError, rooms};

/// Devices that are pushed to at once, besides slow ones.
const CONCURRENCY: usize = 64;

/// After this long a device counts as slow, and the next one has its turn.
const SLOW: Duration = Duration::from_millis(250);

/// Devices that are pushed to at once, with the slow ones. Each holds a socket.
const AT_ONCE: usize = 256;

/// Longest wait for one post. A post that takes longer will not arrive.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits after the first and the second 429; after a third the push is given up.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// A connection younger than this may still be opening: API Gateway gives `$connect` and the
/// authorizer 29 s each.
const HANDSHAKE_MS: i64 = 60_000;

/// How a post ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PostResult {
    /// API Gateway took it. That says nothing about the device.
    Accepted,
    /// There is no such connection any more.
    Gone,
    /// It failed otherwise.
    Failed,
}

/// A push to a device.
#[derive(Debug, Clone)]
pub struct Push {
    /// The device.
    pub target: Target,
    /// The contents, in order.
    pub contents: Vec<Content>,
}

/// A device to push to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its user.
    pub user: UserId,
    /// Its key.
    pub device: DeviceKey,
    /// Its connection.
    pub connection: Connection,
    /// The room that it was found in, if it was found in one.
    pub room: Option<RoomId>,
}

impl Target {
    /// The devices of a head that can be pushed to.
    pub fn all(user: UserId, head: &InboxHead, now_ms: i64) -> impl Iterator<Item = Self> {
        head.connections(now_ms).map(move |(device, connection)| Self {
            user,
            device: device.clone(),
            connection: connection.clone(),
            room: None,
        })
    }

    /// The encoding of frames to it.
    pub fn encoding(&self) -> Encoding {
        if self.connection.protobuf {
            Encoding::Protobuf
        } else {
            Encoding::Json
        }
    }
}

/// Pushes to devices. Cheap to clone.
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

    /// Pushes to each target its contents, in as few frames as possible, one after the other. A
    /// slow target keeps no other waiting. At `deadline` the rest is left. A connection that is
    /// gone is removed from its user's head if it is still there. A young one stays, because API
    /// Gateway also answers 410 before `$connect` has returned.
    pub async fn push(&self, store: &Store, pushes: Vec<Push>, deadline: Instant, now_ms: i64) {
        let left = AtomicUsize::new(pushes.len());
        let slots = Semaphore::new(CONCURRENCY);
        let all = stream::iter(share(pushes)).for_each_concurrent(AT_ONCE, async |(target, batch)| {
            let slot = slots.acquire().await;
            let mut push = pin!(self.push_batch(store, &target, &batch, now_ms));
            if tokio::time::timeout(SLOW, push.as_mut()).await.is_err() {
                drop(slot);
                push.await;
            }
            left.fetch_sub(1, Ordering::Relaxed);
        });
        if tokio::time::timeout_at(deadline.into(), all).await.is_err() {
            let devices = left.into_inner();
            tracing::warn!(devices, "some devices could not be pushed to in time; they will sync");
        }
    }

    /// A frame that fails ends the push: later ones would show the device a gap, and it will sync
    /// anyway.
    async fn push_batch(&self, store: &Store, target: &Target, batch: &PushBatch, now_ms: i64) {
        for frame in batch.frames(target.encoding()) {
            match self.post(&target.connection.id, frame.clone()).await {
                PostResult::Accepted => {}
                PostResult::Gone if now_ms - target.connection.connected_at_ms > HANDSHAKE_MS => {
                    return self.forget(store, target).await;
                }
                PostResult::Gone | PostResult::Failed => return,
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
        let disconnected =
            wigwag_messaging::disconnect(store, target.user, &target.device, *connected_at_ms, id).await?;
        // The head may not name the room: it has another connection, or the row was left behind.
        match (disconnected, target.room) {
            (Disconnected::Yes { room: Some(left) }, Some(found)) if left == found => Ok(()),
            (_, Some(found)) => rooms::forget_occupant(store, found, id).await,
            (_, None) => Ok(()),
        }
    }

    /// Posts a frame to a connection.
    async fn post(&self, connection_id: &str, frame: Blob) -> PostResult {
        for wait in BACKOFF.into_iter().map(Some).chain([None]) {
            let sent = self
                .client
                .post_to_connection()
                .connection_id(connection_id)
                .data(frame.clone())
                .send()
                .await;
            let Err(error) = sent else { return PostResult::Accepted };
            match (status(&error), wait) {
                (Some(410), _) => return PostResult::Gone,
                (Some(429), Some(wait)) => tokio::time::sleep(wait).await,
                (status, _) => {
                    tracing::warn!(connection.id = connection_id, status, error = %error, "a push failed; the device will sync");
                    return PostResult::Failed;
                }
            }
        }
        PostResult::Failed
    }

    /// Closes connections after telling each of them why.
    pub async fn close(&self, connections: Vec<Connection>, reason: &OutputFrame) {
        stream::iter(connections)
            .for_each_concurrent(CONCURRENCY, async |connection| {
                let encoding = if connection.protobuf { Encoding::Protobuf } else { Encoding::Json };
                let frame = OutputFrame::encode_batch(std::slice::from_ref(reason), encoding);
                if self.post(&connection.id, Blob::new(frame)).await == PostResult::Gone {
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

/// HTTP status of a failed call. The status counts, not the type: a 410 may come without the header
/// that names the type.
fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_apigatewaymanagement::config::{
        BehaviorVersion, Credentials, HttpClient, Region, RuntimeComponents, SharedCredentialsProvider,
    };
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use std::sync::{Arc, Mutex};
    use wigwag_protocol::pb::Message;

    const NOW: i64 = 1_800_000_000_000;

    /// The time that a frame takes to a device that answers.
    const BRINGING: Duration = Duration::from_millis(10);

    /// API Gateway. A post to a connection whose name begins with `h` hangs.
    #[derive(Debug, Clone, Default)]
    struct Gateway(Arc<Mutex<Posts>>);

    #[derive(Debug, Default)]
    struct Posts {
        begun: usize,
        open: usize,
        /// The most that were open at once.
        most: usize,
        taken: Vec<String>,
    }

    /// A post that has begun and not ended.
    struct Open(Gateway);

    impl Open {
        fn new(gateway: &Gateway) -> Self {
            let mut posts = gateway.0.lock().unwrap();
            posts.begun += 1;
            posts.open += 1;
            posts.most = posts.most.max(posts.open);
            Self(gateway.clone())
        }
    }

    impl Drop for Open {
        fn drop(&mut self) {
            self.0.0.lock().unwrap().open -= 1;
        }
    }

    impl HttpConnector for Gateway {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let gateway = self.clone();
            let id = request.uri().rsplit('/').next().unwrap().to_owned();
            HttpConnectorFuture::new(async move {
                let _open = Open::new(&gateway);
                if id.starts_with('h') {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(BRINGING).await;
                gateway.0.lock().unwrap().taken.push(id);
                Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::empty()))
            })
        }
    }

    impl HttpClient for Gateway {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    /// A device for each of these connections, each with a message of its own.
    fn pushes(ids: impl IntoIterator<Item = String>) -> Vec<Push> {
        let push = |(user, id): (u64, String)| Push {
            target: Target {
                user: UserId(user),
                device: DeviceKey::derive(1, &id),
                connection: Connection {
                    id,
                    platform: 1,
                    protobuf: false,
                    connected_at_ms: NOW,
                },
                room: None,
            },
            contents: vec![Content::Message {
                seq: user,
                message: Arc::new(Message::default()),
            }],
        };
        (1..).zip(ids).map(push).collect()
    }

    /// Pushes for at most this long, and answers with what happened.
    async fn pushed(ids: impl IntoIterator<Item = String>, time: Duration) -> Posts {
        let gateway = Gateway::default();
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let config = aws_sdk_apigatewaymanagement::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://gateway")
            .http_client(gateway.clone());
        let pusher = Pusher::new(config);
        // No connection is gone here, so the tables are not called.
        let tables = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
        let store = Store::new(tables, "timelines", "directory");
        let deadline = tokio::time::Instant::now() + time;
        pusher.push(&store, pushes(ids), deadline.into_std(), NOW).await;
        std::mem::take(&mut *gateway.0.lock().unwrap())
    }

    fn hung(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|n| format!("h{n}"))
    }

    fn well(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|n| format!("w{n}"))
    }

    /// The clock of these tests is paused: it jumps to the next timer when all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn devices_that_hang_do_not_delay_others() {
        let posts = pushed(hung(140).chain(well(1)), Duration::from_millis(1_200)).await;
        assert_eq!(posts.taken, ["w0"]);
        assert_eq!(posts.begun, 141);
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_posts_at_once_is_bounded() {
        let posts = pushed(well(500), Duration::from_mins(1)).await;
        assert_eq!((posts.taken.len(), posts.most), (500, CONCURRENCY));
        let posts = pushed(hung(500).chain(well(1)), Duration::from_mins(1)).await;
        assert_eq!((posts.taken.len(), posts.most), (1, AT_ONCE));
    }

    #[tokio::test(start_paused = true)]
    async fn pushes_after_the_deadline_are_left_out() {
        let before = tokio::time::Instant::now();
        let posts = pushed(hung(1_000), Duration::from_millis(1_200)).await;
        assert_eq!(before.elapsed(), Duration::from_millis(1_200));
        assert_eq!((posts.taken.len(), posts.open), (0, 0));
    }
}
