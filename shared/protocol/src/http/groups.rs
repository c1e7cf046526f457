//! Groups and members, as members see them.

use serde::{Deserialize, Serialize};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and sends.
    Member,
    /// Also adds, removes and mutes members, and renames and mutes the group.
    Admin,
    /// Also appoints admins, opens the history, hands the group over, turns it into a super group,
    /// and dissolves it.
    Owner,
}

/// `GET /group/{group_id}`, for its members.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a group, with their names on the wire"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group.
    pub group_id: u64,
    /// Its name.
    pub name: String,
    /// The owner.
    pub owner_id: u64,
    /// Number of members.
    pub members: u32,
    /// Whether it is a super group: members read its log instead of getting copies.
    pub super_group: bool,
    /// Whether only the owner and admins may send.
    pub muted: bool,
    /// Whether members may read what was sent before they joined.
    pub open_history: bool,
    /// Whether it was dissolved.
    pub dissolved: bool,
    /// Time of its creation, in ms since 1970.
    pub created_at_ms: i64,
    /// The highest conversation seq that the caller may read.
    pub max_seq: u64,
    /// The lowest conversation seq that the caller may read.
    pub min_seq: u64,
    /// In a super group: the caller reads messages beyond this conversation seq from the log, and
    /// has copies of earlier ones. 0 in any other group.
    #[serde(default)]
    pub log_after: u64,
    /// The caller's role.
    pub role: Role,
    /// Until when the caller is muted, in ms since 1970; 0 if they are not.
    #[serde(default)]
    pub muted_until_ms: i64,
}

/// `GET /group/list?after`: the groups that the caller is in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Groups {
    /// By id, ascending.
    pub groups: Vec<Group>,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A member, as other members see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The user.
    pub user_id: u64,
    /// Their role.
    pub role: Role,
    /// Until when they are muted, in ms since 1970; 0 if they are not.
    #[serde(default)]
    pub muted_until_ms: i64,
}

/// `GET /group_user/list?group_id&after`: the members, in the order in which they joined.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Members {
    /// A page of them.
    pub members: Vec<Member>,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
