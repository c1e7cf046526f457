//! Groups: who is in them, what they may do, and how that changes.
//!
//! The changes of a group are made one after the other. One is written down first, whole, in the group's item (its version is the
//! lock), then carried out, then announced in the log, then cleared. Whoever finds one that was not finished finishes it before
//! making their own, so that a function that dies half-way leaves nothing half-done for long. Every step may be repeated, by
//! several at once.
//!
//! **Membership is a range of conversation seqs**: `joined_after < n ≤ left`. The row of a range stays when it has ended, so that a
//! task handled late still reaches everyone entitled, and no one else.

mod membership;

pub use membership::{Membership, ShardMember, Stint};

use crate::Store;
use crate::error::StoreError;
use crate::fanout::TaskQueue;
use crate::head::GroupSettings;
use crate::ids::{GroupId, UserId};
use crate::messages::{History, HistoryRange};
use wigwag_protocol::http::Role;
use wigwag_protocol::{Code, Encoding};

/// What a group is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Its name; its form has been checked.
    pub name: String,
    /// The members beside the owner, each once, without the owner.
    pub users: Vec<UserId>,
    /// Whether it is a super group from the start.
    pub super_group: bool,
    /// Whether members may read what was sent before they joined.
    pub open_history: bool,
}

/// A change that somebody wants to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These users become members.
    Add(Vec<UserId>),
    /// These members are members no longer.
    Remove(Vec<UserId>),
    /// The actor is a member no longer.
    Leave,
    /// Another name.
    Rename(String),
    /// Another role for a member: admin, or plain member.
    Role(UserId, Role),
    /// Another owner.
    HandOver(UserId),
    /// A member may not send until then, in ms; 0: may send again.
    MuteMember(UserId, i64),
    /// Whether only the owner and admins may send.
    Mute(bool),
    /// Whether members may read what was sent before they joined.
    OpenHistory(bool),
    /// The group becomes a super group.
    BecomeSuper,
    /// The group ends.
    Dissolve,
}

/// A change that was made, or had been made before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// The users whom it changed something for.
    pub changed: Vec<UserId>,
    /// The users who were as it wanted them already.
    pub unchanged: Vec<UserId>,
}

/// Why there is no answer that the change was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It is not allowed, or cannot be.
    #[error("refused: {0}")]
    Refused(Code),
    /// Something failed on the way: it may be made, or half-made, and a repeat or the next change finishes it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which one.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: UserId,
    /// How many are in it.
    pub members: u32,
    /// When it was made, in ms.
    pub created_at_ms: i64,
    /// What its log says of it.
    pub settings: GroupSettings,
    /// The highest reserved seq of its log.
    pub max_seq: u64,
}

impl Store {
    /// Makes a group. `Err(Refused(...))`: a user does not exist, or the id is taken (`BUSY`: try another).
    pub async fn create_group(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        owner: UserId,
        new: &NewGroup,
        now_ms: i64,
    ) -> Result<(), ChangeError> {
        let _ = (queue, group, owner, new, now_ms, self);
        todo!()
    }

    /// Makes a change to a group, after finishing the one before it where that is needed.
    pub async fn change_group(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        actor: UserId,
        wanted: &Wanted,
        now_ms: i64,
    ) -> Result<Changed, ChangeError> {
        let _ = (queue, group, actor, wanted, now_ms, self);
        todo!()
    }

    /// A group; `None` where there is none.
    pub async fn group(&self, group: GroupId) -> Result<Option<Group>, StoreError> {
        let _ = (group, self);
        todo!()
    }

    /// What a user is in a group, strongly consistent. `None`: was never in it.
    pub async fn membership(&self, group: GroupId, user: UserId) -> Result<Option<Membership>, StoreError> {
        let _ = (group, user, self);
        todo!()
    }

    /// A page of the groups that a user is in, after an id, each with the user's membership; and where to go on.
    pub async fn groups_of(
        &self,
        user: UserId,
        after: GroupId,
    ) -> Result<(Vec<(Group, Membership)>, Option<GroupId>), StoreError> {
        let _ = (user, after, self);
        todo!()
    }

    /// A page of a group's members, in the order in which they joined, after a place; and where to go on.
    pub async fn members_of(&self, group: GroupId, after: u64) -> Result<(Vec<ShardMember>, Option<u64>), StoreError> {
        let _ = (group, after, self);
        todo!()
    }

    /// Every range of membership in a shard, strongly consistent: those that have ended too.
    pub async fn shard(&self, group: GroupId, shard: u32) -> Result<Vec<ShardMember>, StoreError> {
        let _ = (group, shard, self);
        todo!()
    }

    /// Reads of a group's log what the user may. A range that they may not read reads as an empty one.
    /// `Err(Refused(NOT_A_MEMBER))`: was never in it.
    pub async fn group_history(
        &self,
        user: UserId,
        group: GroupId,
        wanted: HistoryRange,
        encoding: Encoding,
        now_ms: i64,
    ) -> Result<History, ChangeError> {
        let _ = (user, group, wanted, encoding, now_ms, self);
        todo!()
    }
}
