//! What a user is in a group: ranges of seqs, a role, whether muted.

use crate::ids::{GroupId, UserId};
use serde::{Deserialize, Serialize};
use wigwag_protocol::http::Role;

/// A range of conversation seqs: from joining to leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stint {
    /// Messages up to this seq came before it.
    pub joined_after: u64,
    /// The last message of it; `None` while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

impl Stint {
    /// Whether the message with this conversation seq falls into it.
    pub fn covers(&self, seq: u64) -> bool {
        self.joined_after < seq && self.left.is_none_or(|left| seq <= left)
    }
}

/// A user in a group, as the user's own row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// What the user may do, or might when they left.
    pub role: Role,
    /// Until when the user may not send, in ms; 0 where they may.
    pub muted_until_ms: i64,
    /// The user's ranges, ascending; the last one may still last.
    pub stints: Vec<Stint>,
    /// The place of the last one: `place / SHARD_MEMBERS` is its shard.
    pub place: u64,
}

impl Membership {
    /// Whether the user is in the group.
    pub fn is_active(&self) -> bool {
        self.stints.last().is_some_and(|stint| stint.left.is_none())
    }
}

/// A range of membership, as the row in its shard says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardMember {
    /// Who.
    pub user: UserId,
    /// Their place in the order of joining, from 0.
    pub place: u64,
    /// The range.
    pub stint: Stint,
    /// What they may do.
    pub role: Role,
    /// Until when they may not send, in ms; 0 where they may.
    pub muted_until_ms: i64,
}
