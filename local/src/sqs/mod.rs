//! SQS: standard and FIFO queues in memory, kept on disk if there is a data directory.
//!
//! ```text
//! HTTP ─► operations ─► Sqs ─► AllQueues ─► QueueState   synchronous; the caller passes the time
//! mapping ─────────────► │
//!                        ├─► journal      the changes, written before the call is answered
//!                        └─► wakes receives that wait for a message
//! ```
//!
//! Only a receive waits, and it holds no lock meanwhile. How the parts work:
//! `local/docs/queues.md`.
//!
//! Invariants:
//! - A call is answered after its changes are in the journal. If they cannot be written, the call
//!   is refused and has no effect.
//! - A receive that is cancelled while it waits has taken nothing.

mod deduplication;
pub(crate) mod digest;
mod error;
mod journal;
mod journaled;
pub mod message;
mod moves;
mod operations;
mod queue;
mod queues;
mod receipt;
mod settings;
mod throughput;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::lambda::ids::request_id;
use crate::template::model;
use journal::Journal;
use journaled::JournaledQueues;

pub use deduplication::WINDOW_MS;
pub use error::{SqsError, SqsErrorCode};
pub use message::{Attribute, Attributes, Delivery, Draft, MESSAGE_LIMIT_BYTES, Message};
pub use operations::{Reply, system_attributes};
pub use queue::{Change, Counts, QueueState, Received, Sent};
pub use queues::{AllQueues, JournalEntry};
pub use receipt::Receipt;
pub use settings::{FIFO_SUFFIX, Per, QueueAttributes, Redrive, RedriveAllow, Settings};
pub use throughput::Action;

/// Most messages of a receive, and most entries of a batch.
pub const BATCH_LIMIT: usize = 10;

/// How often a rate-limited move continues.
const MOVE_EVERY: Duration = Duration::from_millis(250);

/// Returns the time in milliseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Why the queues could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqsStartError {
    /// The file of the queues cannot be read or rewritten.
    #[error("cannot use {path}")]
    Journal {
        /// Path of the file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A queue of the template cannot be created.
    #[error("{queue}: {source}")]
    Queue {
        /// Logical id of the queue.
        queue: String,
        /// The cause.
        #[source]
        source: SqsError,
    },
}

/// Options of a receive.
#[derive(Debug, Clone, Copy, Default)]
pub struct Receive {
    /// Most messages to return.
    pub max: usize,
    /// How long the messages stay hidden, in seconds; the queue's own timeout if `None`.
    pub visibility_s: Option<u32>,
    /// How long to wait for the first message; the queue's own wait if `None`.
    pub wait: Option<Duration>,
}

/// The queues of a stack. Cheap to clone.
#[derive(Clone)]
pub struct Sqs {
    shared: Arc<SqsInner>,
}

struct SqsInner {
    state: Mutex<JournaledQueues>,
    clock: Clock,
    /// `http://127.0.0.1:PORT`.
    endpoint_url: String,
}

impl fmt::Debug for Sqs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sqs")
            .field("endpoint_url", &self.shared.endpoint_url)
            .finish_non_exhaustive()
    }
}

impl Sqs {
    /// Restores the queues from `file` if it exists, and creates those of the template.
    ///
    /// # Errors
    /// If the file cannot be read or written, or a queue cannot have the template's attributes.
    pub fn start(
        file: Option<&Path>,
        declared: &[model::Queue],
        region: &str,
        endpoint_url: &str,
        clock: Clock,
    ) -> Result<Self, SqsStartError> {
        let mut queues = AllQueues::new(region, request_id);
        let now_ms = clock();
        let journal_error = |source| SqsStartError::Journal {
            path: file.map(|file| file.display().to_string()).unwrap_or_default(),
            source,
        };
        let mut journal = file
            .map(|file| Journal::open(file, &mut queues))
            .transpose()
            .map_err(journal_error)?;
        for queue in declared {
            let made = queues.declare(&queue.name, &queue.attributes, now_ms);
            made.map_err(|source| SqsStartError::Queue {
                queue: queue.logical_id.clone(),
                source,
            })?;
        }
        let is_moving = queues.advance_moves(now_ms);
        let changes = queues.take_changes();
        if let Some(journal) = &mut journal {
            journal.append(&changes, &queues).map_err(journal_error)?;
        }
        let state = JournaledQueues {
            queues,
            journal,
            waiting: BTreeMap::new(),
        };
        let sqs = Self {
            shared: Arc::new(SqsInner {
                state: Mutex::new(state),
                clock,
                endpoint_url: endpoint_url.to_owned(),
            }),
        };
        if is_moving {
            sqs.keep_moving();
        }
        Ok(sqs)
    }

    /// Receives up to `max` messages; waits for the first one.
    ///
    /// # Errors
    /// If there is no such queue, or too many of its messages are in flight.
    pub async fn receive(&self, queue: &str, receive: Receive) -> Result<Vec<Message>, SqsError> {
        let wait = match receive.wait {
            Some(wait) => wait,
            None => self.with(|queues, _| {
                let seconds = queues.queue(queue)?.settings().receive_wait_s;
                Ok(Duration::from_secs(seconds.into()))
            })?,
        };
        let received = self.poll(queue, wait, |queues, now_ms| {
            let messages = match queues.receive(queue, receive.max, receive.visibility_s, now_ms) {
                // Long polling: "returns no error messages", but waits until there is room again.
                // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
                Err(error) if error.code == SqsErrorCode::OverLimit && !wait.is_zero() => Vec::new(),
                received => received?,
            };
            Ok(Some(messages).filter(|messages| !messages.is_empty()))
        });
        Ok(received.await?.unwrap_or_default())
    }

    /// Waits until a receive would find a message, for at most `wait`. Takes nothing.
    ///
    /// # Errors
    /// If there is no such queue.
    pub(crate) async fn has_next(&self, queue: &str, wait: Duration) -> Result<bool, SqsError> {
        let found = self.poll(queue, wait, |queues, now_ms| {
            Ok(queues.has_next(queue, now_ms)?.then_some(()))
        });
        Ok(found.await?.is_some())
    }

    /// Calls `look` on each change of the queue until it finds something, for at most `wait`.
    async fn poll<T>(
        &self,
        queue: &str,
        wait: Duration,
        mut look: impl FnMut(&mut AllQueues, u64) -> Result<Option<T>, SqsError>,
    ) -> Result<Option<T>, SqsError> {
        let until = Instant::now() + wait;
        let activity = self.activity(queue);
        loop {
            let is_last = Instant::now() >= until;
            let mut woken = pin!(activity.notified());
            woken.as_mut().enable();
            let (found, visible_in) = self.with(|queues, now_ms| {
                let found = look(queues, now_ms)?;
                if found.is_some() {
                    return Ok((found, None));
                }
                let next_ms = queues.queue(queue)?.next_visible_ms(now_ms);
                Ok((None, next_ms.map(|next_ms| Duration::from_millis(next_ms - now_ms))))
            })?;
            if is_last || found.is_some() {
                return Ok(found);
            }
            let wake_at = visible_in.map_or(until, |visible_in| until.min(Instant::now() + visible_in));
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
        }
    }

    /// Deletes messages; returns the errors of those that could not be deleted.
    pub fn delete<'a>(&self, queue: &str, handles: impl IntoIterator<Item = &'a str>) -> Vec<SqsError> {
        let deleted = self.with(|queues, now_ms| {
            let errors = handles
                .into_iter()
                .filter_map(|handle| queues.delete(queue, handle, now_ms).err());
            Ok(errors.collect())
        });
        deleted.unwrap_or_else(|error| vec![error])
    }

    /// Makes messages visible again.
    pub(crate) fn release(&self, queue: &str, handles: &[String]) {
        self.give_back(handles, |queues, handle, now_ms| {
            queues.change_visibility(queue, handle, 0, now_ms)
        });
    }

    /// Puts back messages that nobody has seen, as if they had not been received.
    pub(crate) fn put_back(&self, queue: &str, messages: &[Message]) {
        self.give_back(messages, |queues, message, now_ms| {
            queues.put_back(queue, message, now_ms)
        });
    }

    /// Calls `act` for each item; one failure does not stop the others.
    fn give_back<T>(&self, items: &[T], mut act: impl FnMut(&mut AllQueues, &T, u64) -> Result<(), SqsError>) {
        let done = self.with(|queues, now_ms| {
            for item in items {
                if let Err(error) = act(queues, item, now_ms) {
                    tracing::debug!(%error, "a message stays hidden until its timeout");
                }
            }
            Ok(())
        });
        if let Err(error) = done {
            tracing::debug!(%error, "messages stay hidden until their timeout");
        }
    }

    /// The receipt handle that the receiver of this message got.
    pub fn handle(&self, queue: &str, message: &Message) -> String {
        receipt::encode(queue, message)
    }

    /// Counts the messages of the queue.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn counts(&self, queue: &str) -> Result<Counts, SqsError> {
        self.with(|queues, now_ms| Ok(queues.queue_mut(queue)?.counts(now_ms)))
    }

    /// Whether the queue exists and is FIFO.
    pub fn is_fifo(&self, queue: &str) -> bool {
        self.with(|queues, _| Ok(queues.queue(queue)?.settings().is_fifo))
            .unwrap_or_default()
    }

    /// Continues the move tasks until none is running.
    fn keep_moving(&self) {
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            while let Some(shared) = shared.upgrade() {
                let sqs = Self { shared };
                // A change that could not be written is tried again.
                if !sqs
                    .with(|queues, now_ms| Ok(queues.advance_moves(now_ms)))
                    .unwrap_or(true)
                {
                    return;
                }
                drop(sqs);
                tokio::time::sleep(MOVE_EVERY).await;
            }
        });
    }

    /// Runs `act` on the queues, writes its changes to the journal and wakes waiting receives.
    fn with<T>(&self, act: impl FnOnce(&mut AllQueues, u64) -> Result<T, SqsError>) -> Result<T, SqsError> {
        let mut state = self.state();
        state.mend()?;
        let result = act(&mut state.queues, (self.shared.clock)());
        let entries = state.queues.take_changes();
        if entries.is_empty() {
            return result;
        }
        state.record(&entries)?;
        state.wake(&entries);
        result
    }

    fn activity(&self, queue: &str) -> Arc<Notify> {
        Arc::clone(self.state().waiting.entry(queue.to_owned()).or_default())
    }

    /// A panic in the middle of a call leaves the queues after some prefix of its changes, which is
    /// a valid state.
    fn state(&self) -> MutexGuard<'_, JournaledQueues> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
