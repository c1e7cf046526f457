//! The changes of a queue: all that ever happens to its state, so that it can be kept and brought back.

use serde::{Deserialize, Serialize};

use super::Queue;
use crate::sqs::deduplication::Sighting;
use crate::sqs::message::{Delivery, Message};
use crate::sqs::settings::Settings;

/// Something that happened to a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It was made, or set anew.
    Set(Box<Settings>),
    /// A message came.
    Added(Box<Message>),
    /// A message was received, or hidden for longer or shorter.
    Delivered(u64, Delivery),
    /// A message is gone, for whatever reason.
    Removed(u64),
    /// All messages are gone, since then.
    Purged(u64),
    /// A deduplication id was used.
    Seen(Sighting),
    /// No position below this one is ever used again.
    Reached(u64),
}

impl Queue {
    /// What happened since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Changes that make an equal queue of an empty one.
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

    /// Lets happen what is known to have happened.
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
