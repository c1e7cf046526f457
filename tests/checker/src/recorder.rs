//! Writes the history down while it happens.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wigwag_invariants::{Conversation, DeviceIndex, DeviceKind, Event, GroupId, History, Moment, Token, UserId};

/// The history so far. All clones share one history.
#[derive(Debug, Clone)]
pub struct Recorder {
    began: Instant,
    history: Arc<Mutex<History>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            history: Arc::default(),
        }
    }
}

impl Recorder {
    /// Adds a device.
    pub fn device(&self, user: UserId, name: String, kind: DeviceKind) -> DeviceIndex {
        self.with(|history| history.add_device(user, name, kind))
    }

    /// The index of the next event.
    pub fn now(&self) -> Moment {
        self.with(|history| history.records.len())
    }

    /// Adds an event that happened on a device.
    pub fn on(&self, device: DeviceIndex, event: Event) {
        self.push(Some(device), event);
    }

    /// Adds an event that happened on no device.
    pub fn note(&self, event: Event) {
        self.push(None, event);
    }

    /// The time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A copy of the history as it is now.
    pub fn history(&self) -> History {
        self.with(|history| history.clone())
    }

    /// The number of messages to a group that were begun and answered since a moment; of one user
    /// if `by` is given.
    pub fn answered(&self, since: Moment, group: GroupId, by: Option<UserId>) -> usize {
        self.with(|history| answered(history, since, group, by))
    }

    /// Reads or changes the history while nobody writes.
    pub fn with<T>(&self, act: impl FnOnce(&mut History) -> T) -> T {
        act(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, device: Option<DeviceIndex>, event: Event) {
        self.with(|history| {
            let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            history.push(at_ms, device, event);
        });
    }
}

fn answered(history: &History, since: Moment, group: GroupId, by: Option<UserId>) -> usize {
    let mut begun: HashSet<Token> = HashSet::new();
    let mut answered = 0;
    for record in history.records.iter().skip(since) {
        let user = record.device.map(|device| history.devices[device].user);
        match record.event {
            Event::Send { message, to } if to == Conversation::Group(group) && (by.is_none() || by == user) => {
                begun.insert(message);
            }
            Event::Acknowledged { message, .. } | Event::Refused { message, .. } => {
                answered += usize::from(begun.remove(&message));
            }
            _ => {}
        }
    }
    answered
}
