//! The throughput limits of FIFO queues: 300 calls of each action per second, per queue or per
//! message group.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>

use std::collections::{BTreeMap, BTreeSet};

/// Most calls of one action per second.
const CALLS_PER_SECOND: u32 = 300;

/// An action with a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// `SendMessage` and `SendMessageBatch`.
    Send,
    /// `ReceiveMessage`.
    Receive,
    /// `DeleteMessage` and `DeleteMessageBatch`.
    Delete,
    /// `ChangeMessageVisibility` and `ChangeMessageVisibilityBatch`.
    ChangeVisibility,
}

/// The calls of the current second.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    second: u64,
    calls: BTreeMap<(Action, Option<String>), u32>,
}

impl Throughput {
    /// Counts a call; returns `false` if the queue's limit is reached.
    pub(super) fn admit(&mut self, action: Action, now_ms: u64) -> bool {
        self.roll(now_ms);
        self.count([(action, None)].into())
    }

    /// Counts a call for these groups; returns `false` if the limit of one of them is reached.
    pub(super) fn admit_groups<'a>(
        &mut self,
        action: Action,
        groups: impl IntoIterator<Item = &'a str>,
        now_ms: u64,
    ) -> bool {
        self.roll(now_ms);
        self.count(
            groups
                .into_iter()
                .map(|group| (action, Some(group.to_owned())))
                .collect(),
        )
    }

    fn roll(&mut self, now_ms: u64) {
        if self.second != now_ms / 1000 {
            self.second = now_ms / 1000;
            self.calls.clear();
        }
    }

    fn count(&mut self, keys: BTreeSet<(Action, Option<String>)>) -> bool {
        let has_room = |key| self.calls.get(key).is_none_or(|calls| *calls < CALLS_PER_SECOND);
        if !keys.iter().all(has_room) {
            return false;
        }
        for key in keys {
            *self.calls.entry(key).or_default() += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_accepts_300_calls_of_each_action_per_second() {
        let mut queue = Throughput::default();
        assert!((0..CALLS_PER_SECOND).all(|_| queue.admit(Action::Send, 1000)));
        assert!(!queue.admit(Action::Send, 1999));
        assert!(queue.admit(Action::Receive, 1999));
        assert!(queue.admit(Action::Send, 2000));
    }

    #[test]
    fn with_a_limit_per_group_each_group_is_counted_separately() {
        let mut queue = Throughput::default();
        assert!((0..CALLS_PER_SECOND).all(|_| queue.admit_groups(Action::Send, ["a", "a"], 0)));
        assert!(!queue.admit_groups(Action::Send, ["b", "a"], 0));
        assert!(queue.admit_groups(Action::Send, ["b"], 0));
    }
}
