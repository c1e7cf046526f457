//! DynamoDB, and nothing else: which items there are, and the one way to read and write each of
//! them.
//!
//! - [`schema`] alone spells keys, and the attributes that expressions name
//! - [`timelines`]: reserve, put, seal, read
//! - [`inboxes`]: the heads of inboxes: claims, connections, positions
//! - [`group_logs`]: the heads of groups' logs: their settings, and reserving in them
//! - [`groups`]: the group's record, the rows of its members, lists
//! - [`delivery_plans`]: which seq each copy of a message takes
//! - [`directory`]: accounts, relations, log-in attempts, connections that signed in by frame
//! - [`rooms`]: who is in a room right now
//! - [`batch`]: many writes in one request
//!
//! Calls that are not idempotent (a reservation, a claim) run without the SDK's retries: the caller
//! decides what a lost answer means. All others may be retried, because they are conditional on
//! what they write.

pub mod batch;
pub mod delivery_plans;
pub mod directory;
mod error;
pub mod group_logs;
pub mod groups;
pub mod inboxes;
mod item;
mod read_many;
pub mod rooms;
pub mod schema;
pub mod timelines;
mod user_rows;

pub use error::StoreError;
pub use item::corrupt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{AsyncSleep as _, Builder, retry::RetryConfig};
use futures_util::future::{Either, select};
use std::pin::pin;
use std::time::{Duration, Instant};

/// The tables, and the clients that call them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// For calls that may be repeated.
    db: Client,
    /// For calls that may not be repeated: one attempt, and its answer or its loss is reported.
    once: Client,
    timelines: String,
    directory: String,
}

/// Longest wait for one attempt of one call. With `OPERATION_TIMEOUT` it is within the timeout of
/// the functions (5 s), so that a lost answer is usually still reported.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2500);

/// Longest wait for all attempts of one call.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);

impl Store {
    /// A store on these tables, with the endpoint and credentials of `config`. A function that uses
    /// one table only may leave the other's name empty: a call to that one fails with the service's
    /// own error.
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

    /// Waits before a repeat, with the sleep of the SDK if it was given one.
    pub(crate) async fn pause(&self, pause: Duration) {
        match self.once.config().sleep_impl() {
            Some(sleep) => sleep.sleep(pause).await,
            None => tokio::time::sleep(pause).await,
        }
    }

    /// Awaits a call until the deadline. A call that is cut off may or may not have been done.
    pub async fn by<T>(
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

/// The time that is left until a deadline.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline is a point of this process's own clock"
)]
pub fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
