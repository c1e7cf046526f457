//! Groups: membership, the rules of changes, and what a change does.

pub mod change;
pub mod membership;
pub mod readable;
pub mod record;
pub mod rules;

use crate::head::GroupSettings;
use crate::ids::{GroupId, UserId};
use crate::timeline::LEASE;

/// A group that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Its name; its form has been checked.
    pub name: String,
    /// The other members, each once.
    pub users: Vec<UserId>,
    /// Whether it is a super group from the start.
    pub super_group: bool,
    /// Whether members may read messages from before they joined.
    pub open_history: bool,
    /// The name of the request, so that a repeat finds the group that was made.
    pub request: Option<String>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: UserId,
    /// How many members it has.
    pub members: u32,
    /// When it was made, in ms.
    pub created_at_ms: i64,
    /// The settings in the head of its log.
    pub settings: GroupSettings,
    /// The highest reserved seq of its log.
    pub max_seq: u64,
    /// Since when a change is unfinished, in ms: it is under way, or its function died. `None`:
    /// there is none.
    pub unfinished_since_ms: Option<i64>,
}

impl Group {
    /// Whether a change was left unfinished: no function runs this long.
    pub fn is_left_unfinished(&self, now_ms: i64) -> bool {
        self.unfinished_since_ms
            .is_some_and(|since_ms| now_ms > until_left(since_ms))
    }
}

/// Until when a function that began a change at this time may still be at work on it, in ms.
pub fn until_left(since_ms: i64) -> i64 {
    since_ms.saturating_add(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX))
}
