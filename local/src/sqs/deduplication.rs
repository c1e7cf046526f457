//! Deduplication of FIFO queues. For five minutes after a send, another send with the same
//! deduplication id gets the same answer and is dropped, even if the first message is already
//! deleted.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html>

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// How long an id is remembered, in milliseconds.
pub const WINDOW_MS: u64 = 5 * 60 * 1000;

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The group, if deduplication is per group; and the deduplication id.
    pub key: (Option<String>, String),
    /// When it was sent, in milliseconds since the epoch.
    pub sent_ms: u64,
    /// `MessageId` of the message.
    pub id: String,
    /// Its position in the queue.
    pub position: u64,
}

/// The ids of the last five minutes. Times that are passed in go back only if the clock was set
/// back.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    sightings: BTreeMap<(Option<String>, String), Sighting>,
    in_order: VecDeque<(Option<String>, String)>,
}

impl Window {
    /// The message that was sent with this key within the window.
    pub(super) fn find(&self, key: &(Option<String>, String), now_ms: u64) -> Option<&Sighting> {
        self.sightings.get(key).filter(|sighting| !is_over(sighting, now_ms))
    }

    /// Remembers a message, and forgets those that are too old.
    pub(super) fn add(&mut self, sighting: Sighting) {
        while let Some(key) = self.in_order.front() {
            match self.sightings.get(key) {
                Some(oldest) if !is_over(oldest, sighting.sent_ms) => break,
                _ => {}
            }
            self.sightings.remove(key);
            self.in_order.pop_front();
        }
        self.in_order.push_back(sighting.key.clone());
        self.sightings.insert(sighting.key.clone(), sighting);
    }

    /// All remembered messages, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Sighting> {
        self.in_order.iter().filter_map(|key| self.sightings.get(key))
    }
}

fn is_over(sighting: &Sighting, now_ms: u64) -> bool {
    sighting.sent_ms.saturating_add(WINDOW_MS) <= now_ms
}
