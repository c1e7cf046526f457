//! The group's record: its properties, how many changes it has seen, and the change that is not
//! finished yet.

use super::change::{Change, Effect};
use crate::ids::UserId;
use crate::task::SHARD_MEMBERS;
use serde::{Deserialize, Serialize};

/// The group's record, as the directory stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a group")]
pub struct GroupRecord {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: UserId,
    /// How many members it has.
    pub members: u32,
    /// How many slots were given out, to members who left as well. A user who comes back has their
    /// old slot.
    #[serde(rename = "places")]
    pub slots: u64,
    /// When it was made, in ms.
    pub created_at_ms: i64,
    /// The name of the request that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Whether it is a super group.
    pub super_group: bool,
    /// Whether only the owner and admins may send.
    pub muted: bool,
    /// Whether members may read messages from before they joined.
    pub open_history: bool,
    /// Whether it has ended.
    pub dissolved: bool,
    /// How many changes were made. It is the version of the latest one.
    pub version: u64,
    /// The latest change, while it is not finished.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The seq of its announcement in the log, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_seq: Option<u64>,
}

impl GroupRecord {
    /// The record after a change that is then to be carried out.
    #[must_use]
    pub fn after(&self, change: Change) -> Self {
        let mut next = Self {
            version: self.version + 1,
            change_seq: None,
            ..self.clone()
        };
        match &change.effect {
            Effect::Added { users, slots } => {
                next.slots = slots.iter().map(|slot| slot + 1).fold(next.slots, u64::max);
                next.members = next.members.saturating_add(count(users));
            }
            Effect::Removed { users } => next.members = next.members.saturating_sub(count(users)),
            Effect::Left => next.members = next.members.saturating_sub(1),
            Effect::Renamed { name } => next.name.clone_from(name),
            // A dissolved group keeps the number of members that it had.
            Effect::Created { .. } | Effect::LeftDissolved | Effect::Role { .. } | Effect::MemberMuted { .. } => {}
            Effect::HandedOver { user } => next.owner = *user,
            Effect::Muted { muted } => next.muted = *muted,
            Effect::HistoryOpened { open } => next.open_history = *open,
            Effect::BecameSuper => next.super_group = true,
            Effect::Dissolved => next.dissolved = true,
        }
        next.change = Some(change);
        next
    }

    /// Whether this is the same change to the same group, however far it has come.
    pub fn is_same_change(&self, other: &Self) -> bool {
        self.version == other.version && self.change == other.change
    }
}

/// How many shards this many slots take; at least one.
pub fn shards(slots: u64) -> u64 {
    slots.div_ceil(SHARD_MEMBERS).max(1)
}

/// The number of users of one change.
pub fn count(users: &[UserId]) -> u32 {
    u32::try_from(users.len()).unwrap_or(u32::MAX)
}

/// A change as JSON in a string, because it is always read whole.
mod text {
    use super::Change;
    use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

    #[expect(clippy::ref_option, reason = "serde passes the field itself")]
    pub(super) fn serialize<S: Serializer>(change: &Option<Change>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(change).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Change>, D::Error> {
        serde_json::from_str(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
