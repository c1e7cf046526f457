//! The super groups that this user is in: where each begins and ends, which of its messages come by which way, and when to ask.
//!
//! A super group's messages are in its log, not in the inbox. But a user who is offline must learn from the inbox that they are
//! in one, so changes of its members are also copied into the inboxes of those whom they are about. Each message is handed on once
//! because what decides is the message alone, whichever way it comes first, and whatever process it comes to:
//!
//! - a change by which this user comes into the group or goes, or by which the group becomes a super group → by the inbox
//! - everything else that is a super group's → by its log
//!
//! **Where a log begins.** The inbox tells of a coming, and the log begins with it. Copies may be late, though, and what is later be told
//! first. A change about this user in a group of which nothing was told yet shows that: then the log begins where the group became a super
//! group, for the server shows of it what this user may read. What a log has passed is old news for ever, also when it has ended.
//!
//! **Where it ends.** The server says so with a page. But of a group that was dissolved a message may yet come: one whose sender repeats what
//! had its number before. So the group is closing for a while, in which what comes counts; it ends with the first page after that, or as
//! soon as the inbox has told of the going, too.

use crate::group_log::GroupLog;
use crate::series::Next;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message, PullOutputMsg, SessionType};

/// Members whose questions about the same gap are spread over `super_group_spread`; those of more over longer, in proportion. With two
/// seconds and everybody online that is 2,500 questions a second, a quarter of what API Gateway takes by default.
const MEMBERS_PER_SPREAD: u64 = 5000;

/// What a message of the inbox is for the super groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inboxed {
    /// Its group is followed from now on, after this conversation seq.
    pub(crate) begins_after: Option<u64>,
    /// Whether it is handed on; the log does otherwise.
    pub(crate) is_handed_on: bool,
}

/// What holds for all groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Most messages kept beyond a hole, in each.
    pub(crate) ahead_limit: usize,
    /// How long a group is closing.
    pub(crate) closing: Duration,
    /// Whether the inbox tells of every coming, sooner or later: it is read from its beginning, or from where a device left off that
    /// kept the cursors of its groups.
    pub(crate) inbox_tells_all: bool,
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
    /// The last coming of this user that the inbox or the log has told of: the seq of that.
    came: u64,
    /// The last going that the inbox has told of.
    went: u64,
    /// Since when nothing more is expected.
    closing_since: Option<Instant>,
    /// The latest page said that nothing follows this seq.
    ends_at: Option<u64>,
    /// Whether it said so after the time of closing.
    is_closed: bool,
    /// At most so many members; 0 where that is not known.
    members: u64,
}

/// State of receiving in all super groups.
#[derive(Debug)]
pub(crate) struct SuperGroups {
    user_id: u64,
    rules: Rules,
    groups: BTreeMap<u64, Tracked>,
    /// Where the logs ended that are followed no longer.
    ended: BTreeMap<u64, u64>,
}

impl SuperGroups {
    /// Goes on after these conversation seqs, by group. `ended`: where logs ended that an earlier process followed.
    pub(crate) fn new(user_id: u64, rules: Rules, cursors: &BTreeMap<u64, u64>, ended: &BTreeMap<u64, u64>) -> Self {
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

    /// Follows a group from a seq on, or from where its log ended before, if that is later; answers where. `None`: it is followed already.
    pub(crate) fn begin(&mut self, group_id: u64, cursor: u64, ask_at: Option<Instant>) -> Option<u64> {
        if self.groups.contains_key(&group_id) {
            return None;
        }
        let cursor = cursor.max(self.ended.remove(&group_id).unwrap_or(0));
        let tracked = Tracked {
            log: GroupLog::new(cursor, self.rules.ahead_limit),
            ask_at,
            current_at: None,
            caught_up: false,
            came: 0,
            went: 0,
            closing_since: None,
            ends_at: None,
            is_closed: false,
            members: 0,
        };
        self.groups.insert(group_id, tracked);
        Some(cursor)
    }

    /// Follows a group no longer; answers where its log ended.
    pub(crate) fn drop_group(&mut self, group_id: u64) -> Option<u64> {
        let cursor = self.groups.remove(&group_id)?.log.cursor();
        self.ended.insert(group_id, cursor);
        Some(cursor)
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
        let Some(change) = super_change(message) else {
            return Inboxed {
                begins_after: None,
                is_handed_on: true,
            };
        };
        let turn = self.turn(message);
        let passed = self.ended.get(&group_id).copied().unwrap_or(0);
        let begins = match turn {
            _ if seq <= passed => None,
            Some(Turn::In) => Some(log_begins_after(message)),
            // What brought the user in is yet to be told.
            _ if self.rules.inbox_tells_all && self.is_about_me(message) => Some(change.super_after),
            _ => None,
        };
        let begins_after = begins.and_then(|after| self.begin(group_id, after, Some(now)));
        if let Some(tracked) = self.groups.get_mut(&group_id) {
            tracked.told(turn, seq, now);
        }
        let by_log = turn.is_none() && (self.contains(group_id) || seq <= passed);
        Inboxed {
            begins_after,
            is_handed_on: !by_log,
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

    /// How many times as long as in a small group a device waits before it asks for what all members miss at once.
    pub(crate) fn patience(&self, group_id: u64) -> u32 {
        self.groups.get(&group_id).map_or(1, Tracked::patience)
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
        tracked.members = page.members;
        // One that was read before the user came back knows nothing of that.
        let ends_at = Some(page.max_seq).filter(|end| page.ended && *end >= tracked.came);
        let (ready, next) = tracked.log.page(page, ends_at.is_some());
        tracked.ask_at = match next {
            Next::Again => Some(now),
            Next::Later(pause) => Some(now + pause.saturating_mul(tracked.patience())),
            Next::CaughtUp => None,
        };
        let is_current = next == Next::CaughtUp;
        if is_current {
            tracked.caught_up = true;
            tracked.current_at = Some(now);
        }
        let ready = self.by_log(group_id, ready, now);
        let closing = self.rules.closing;
        if let Some(tracked) = self.groups.get_mut(&group_id) {
            tracked.ends_at = ends_at;
            tracked.closing_since = ends_at.map(|_| tracked.closing_since.unwrap_or(now));
            tracked.is_closed = tracked.closing_since.is_some_and(|since| now >= since + closing);
        }
        (ready, is_current)
    }

    /// Whether nothing more comes of a group.
    pub(crate) fn is_over(&self, group_id: u64) -> bool {
        let is_over = |tracked: &Tracked| {
            tracked
                .ends_at
                .is_some_and(|end| tracked.is_closed || end <= tracked.went)
        };
        self.groups.get(&group_id).is_some_and(is_over)
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

    /// Plans to ask where it has not been known for `poll` that nothing is missing, and once more where a group has been closing for long
    /// enough.
    pub(crate) fn look_for_lost(&mut self, now: Instant, poll: Duration) {
        let closing = self.rules.closing;
        for tracked in self.groups.values_mut() {
            let is_quiet = match tracked.closing_since {
                Some(since) => now < since + closing,
                None => tracked.current_at.is_some_and(|at| now < at + poll),
            };
            if !is_quiet {
                tracked.ask_at.get_or_insert(now);
            }
        }
    }

    /// Plans to ask for a group by then.
    pub(crate) fn ask_by(&mut self, group_id: u64, at: Instant) {
        if let Some(tracked) = self.groups.get_mut(&group_id) {
            tracked.ask_by(at);
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

    /// Takes note of what a log tells of this user, and leaves out what the inbox hands on.
    fn by_log(&mut self, group_id: u64, mut ready: Vec<Message>, now: Instant) -> Vec<Message> {
        for message in &ready {
            let (turn, seq) = (self.turn(message), message.conversation_seq);
            let is_end = kind(message) == Some(GroupChangeType::Dissolved);
            let Some(tracked) = self.groups.get_mut(&group_id) else {
                continue;
            };
            if turn == Some(Turn::In) {
                tracked.comes(seq);
            } else if is_end || turn == Some(Turn::Out) {
                tracked.closing_since.get_or_insert(now);
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

    /// Whether a change is copied into this user's inbox because it is about them.
    fn is_about_me(&self, message: &Message) -> bool {
        let change = message.group_change.as_ref();
        message.sender_id == self.user_id || change.is_some_and(|change| change.user_ids.contains(&self.user_id))
    }
}

impl Tracked {
    /// The inbox has told of a change.
    fn told(&mut self, turn: Option<Turn>, seq: u64, now: Instant) {
        let is_news = seq > self.log.cursor();
        self.log.note(seq);
        match turn {
            Some(Turn::In) if is_news => self.comes(seq),
            Some(Turn::In) => self.came = self.came.max(seq),
            Some(Turn::Out) => self.went = self.went.max(seq),
            None => {}
        }
        // A going may have been read while it was being made, and more with it: whether it is the end, the server knows.
        let may_end = turn == Some(Turn::Out) && seq > self.came && self.ends_at.is_none();
        if is_news || may_end {
            self.ask_by(now);
        }
    }

    /// The user comes into the group with this seq.
    fn comes(&mut self, seq: u64) {
        self.came = self.came.max(seq);
        (self.closing_since, self.ends_at, self.is_closed) = (None, None, false);
    }

    fn patience(&self) -> u32 {
        u32::try_from(self.members.div_ceil(MEMBERS_PER_SPREAD).max(1)).unwrap_or(u32::MAX)
    }

    fn ask_by(&mut self, at: Instant) {
        self.ask_at = Some(self.ask_at.map_or(at, |due| due.min(at)));
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

/// The change that a message tells of, where it is one of what is a super group from then on.
fn super_change(message: &Message) -> Option<&GroupChange> {
    let change = message.group_change.as_ref()?;
    (message.session_type() == SessionType::Group && change.super_group).then_some(change)
}

fn kind(message: &Message) -> Option<GroupChangeType> {
    message.group_change.as_ref().map(GroupChange::r#type)
}

#[cfg(test)]
#[path = "tests/super_groups.rs"]
mod tests;
