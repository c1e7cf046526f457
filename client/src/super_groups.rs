//! The super groups that this user follows: where each begins and ends, which messages come from
//! the inbox and which from the log, and when to ask.
//!
//! A super group's messages are in its log. Changes of membership are also copied into the inboxes
//! of the users that they concern. Each message is delivered once, because the message alone
//! decides its source:
//!
//! - The inbox delivers a change by which this user joins or leaves the group, and the change that
//!   makes it a super group.
//! - The log delivers everything else.
//!
//! `docs/user/sdk-internals.md` explains where a log begins and ends when copies are late.

mod followed;
mod membership;

use crate::group_log::GroupLog;
use crate::series::NextAsk;
use followed::FollowedGroup;
use membership::MembershipChange;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use wigwag_protocol::pb::{GroupChangeType, Message, PullOutputMsg};

/// What an inbox message means for the super groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InboxRouting {
    /// The group is followed from now on, after this conversation seq.
    pub(crate) begins_after: Option<u64>,
    /// Whether the inbox delivers the message. Otherwise the log does.
    pub(crate) by_inbox: bool,
}

/// Settings for all groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SuperGroupRules {
    /// Maximum number of messages kept beyond a hole, per group.
    pub(crate) ahead_limit: usize,
    /// How long a group that has ended is still followed.
    pub(crate) closing: Duration,
    /// Whether the inbox announces every group sooner or later. It does if it is read from the
    /// start, or from where a device left off that stored its group cursors.
    pub(crate) inbox_tells_all: bool,
}

/// The receiving state of all super groups.
#[derive(Debug)]
pub(crate) struct SuperGroups {
    user_id: u64,
    rules: SuperGroupRules,
    groups: BTreeMap<u64, FollowedGroup>,
    /// Last seqs of the logs that are no longer followed.
    ended: BTreeMap<u64, u64>,
}

impl SuperGroups {
    /// Continues after these conversation seqs, by group. `ended` holds the last seqs of logs that
    /// an earlier process followed.
    pub(crate) fn new(
        user_id: u64,
        rules: SuperGroupRules,
        cursors: &BTreeMap<u64, u64>,
        ended: &BTreeMap<u64, u64>,
    ) -> Self {
        let mut new = Self {
            user_id,
            rules,
            groups: BTreeMap::new(),
            ended: ended.clone(),
        };
        for (&group_id, &cursor) in cursors {
            new.begin(group_id, cursor, None);
        }
        new
    }

    /// Follows a group after `cursor`, or after the end of its former log if that is later. Returns
    /// that seq, or `None` if it is followed already.
    pub(crate) fn begin(&mut self, group_id: u64, cursor: u64, ask_at: Option<Instant>) -> Option<u64> {
        if self.groups.contains_key(&group_id) {
            return None;
        }
        let cursor = cursor.max(self.ended.remove(&group_id).unwrap_or(0));
        let log = GroupLog::new(cursor, self.rules.ahead_limit);
        self.groups.insert(group_id, FollowedGroup::new(log, ask_at));
        Some(cursor)
    }

    /// Stops following a group. Returns the last seq of its log.
    pub(crate) fn drop_group(&mut self, group_id: u64) -> Option<u64> {
        let cursor = self.groups.remove(&group_id)?.log.cursor();
        self.ended.insert(group_id, cursor);
        Some(cursor)
    }

    /// Whether a group is followed.
    pub(crate) fn contains(&self, group_id: u64) -> bool {
        self.groups.contains_key(&group_id)
    }

    /// The seq up to which a group's log was delivered.
    pub(crate) fn cursor(&self, group_id: u64) -> Option<u64> {
        self.groups.get(&group_id).map(|followed| followed.log.cursor())
    }

    /// Decides who delivers an inbox message, and notes what it says about the group.
    pub(crate) fn inboxed(&mut self, message: &Message, now: Instant) -> InboxRouting {
        let (group_id, seq) = (message.receiver_id, message.conversation_seq);
        let Some(change) = membership::super_change(message) else {
            return InboxRouting {
                begins_after: None,
                by_inbox: true,
            };
        };
        let own_change = membership::change_for(message, self.user_id);
        let passed = self.ended.get(&group_id).copied().unwrap_or(0);
        let begins = match own_change {
            _ if seq <= passed => None,
            Some(MembershipChange::Joins) => Some(membership::log_begins_after(message)),
            // The message by which the user joined is still to come.
            _ if self.rules.inbox_tells_all && membership::is_about(message, self.user_id) => Some(change.super_after),
            _ => None,
        };
        let begins_after = begins.and_then(|after| self.begin(group_id, after, Some(now)));
        if let Some(followed) = self.groups.get_mut(&group_id) {
            followed.note_change(own_change, seq, now);
        }
        let by_log = own_change.is_none() && (self.contains(group_id) || seq <= passed);
        InboxRouting {
            begins_after,
            by_inbox: !by_log,
        }
    }

    /// Takes a pushed message of a super group. Returns the messages that can be delivered now, or
    /// `None` if the group is not followed. A gap before it is asked for after `patience`.
    pub(crate) fn push(&mut self, message: Message, now: Instant, patience: Duration) -> Option<Vec<Message>> {
        let group_id = message.receiver_id;
        let followed = self.groups.get_mut(&group_id)?;
        let ready = followed.log.push(message);
        if followed.log.is_behind() {
            followed.ask_at.get_or_insert(now + patience);
        } else if followed.caught_up {
            (followed.ask_at, followed.current_at) = (None, Some(now));
        }
        Some(self.by_log(group_id, ready, now))
    }

    /// Factor of the waiting time for a gap, compared to a small group.
    pub(crate) fn patience(&self, group_id: u64) -> u32 {
        self.groups.get(&group_id).map_or(1, FollowedGroup::patience)
    }

    /// Notes a pushed message that cannot be handled now.
    pub(crate) fn note(&mut self, message: &Message, now: Instant) {
        if let Some(followed) = self.groups.get_mut(&message.receiver_id) {
            followed.log.note(message.conversation_seq);
            if followed.log.is_behind() {
                followed.ask_at.get_or_insert(now);
            }
        }
    }

    /// Takes a page of a group's log. Returns the messages that can be delivered now, and whether
    /// they complete the log.
    pub(crate) fn page(&mut self, group_id: u64, page: PullOutputMsg, now: Instant) -> (Vec<Message>, bool) {
        let Some(followed) = self.groups.get_mut(&group_id) else {
            return (Vec::new(), false);
        };
        followed.members = page.members;
        // A page that was read before the user came back does not know about the return.
        let ends_at = Some(page.max_seq).filter(|end| page.ended && *end >= followed.joined_seq);
        let (ready, next) = followed.log.page(page, ends_at.is_some());
        followed.ask_at = match next {
            NextAsk::Again => Some(now),
            NextAsk::Later(pause) => Some(now + pause.saturating_mul(followed.patience())),
            NextAsk::CaughtUp => None,
        };
        let is_current = next == NextAsk::CaughtUp;
        if is_current {
            followed.caught_up = true;
            followed.current_at = Some(now);
        }
        let ready = self.by_log(group_id, ready, now);
        let closing = self.rules.closing;
        if let Some(followed) = self.groups.get_mut(&group_id) {
            followed.ends_at = ends_at;
            followed.closing_since = ends_at.map(|_| followed.closing_since.unwrap_or(now));
            followed.is_closed = followed.closing_since.is_some_and(|since| now >= since + closing);
        }
        (ready, is_current)
    }

    /// Whether a group has ended.
    pub(crate) fn is_over(&self, group_id: u64) -> bool {
        let is_over = |followed: &FollowedGroup| {
            followed
                .ends_at
                .is_some_and(|end| followed.is_closed || end <= followed.left_seq)
        };
        self.groups.get(&group_id).is_some_and(is_over)
    }

    /// Handles a new connection: asks for each group, because anything may have been missed.
    pub(crate) fn connected(&mut self, now: Instant) {
        for followed in self.groups.values_mut() {
            followed.ask_at = Some(now);
            followed.caught_up = false;
        }
    }

    /// Whether everything from before the connection began was delivered.
    pub(crate) fn are_caught_up(&self) -> bool {
        self.groups.values().all(|followed| followed.caught_up)
    }

    /// Plans to ask for groups that were not confirmed complete within `poll`, and once more for
    /// groups whose closing time is over.
    pub(crate) fn look_for_lost(&mut self, now: Instant, poll: Duration) {
        let closing = self.rules.closing;
        for followed in self.groups.values_mut() {
            let is_quiet = match followed.closing_since {
                Some(since) => now < since + closing,
                None => followed.current_at.is_some_and(|at| now < at + poll),
            };
            if !is_quiet {
                followed.ask_at.get_or_insert(now);
            }
        }
    }

    /// Plans to ask for a group at this time or earlier.
    pub(crate) fn ask_by(&mut self, group_id: u64, at: Instant) {
        if let Some(followed) = self.groups.get_mut(&group_id) {
            followed.ask_by(at);
        }
    }

    /// Replaces the planned time to ask for a group.
    pub(crate) fn ask_at(&mut self, group_id: u64, at: Option<Instant>) {
        if let Some(followed) = self.groups.get_mut(&group_id) {
            followed.ask_at = at;
        }
    }

    /// Gives up a group for this connection, because the server does not answer for it.
    pub(crate) fn give_up(&mut self, group_id: u64) {
        if let Some(followed) = self.groups.get_mut(&group_id) {
            (followed.ask_at, followed.caught_up) = (None, true);
        }
    }

    /// The next group to ask for, and when.
    pub(crate) fn next_due(&self) -> Option<(u64, Instant)> {
        let due = self
            .groups
            .iter()
            .filter_map(|(id, followed)| Some((*id, followed.ask_at?)));
        due.min_by_key(|(_, at)| *at)
    }

    /// Notes what the log says about this user, and removes the messages that the inbox delivers.
    fn by_log(&mut self, group_id: u64, mut ready: Vec<Message>, now: Instant) -> Vec<Message> {
        for message in &ready {
            let (own_change, seq) = (membership::change_for(message, self.user_id), message.conversation_seq);
            let is_end = membership::change_type(message) == Some(GroupChangeType::Dissolved);
            let Some(followed) = self.groups.get_mut(&group_id) else {
                continue;
            };
            if own_change == Some(MembershipChange::Joins) {
                followed.join(seq);
            } else if is_end || own_change == Some(MembershipChange::Leaves) {
                followed.closing_since.get_or_insert(now);
            }
        }
        ready.retain(|message| membership::change_for(message, self.user_id).is_none());
        ready
    }
}

#[cfg(test)]
#[path = "tests/super_groups.rs"]
mod tests;
