//! The changes of a queue. They describe everything that happens to its state, so that it can be
//! stored and restored.

use serde::{Deserialize, Serialize};

use super::QueueState;
use crate::sqs::deduplication::Sighting;
use crate::sqs::message::{Delivery, Message};
use crate::sqs::settings::Settings;

/// A change of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The queue was created, or got new settings.
    Set(Box<Settings>),
    /// A message was added.
    Added(Box<Message>),
    /// A message was received, or its visibility timeout was changed.
    Delivered(u64, Delivery),
    /// A message was removed.
    Removed(u64),
    /// All messages were removed, at this time.
    Purged(u64),
    /// A deduplication id was used.
    Seen(Sighting),
    /// Positions below this one are never used again.
    Reached(u64),
}

impl QueueState {
    /// The changes since the last call of this function.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Changes that turn an empty queue into this one.
    pub fn snapshot(&self) -> Vec<Change> {
        let set = Change::Set(Box::new(self.settings.clone()));
        let messages = self
            .messages
            .values()
            .map(|message| Change::Added(Box::new(message.clone())));
        let seen = self.window.iter().cloned().map(Change::Seen);
        let reached = Change::Reached(self.next_position);
        std::iter::once(set)
            .chain(self.purged_ms.map(Change::Purged))
            .chain(messages)
            .chain(seen)
            .chain([reached])
            .collect()
    }

    /// Applies a change that happened earlier.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Set(settings) => self.settings = (**settings).clone(),
            Change::Added(message) => {
                self.next_position = self.next_position.max(message.position + 1);
                self.by_age.insert((message.sent_ms, message.position));
                if message.delivery.receives > 0 {
                    self.received.insert(message.position);
                }
                self.messages.insert(message.position, (**message).clone());
            }
            Change::Delivered(position, delivery) => {
                if let Some(message) = self.messages.get_mut(position) {
                    message.delivery = *delivery;
                    self.received.insert(*position);
                }
            }
            Change::Removed(position) => {
                if let Some(message) = self.messages.remove(position) {
                    self.by_age.remove(&(message.sent_ms, *position));
                    self.received.remove(position);
                }
            }
            Change::Purged(now_ms) => {
                self.messages.clear();
                self.by_age.clear();
                self.received.clear();
                self.purged_ms = Some(*now_ms);
            }
            Change::Seen(sighting) => self.window.add(sighting.clone()),
            Change::Reached(position) => self.next_position = self.next_position.max(*position),
        }
    }

    pub(super) fn commit(&mut self, change: Change) {
        self.apply(&change);
        self.changes.push(change);
    }
}
