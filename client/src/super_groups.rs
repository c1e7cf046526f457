//! The super groups that this user is in: where each begins and ends, which of its messages come by which way, and when to ask.
//!
//! A super group's messages are in its log, not in the inbox. But a user who is offline must learn from the inbox that they are
//! in one, so changes of its members are also copied into the inboxes of those whom they are about. Each message is handed on once
//! because what decides is the message alone, whichever way it comes first, and whatever process it comes to:
//!
//! - a change by which this user comes into the group or goes, or by which the group becomes a super group → by the inbox. The log
//!   begins after the first and ends with the second
//! - everything else that is a super group's → by its log

use crate::group_log::GroupLog;
use crate::series::Next;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use wigwag_protocol::pb::{GroupChangeType, Message, PullOutputMsg, SessionType};

/// What a message of the inbox is for the super groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inboxed {
    /// Nothing: it is handed on as any other.
    Plain,
    /// This group begins after this conversation seq. It is handed on.
    Begins { group_id: u64, cursor: u64 },
    /// It is handed on by the log.
    ByLog,
}

/// One super group.
#[derive(Debug)]
struct Tracked {
    log: GroupLog,
    /// When to PULL.
    ask_at: Option<Instant>,
    /// When it was last known that nothing was missing.
    current_at: Option<Instant>,
    /// Whether everything that there was when the connection began is handed on.
    caught_up: bool,
    /// Since when nothing more can come by the log. The inbox may still be behind with changes that the log has handed on.
    ended_at: Option<Instant>,
    /// Whether the inbox has told of the end.
    end_inboxed: bool,
    /// The last coming or going of this user that the inbox has told of: the seq of that.
    told: u64,
    /// This user's going, or the group's end, that the log has told of: the seq of that.
    went_out: Option<u64>,
}

/// State of receiving in all super groups.
#[derive(Debug)]
pub(crate) struct SuperGroups {
    user_id: u64,
    ahead_limit: usize,
    groups: BTreeMap<u64, Tracked>,
}

impl SuperGroups {
    /// Goes on after these conversation seqs, by group.
    pub(crate) fn new(user_id: u64, cursors: &BTreeMap<u64, u64>, ahead_limit: usize) -> Self {
        let mut new = Self {
            user_id,
            ahead_limit,
            groups: BTreeMap::new(),
        };
        for (&group_id, &cursor) in cursors {
            new.begin(group_id, cursor, None);
        }
        new
    }

    /// Follows a group from a seq on; `false` where it is followed already.
    pub(crate) fn begin(&mut self, group_id: u64, cursor: u64, ask_at: Option<Instant>) -> bool {
        if self.groups.contains_key(&group_id) {
            return false;
        }
        let tracked = Tracked {
            log: GroupLog::new(cursor, self.ahead_limit),
            ask_at,
            current_at: None,
            caught_up: false,
            ended_at: None,
            end_inboxed: false,
            told: 0,
            went_out: None,
        };
        self.groups.insert(group_id, tracked);
        true
    }

    /// Follows a group no longer.
    pub(crate) fn drop_group(&mut self, group_id: u64) -> bool {
        self.groups.remove(&group_id).is_some()
    }

    /// Whether a group is followed.
    pub(crate) fn contains(&self, group_id: u64) -> bool {
        self.groups.contains_key(&group_id)
    }

    /// Where a group's log is handed on to.
    pub(crate) fn cursor(&self, group_id: u64) -> Option<u64> {
        self.groups.get(&group_id).map(|tracked| tracked.log.cursor())
    }

    /// Judges a message that the inbox brought, and takes note of it.
    pub(crate) fn inboxed(&mut self, message: &Message, now: Instant) -> Inboxed {
        let (group_id, seq) = (message.receiver_id, message.conversation_seq);
        if !is_super_change(message) {
            return Inboxed::Plain;
        }
        let turn = self.turn(message);
        let Some(tracked) = self.groups.get_mut(&group_id) else {
            if turn == Some(Turn::In) {
                let cursor = log_begins_after(message);
                self.begin(group_id, cursor, Some(now));
                return Inboxed::Begins { group_id, cursor };
            }
            return Inboxed::Plain;
        };
        if turn.is_some() {
            tracked.told = tracked.told.max(seq);
        }
        match turn {
            Some(Turn::In) if tracked.log.go_on(log_begins_after(message)) => {
                (tracked.ended_at, tracked.end_inboxed) = (None, false);
            }
            Some(Turn::In) => {}
            // Told late, after the coming that followed it.
            Some(Turn::Out) if seq < tracked.told => {}
            // What has passed it since was read as a member again, but for what was read while the going was being made.
            Some(Turn::Out) if seq < tracked.log.cursor() && tracked.went_out != Some(seq) => {}
            Some(Turn::Out) => {
                tracked.log.end_at(seq);
                tracked.end_inboxed = true;
            }
            None => tracked.log.note(seq),
        }
        if tracked.log.is_behind() {
            tracked.ask_at = Some(tracked.ask_at.map_or(now, |at| at.min(now)));
        }
        match turn {
            Some(_) => Inboxed::Plain,
            None => Inboxed::ByLog,
        }
    }

    /// A message of a super group that came unasked. Returns what can be handed on; `None` where the group is not followed.
    /// What is missing before it is asked for after `patience`.
    pub(crate) fn push(&mut self, message: Message, now: Instant, patience: Duration) -> Option<Vec<Message>> {
        let group_id = message.receiver_id;
        let tracked = self.groups.get_mut(&group_id)?;
        let ready = tracked.log.push(message);
        if tracked.log.is_behind() {
            tracked.ask_at.get_or_insert(now + patience);
        } else if tracked.caught_up {
            (tracked.ask_at, tracked.current_at) = (None, Some(now));
        }
        Some(self.by_log(group_id, ready, now))
    }

    /// A message came unasked and cannot be dealt with now.
    pub(crate) fn note(&mut self, message: &Message, now: Instant) {
        if let Some(tracked) = self.groups.get_mut(&message.receiver_id) {
            tracked.log.note(message.conversation_seq);
            if tracked.log.is_behind() {
                tracked.ask_at.get_or_insert(now);
            }
        }
    }

    /// A page of a group's log. Returns what can be handed on, and whether that is all there was.
    pub(crate) fn page(&mut self, group_id: u64, page: PullOutputMsg, now: Instant) -> (Vec<Message>, bool) {
        let Some(tracked) = self.groups.get_mut(&group_id) else {
            return (Vec::new(), false);
        };
        let max_seq = page.max_seq;
        let (ready, next) = tracked.log.page(page);
        tracked.ask_at = match next {
            Next::Again => Some(now),
            Next::Later(pause) => Some(now + pause),
            Next::CaughtUp => None,
        };
        let ready = self.by_log(group_id, ready, now);
        let Some(tracked) = self.groups.get_mut(&group_id) else {
            return (ready, false);
        };
        let goes_on = tracked.goes_on_to(max_seq, now);
        // Of what was known to exist, some may be no longer theirs.
        let is_over = tracked.log.is_over();
        let is_current = (next == Next::CaughtUp || is_over) && !goes_on;
        if is_current {
            tracked.caught_up = true;
            tracked.ask_at = None;
            tracked.current_at = Some(now);
        }
        (ready, is_current)
    }

    /// Whether the user has read all that they may of a group that they have left, and the inbox has told of that.
    pub(crate) fn is_over(&self, group_id: u64) -> bool {
        let tracked = self.groups.get(&group_id);
        tracked.is_some_and(|tracked| tracked.end_inboxed && tracked.log.is_over())
    }

    /// Groups whose log ended so long ago that the inbox must have told all about them.
    pub(crate) fn over_for(&self, now: Instant, long: Duration) -> Vec<u64> {
        let is_old = |tracked: &Tracked| tracked.ended_at.is_some_and(|at| now >= at + long);
        let old = self.groups.iter().filter(|(_, tracked)| is_old(tracked));
        old.map(|(id, _)| *id).collect()
    }

    /// A connection has begun: each group is asked for, for nobody knows what was missed.
    pub(crate) fn connected(&mut self, now: Instant) {
        for tracked in self.groups.values_mut() {
            tracked.ask_at = Some(now);
            tracked.caught_up = false;
        }
    }

    /// Whether everything that there was when the connection began is handed on.
    pub(crate) fn are_caught_up(&self) -> bool {
        self.groups.values().all(|tracked| tracked.caught_up)
    }

    /// Plans to ask where it has not been known for `poll` that nothing is missing.
    pub(crate) fn look_for_lost(&mut self, now: Instant, poll: Duration) {
        for tracked in self.groups.values_mut() {
            let is_current = tracked.current_at.is_some_and(|at| now < at + poll);
            if !is_current && !tracked.log.is_over() {
                tracked.ask_at.get_or_insert(now);
            }
        }
    }

    /// Plans to ask for a group by then.
    pub(crate) fn ask_by(&mut self, group_id: u64, at: Instant) {
        if let Some(tracked) = self.groups.get_mut(&group_id) {
            tracked.ask_at = Some(tracked.ask_at.map_or(at, |due| due.min(at)));
        }
    }

    /// Plans when to ask for a group, whatever was planned.
    pub(crate) fn ask_at(&mut self, group_id: u64, at: Option<Instant>) {
        if let Some(tracked) = self.groups.get_mut(&group_id) {
            tracked.ask_at = at;
        }
    }

    /// Gives a group up for this connection: the server does not answer for it.
    pub(crate) fn give_up(&mut self, group_id: u64) {
        if let Some(tracked) = self.groups.get_mut(&group_id) {
            (tracked.ask_at, tracked.caught_up) = (None, true);
        }
    }

    /// The group to ask for next, and when.
    pub(crate) fn next_due(&self) -> Option<(u64, Instant)> {
        let due = self
            .groups
            .iter()
            .filter_map(|(id, tracked)| Some((*id, tracked.ask_at?)));
        due.min_by_key(|(_, at)| *at)
    }

    /// Without what the inbox hands on. Where it ends the group, or this user's time in it, and does not begin it again, that ends the log: what
    /// stands behind was read while the going was being made.
    fn by_log(&mut self, group_id: u64, mut ready: Vec<Message>, now: Instant) -> Vec<Message> {
        let is_end = |message: &Message| kind(message) == Some(GroupChangeType::Dissolved);
        let mut turns = ready.iter().rev();
        let last = turns.find(|message| is_end(message) || self.turn(message).is_some());
        let last = last.map(|message| (message.conversation_seq, self.turn(message) == Some(Turn::In)));
        if let (Some((seq, is_back)), Some(tracked)) = (last, self.groups.get_mut(&group_id)) {
            if is_back {
                tracked.went_out = None;
            } else if seq >= tracked.told {
                // Where the inbox has told of what was later, the user came back.
                tracked.went_out = Some(seq);
                tracked.end(now);
            }
        }
        ready.retain(|message| self.turn(message).is_none());
        ready
    }

    /// Whether a message brings this user into a super group, or out of one.
    fn turn(&self, message: &Message) -> Option<Turn> {
        let change = message.group_change.as_ref()?;
        let about_me = change.user_ids.contains(&self.user_id);
        match change.r#type() {
            GroupChangeType::Created | GroupChangeType::MembersAdded if about_me => Some(Turn::In),
            GroupChangeType::BecameSuper => Some(Turn::In),
            GroupChangeType::MembersRemoved if about_me => Some(Turn::Out),
            GroupChangeType::MemberLeft if message.sender_id == self.user_id => Some(Turn::Out),
            _ => None,
        }
    }
}

impl Tracked {
    /// The log ends where the user went.
    fn end(&mut self, now: Instant) {
        if let Some(seq) = self.went_out {
            self.log.end_at(seq);
            self.ended_at = Some(now);
        }
    }

    /// Whether the server shows the user more, up to `max_seq`, than there was when they went: they have come back, and the inbox may have
    /// told of it to an earlier process. Then the log goes on. Where the inbox has just told of their going, it will tell of their coming too.
    fn goes_on_to(&mut self, max_seq: u64, now: Instant) -> bool {
        let Some(seq) = self.went_out.filter(|_| !self.end_inboxed) else {
            return false;
        };
        let goes_on = seq < max_seq && self.log.go_on(max_seq);
        if goes_on {
            (self.ended_at, self.ask_at) = (None, Some(now));
        } else if seq >= max_seq && self.ended_at.is_none() {
            // A page that was read while the user was going showed more than is theirs.
            self.end(now);
        }
        goes_on
    }
}

/// What a change is for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// From it on, the log is followed.
    In,
    /// With it, the log ends.
    Out,
}

/// Where the log begins that a message brings this user into. A group becomes a super group a moment before it is said, and what was
/// sent in between stands in the log alone.
fn log_begins_after(message: &Message) -> u64 {
    match &message.group_change {
        Some(change) if change.r#type() == GroupChangeType::BecameSuper => change.super_after,
        _ => message.conversation_seq,
    }
}

/// Whether a message is about a change of what is a super group from then on.
fn is_super_change(message: &Message) -> bool {
    let change = message.group_change.as_ref();
    message.session_type() == SessionType::Group && change.is_some_and(|change| change.super_group)
}

fn kind(message: &Message) -> Option<GroupChangeType> {
    message
        .group_change
        .as_ref()
        .map(wigwag_protocol::pb::GroupChange::r#type)
}

#[cfg(test)]
#[path = "tests/super_groups.rs"]
mod tests;
