//! What Wigwag keeps in DynamoDB, and the rules under which it changes.
//!
//! Everything rests on one idea, the [`timeline`]: a head item with an atomic counter, and entries keyed by seq. A
//! conversation's log is a timeline, and so is a user's inbox. The other modules build on it:
//!
//! - [`schema`] alone names tables, keys and attributes
//! - [`timeline`]: reserve, put, seal, read
//! - [`head`]: the head of an inbox, which holds the user's devices beside the counter
//! - [`devices`]: connections come and go
//! - [`numbering`]: which message of a device is the next, and the plan of the last one
//! - [`send`]: a one-to-one message, from reservation to both inboxes
//! - [`groups`]: who is in a group, and how that changes
//! - [`fanout`]: the copies of a group's message, and who is pushed it
//! - [`rooms`]: who is in a room right now
//! - [`messages`]: pages of messages out of timelines
//! - [`directory`]: accounts, relations, login attempts, sockets signed in by frame
//!
//! Calls that are not idempotent (a reservation, a claim) run without the SDK's retries: a lost answer is the caller's
//! to judge. All others may be retried, because they are conditional on what they write.

pub mod devices;
pub mod directory;
mod error;
pub mod fanout;
pub mod groups;
pub mod head;
mod ids;
mod item;
mod items;
pub mod messages;
pub mod numbering;
#[cfg(feature = "plant")]
pub mod plant;
pub mod rooms;
pub mod schema;
pub mod send;
pub mod timeline;

pub use error::StoreError;
pub use ids::{DeviceKey, GroupId, MessageKey, Recipient, RoomId, TimelineId, UserId, group_of_request};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{AsyncSleep as _, Builder, retry::RetryConfig};
use futures_util::future::{Either, select};
use std::pin::pin;
use std::time::{Duration, Instant};

/// The tables, and the ways to talk to them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// For calls that may be repeated.
    db: Client,
    /// For calls that may not: one attempt, and the answer or its loss is reported.
    once: Client,
    timelines: String,
    directory: String,
}

/// Longest wait for one attempt of one call. With `OPERATION_TIMEOUT` it is within the functions' own timeout (5 s), so that
/// a lost answer is most often still reported.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2500);

/// Longest wait for all attempts of one call.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);

impl Store {
    /// A store on these tables, with the endpoint and credentials of `config`. A function that uses one table only may
    /// leave the other's name empty: a call to it fails with the service's own error.
    pub fn new(config: Builder, timelines: impl Into<String>, directory: impl Into<String>) -> Self {
        let config = config.timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        );
        let db = config
            .clone()
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .build();
        let once = config.retry_config(RetryConfig::disabled()).build();
        Self {
            db: Client::from_conf(db),
            once: Client::from_conf(once),
            timelines: timelines.into(),
            directory: directory.into(),
        }
    }

    /// Waits before something is tried again: as the SDK does, where it was told how.
    pub(crate) async fn pause(&self, pause: Duration) {
        match self.once.config().sleep_impl() {
            Some(sleep) => sleep.sleep(pause).await,
            None => tokio::time::sleep(pause).await,
        }
    }

    /// Awaits a call until then and no longer. One that is cut off may or may not have been done.
    pub(crate) async fn by<T>(
        &self,
        deadline: Instant,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let cut_off = || StoreError::Failed {
            operation,
            source: "there was no time left for it".into(),
        };
        let left = left(deadline);
        if left.is_zero() {
            return Err(cut_off());
        }
        match select(pin!(call), pin!(self.pause(left))).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(cut_off()),
        }
    }
}

/// How long it is until then.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline is a point of this process's own clock"
)]
pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
