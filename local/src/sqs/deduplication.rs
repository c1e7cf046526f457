//! The deduplication of FIFO queues: for five minutes after a message was sent, another with its deduplication id is answered as
//! the first was, and dropped; also after the first has been received and deleted.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html>

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// How long an id is remembered, in milliseconds.
pub const WINDOW_MS: u64 = 5 * 60 * 1000;

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The group, where groups are apart; and the deduplication id.
    pub key: (Option<String>, String),
    /// When, in milliseconds since the epoch.
    pub sent_ms: u64,
    /// `MessageId` of the message.
    pub id: String,
    /// Its position in the queue.
    pub position: u64,
}

/// The ids of the last five minutes. Times that are given to it never go back by more than a clock that is set does.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    sightings: BTreeMap<(Option<String>, String), Sighting>,
    in_order: VecDeque<(Option<String>, String)>,
}

impl Window {
    /// The message that was sent with this key, if that was within the window.
    pub(super) fn find(&self, key: &(Option<String>, String), now_ms: u64) -> Option<&Sighting> {
        self.sightings.get(key).filter(|sighting| !is_over(sighting, now_ms))
    }

    /// Remembers a message, and forgets those whose time is over.
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

    /// All that is remembered, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Sighting> {
        self.in_order.iter().filter_map(|key| self.sightings.get(key))
    }
}

fn is_over(sighting: &Sighting, now_ms: u64) -> bool {
    sighting.sent_ms.saturating_add(WINDOW_MS) <= now_ms
}
