//! One queue: a state machine without a clock and without I/O. The caller passes the time.
//!
//! ```text
//! send ─► delayed ─► visible ─► in flight ─► deleted
//!                       ▲           │
//!                       └───────────┘ visibility timeout; or moved to the dead-letter queue
//! ```
//!
//! The state changes only by [`Change`]s. They are kept until [`QueueState::take_changes`], and
//! [`QueueState::apply`] replays them. The invariants of a queue are in `local/docs/queues.md`.
//!
//! A receive scans the queue from its front. That is fast enough for some ten thousand messages.

mod changes;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::deduplication::{Sighting, Window};
use super::error::{SqsError, SqsErrorCode};
use super::message::{Delivery, Draft, Message, sequence_number};
use super::receipt::Receipt;
use super::settings::{Per, Settings};

pub use changes::Change;

/// Longest time that a receive can hide a message, in seconds.
pub(super) const VISIBILITY_LIMIT_S: u32 = 43_200;

/// Most messages of a queue that can be in flight. A receive of a FIFO queue also looks at no more
/// than this many messages from the front to find a free group.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/avoid-backlog-with-the-same-message-group-id.html>
const IN_FLIGHT_LIMIT: usize = 120_000;

/// How long after a purge another purge is refused, in milliseconds.
const PURGE_PAUSE_MS: u64 = 60_000;

/// The answer to a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// `MessageId`.
    pub id: String,
    /// `SequenceNumber`; only of FIFO queues.
    pub sequence_number: Option<String>,
}

/// The result of a receive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Messages to deliver.
    pub messages: Vec<Message>,
    /// Messages that were received too often. They are removed from this queue and belong in the
    /// dead-letter queue.
    pub given_up: Vec<Message>,
}

/// Numbers of messages in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// `ApproximateNumberOfMessages`: can be received.
    pub visible: usize,
    /// `ApproximateNumberOfMessagesNotVisible`: in flight.
    pub in_flight: usize,
    /// `ApproximateNumberOfMessagesDelayed`: cannot be received yet.
    pub delayed: usize,
}

/// The state of a queue.
#[derive(Debug, Clone)]
pub struct QueueState {
    settings: Settings,
    messages: BTreeMap<u64, Message>,
    /// Send time and position of each message.
    by_age: BTreeSet<(u64, u64)>,
    /// Positions of messages that were received. Some may be visible again.
    received: BTreeSet<u64>,
    window: Window,
    next_position: u64,
    purged_ms: Option<u64>,
    changes: Vec<Change>,
}

impl QueueState {
    /// Creates an empty queue.
    pub fn new(settings: Settings) -> Self {
        Self {
            changes: vec![Change::Set(Box::new(settings.clone()))],
            settings,
            messages: BTreeMap::new(),
            by_age: BTreeSet::new(),
            received: BTreeSet::new(),
            window: Window::default(),
            next_position: 1,
            purged_ms: None,
        }
    }

    /// The queue's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replaces the settings.
    pub fn set(&mut self, settings: Settings) {
        self.commit(Change::Set(Box::new(settings)));
    }

    /// Adds a message with this id. If it was sent before, returns the answer to the first send.
    ///
    /// # Errors
    /// If the queue does not accept the message.
    pub fn send(&mut self, draft: Draft, id: String, now_ms: u64) -> Result<Sent, SqsError> {
        self.expire(now_ms);
        draft.check(self.settings.maximum_bytes)?;
        let deduplication_id = self.deduplication_id(&draft)?;
        if let Some(deduplication_id) = &deduplication_id {
            let group = draft
                .group
                .clone()
                .filter(|_| self.settings.deduplication_scope == Per::Group);
            let key = (group, deduplication_id.clone());
            if let Some(first) = self.window.find(&key, now_ms) {
                return Ok(self.sent(first.id.clone(), first.position));
            }
            let sighting = Sighting {
                key,
                sent_ms: now_ms,
                id: id.clone(),
                position: self.next_position,
            };
            self.commit(Change::Seen(sighting));
        }
        let delay_s = draft.delay_s.unwrap_or(self.settings.delay_s);
        let position = self.next_position;
        self.commit(Change::Added(Box::new(Message {
            id: id.clone(),
            position,
            body: draft.body,
            attributes: draft.attributes,
            trace_header: draft.trace_header,
            sender: draft.sender,
            group: draft.group,
            deduplication_id,
            sent_ms: now_ms,
            source_arn: None,
            delivery: Delivery {
                available_ms: now_ms + seconds(delay_s),
                ..Delivery::default()
            },
        })));
        Ok(self.sent(id, position))
    }

    /// Adds a message of another queue to the end of this one, as a message that was never
    /// received.
    pub fn adopt(&mut self, message: Message, now_ms: u64) {
        self.commit(Change::Added(Box::new(Message {
            position: self.next_position,
            delivery: Delivery {
                available_ms: now_ms,
                ..Delivery::default()
            },
            ..message
        })));
    }

    /// Receives up to `max` messages and hides them for this long. If the queue has a dead-letter
    /// queue, messages that were received as often as the redrive policy allows are removed
    /// instead.
    ///
    /// # Errors
    /// If too many messages of a standard queue are in flight.
    /// If too many messages of a standard queue are in flight.
    pub fn receive(
        &mut self,
        max: usize,
        visibility_s: u32,
        has_dead_letter_queue: bool,
        now_ms: u64,
    ) -> Result<Received, SqsError> {
        self.expire(now_ms);
        let in_flight = self.in_flight(now_ms).count();
        if in_flight >= IN_FLIGHT_LIMIT && !self.settings.is_fifo {
            let message = format!("Too many messages in flight: the limit is {IN_FLIGHT_LIMIT}.");
            return Err(SqsError::new(SqsErrorCode::OverLimit, message));
        }
        let limit = self.redrive_limit().filter(|_| has_dead_letter_queue);
        let (delivered, given_up) = self.pick(max, limit, now_ms);
        let delivered: Vec<u64> = if self.settings.is_fifo {
            let room = IN_FLIGHT_LIMIT.saturating_sub(in_flight);
            delivered.into_iter().take(room).collect()
        } else {
            delivered
        };
        let given_up = given_up
            .into_iter()
            .filter_map(|position| self.take(position))
            .collect();
        let messages = delivered
            .into_iter()
            .filter_map(|position| self.deliver(position, visibility_s, now_ms))
            .collect();
        Ok(Received { messages, given_up })
    }

    /// Deletes the message. Succeeds if the message is already gone.
    ///
    /// If the message was delivered again since, a standard queue keeps it (AWS says that it
    /// *might*); a FIFO queue refuses.
    ///
    /// # Errors
    /// FIFO: if the visibility timeout of that delivery is over.
    pub fn delete(&mut self, receipt: &Receipt, handle: &str, now_ms: u64) -> Result<(), SqsError> {
        self.expire(now_ms);
        let Some(message) = self.find(receipt) else {
            return Ok(());
        };
        let is_latest = message.delivery.receives == receipt.receives;
        if self.settings.is_fifo && (!is_latest || message.delivery.available_ms <= now_ms) {
            return Err(SqsError::invalid(
                "ReceiptHandle",
                handle,
                "The receipt handle has expired.",
            ));
        }
        if is_latest {
            self.commit(Change::Removed(receipt.position));
        }
        Ok(())
    }

    /// Hides the message for this long from now on.
    ///
    /// # Errors
    /// If the message is no longer in flight, or would be hidden for more than twelve hours in
    /// total.
    pub fn change_visibility(
        &mut self,
        receipt: &Receipt,
        handle: &str,
        visibility_s: u32,
        now_ms: u64,
    ) -> Result<(), SqsError> {
        self.expire(now_ms);
        let Some(message) = self.find(receipt) else {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            return Err(SqsError::invalid("ReceiptHandle", handle, reason));
        };
        let delivery = message.delivery;
        if delivery.receives != receipt.receives || delivery.available_ms <= now_ms {
            let message = "The message referred to isn't in flight.";
            return Err(SqsError::new(SqsErrorCode::MessageNotInflight, message));
        }
        let available_ms = now_ms + seconds(visibility_s);
        if available_ms > delivery.latest_ms.unwrap_or(now_ms) + seconds(VISIBILITY_LIMIT_S) {
            let reason =
                format!("Total VisibilityTimeout for the message is beyond the limit [{VISIBILITY_LIMIT_S} seconds]");
            return Err(SqsError::invalid("VisibilityTimeout", visibility_s, &reason));
        }
        self.commit(Change::Delivered(
            receipt.position,
            Delivery {
                available_ms,
                ..delivery
            },
        ));
        Ok(())
    }

    /// Undoes the latest receive of a message that nobody has seen.
    pub fn put_back(&mut self, receipt: &Receipt, now_ms: u64) {
        let Some(Delivery { receives, first_ms, .. }) = self.find(receipt).map(|message| message.delivery) else {
            return;
        };
        if receives != receipt.receives {
            return;
        }
        let delivery = Delivery {
            available_ms: now_ms,
            receives: receives.saturating_sub(1),
            first_ms: first_ms.filter(|_| receives > 1),
            latest_ms: None,
        };
        self.commit(Change::Delivered(receipt.position, delivery));
    }

    /// Removes all messages, including those in flight.
    ///
    /// # Errors
    /// If the queue was purged within the last minute.
    pub fn purge(&mut self, name: &str, now_ms: u64) -> Result<(), SqsError> {
        if self
            .purged_ms
            .is_some_and(|latest_ms| latest_ms + PURGE_PAUSE_MS > now_ms)
        {
            let message = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
            return Err(SqsError::new(SqsErrorCode::PurgeQueueInProgress, message));
        }
        self.commit(Change::Purged(now_ms));
        Ok(())
    }

    /// Whether a receive would return a message.
    pub fn has_next(&self, has_dead_letter_queue: bool, now_ms: u64) -> bool {
        let limit = self.redrive_limit().filter(|_| has_dead_letter_queue);
        let (delivered, given_up) = self.pick(1, limit, now_ms);
        let has_room = || self.in_flight(now_ms).count() < IN_FLIGHT_LIMIT;
        !given_up.is_empty() || (!delivered.is_empty() && has_room())
    }

    /// The first message that is visible. In a FIFO queue, its group has no hidden message before
    /// it.
    pub fn first_visible(&mut self, now_ms: u64) -> Option<&Message> {
        self.expire(now_ms);
        let mut blocked = HashSet::new();
        self.messages.values().find(|message| {
            let order = self.order_of(message);
            let is_hidden = self.available_ms(message) > now_ms;
            if is_hidden {
                blocked.extend(order);
            }
            !is_hidden && order.is_none_or(|group| !blocked.contains(group))
        })
    }

    /// Removes a message and returns it.
    pub fn take(&mut self, position: u64) -> Option<Message> {
        let message = self.messages.get(&position).cloned()?;
        self.commit(Change::Removed(position));
        Some(message)
    }

    /// Counts the messages.
    pub fn counts(&mut self, now_ms: u64) -> Counts {
        self.expire(now_ms);
        let mut counts = Counts::default();
        for message in self.messages.values() {
            let count = match (self.available_ms(message) <= now_ms, message.delivery.receives) {
                (true, _) => &mut counts.visible,
                (false, 0) => &mut counts.delayed,
                (false, _) => &mut counts.in_flight,
            };
            *count += 1;
        }
        counts
    }

    /// When the next hidden message becomes visible by itself, in milliseconds since the epoch.
    pub fn next_visible_ms(&self, now_ms: u64) -> Option<u64> {
        let times = self.messages.values().map(|message| self.available_ms(message));
        times.filter(|time| *time > now_ms).min()
    }

    /// Removes messages that are older than the retention period.
    fn expire(&mut self, now_ms: u64) {
        while let Some((sent_ms, position)) = self.by_age.first().copied() {
            if sent_ms + seconds(self.settings.retention_s) > now_ms {
                return;
            }
            self.commit(Change::Removed(position));
        }
    }

    /// The deduplication id of a message. Refuses parameters that do not fit the type of the queue.
    fn deduplication_id(&self, draft: &Draft) -> Result<Option<String>, SqsError> {
        if !self.settings.is_fifo {
            return match &draft.deduplication_id {
                Some(id) => Err(SqsError::invalid(
                    "MessageDeduplicationId",
                    id,
                    "The request includes a parameter that is not valid for this queue type.",
                )),
                None => Ok(None),
            };
        }
        if draft.group.is_none() {
            return Err(SqsError::missing("MessageGroupId"));
        }
        if let Some(delay_s) = draft.delay_s.filter(|delay_s| *delay_s > 0) {
            let reason = "The request include parameter that is not valid for this queue type.";
            return Err(SqsError::invalid("DelaySeconds", delay_s, reason));
        }
        match &draft.deduplication_id {
            Some(id) => Ok(Some(id.clone())),
            None if self.settings.content_based_deduplication => Ok(Some(super::digest::digest_of_body(&draft.body))),
            None => {
                let message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
                Err(SqsError::new(SqsErrorCode::InvalidParameterValue, message))
            }
        }
    }

    fn deliver(&mut self, position: u64, visibility_s: u32, now_ms: u64) -> Option<Message> {
        let delivery = self.messages.get(&position)?.delivery;
        let delivery = Delivery {
            available_ms: now_ms + seconds(visibility_s),
            receives: delivery.receives + 1,
            first_ms: delivery.first_ms.or(Some(now_ms)),
            latest_ms: Some(now_ms),
        };
        self.commit(Change::Delivered(position, delivery));
        self.messages.get(&position).cloned()
    }

    fn find(&self, receipt: &Receipt) -> Option<&Message> {
        self.messages
            .get(&receipt.position)
            .filter(|message| message.id == receipt.id)
    }

    fn redrive_limit(&self) -> Option<u32> {
        self.settings.redrive.as_ref().map(|redrive| redrive.max_receive_count)
    }

    fn sent(&self, id: String, position: u64) -> Sent {
        Sent {
            id,
            sequence_number: self.settings.is_fifo.then(|| sequence_number(position)),
        }
    }
}

fn seconds(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}

#[cfg(test)]
mod tests;
