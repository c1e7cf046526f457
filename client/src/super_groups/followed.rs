//! The state of one super group that is followed.

use super::membership::MembershipChange;
use crate::group_log::GroupLog;
use tokio::time::Instant;

/// Number of members whose requests for the same gap are spread over `super_group_spread`. Larger
/// groups use proportionally more time. With two seconds and all members online, that is 2,500
/// requests a second, a quarter of API Gateway's default limit.
const MEMBERS_PER_SPREAD: u64 = 5000;

/// One super group.
#[derive(Debug)]
pub(super) struct FollowedGroup {
    pub(super) log: GroupLog,
    /// When to PULL.
    pub(super) ask_at: Option<Instant>,
    /// When the group was last known to be complete.
    pub(super) current_at: Option<Instant>,
    /// Whether everything from before the connection began was delivered.
    pub(super) caught_up: bool,
    /// Seq of the last join of this user that the inbox or the log announced.
    pub(super) joined_seq: u64,
    /// Seq of the last leave that the inbox announced.
    pub(super) left_seq: u64,
    /// Since when nothing more is expected.
    pub(super) closing_since: Option<Instant>,
    /// The last seq, if the latest page said that nothing follows it.
    pub(super) ends_at: Option<u64>,
    /// Whether that page came after the closing time.
    pub(super) is_closed: bool,
    /// Upper bound of the number of members; 0 if unknown.
    pub(super) members: u64,
}

impl FollowedGroup {
    /// Follows `log`. `ask_at` is when to PULL.
    pub(super) fn new(log: GroupLog, ask_at: Option<Instant>) -> Self {
        Self {
            log,
            ask_at,
            current_at: None,
            caught_up: false,
            joined_seq: 0,
            left_seq: 0,
            closing_since: None,
            ends_at: None,
            is_closed: false,
            members: 0,
        }
    }

    /// Notes a change that the inbox announced.
    pub(super) fn note_change(&mut self, membership: Option<MembershipChange>, seq: u64, now: Instant) {
        let is_news = seq > self.log.cursor();
        self.log.note(seq);
        match membership {
            Some(MembershipChange::Joins) if is_news => self.join(seq),
            Some(MembershipChange::Joins) => self.joined_seq = self.joined_seq.max(seq),
            Some(MembershipChange::Leaves) => self.left_seq = self.left_seq.max(seq),
            None => {}
        }
        // The leave may have been read while it was in progress, and later messages with it. Only
        // the server knows whether it is the end.
        let may_end = membership == Some(MembershipChange::Leaves) && seq > self.joined_seq && self.ends_at.is_none();
        if is_news || may_end {
            self.ask_by(now);
        }
    }

    /// The user joins the group with this seq.
    pub(super) fn join(&mut self, seq: u64) {
        self.joined_seq = self.joined_seq.max(seq);
        (self.closing_since, self.ends_at, self.is_closed) = (None, None, false);
    }

    pub(super) fn patience(&self) -> u32 {
        u32::try_from(self.members.div_ceil(MEMBERS_PER_SPREAD).max(1)).unwrap_or(u32::MAX)
    }

    pub(super) fn ask_by(&mut self, at: Instant) {
        self.ask_at = Some(self.ask_at.map_or(at, |due| due.min(at)));
    }
}
