//! Making and changing groups.

use super::Role;
use serde::{Deserialize, Serialize};

/// `POST /group/create`. The caller is its owner. Answered with [`GroupCreated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateGroup {
    /// 1 to 64 characters.
    pub name: String,
    /// The members besides the owner, at most 100. More can be added later.
    #[serde(default)]
    pub user_ids: Vec<u64>,
    /// Whether it is a super group from the start.
    #[serde(default)]
    pub super_group: bool,
    /// Whether members may read what was sent before they joined.
    #[serde(default)]
    pub open_history: bool,
    /// The caller's own name for this request, 1 to 64 bytes. The same request with the same name
    /// makes no second group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A new group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCreated {
    /// The group's id from now on.
    pub group_id: u64,
}

/// `POST /group/add`, `POST /group/remove`. Answered with [`MembersChanged`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupUsers {
    /// The group.
    pub group_id: u64,
    /// 1 to 100 users.
    pub user_ids: Vec<u64>,
}

/// What a request changed, user by user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MembersChanged {
    /// Added or removed by this request.
    pub changed: Vec<u64>,
    /// Were members, or were none, before this request.
    pub unchanged: Vec<u64>,
}

/// `POST /group/leave`, `POST /group/dissolve`. A repeat changes nothing and succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRef {
    /// The group.
    pub group_id: u64,
}

/// `POST /group/hand_over`: the member becomes the owner, and the owner an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMemberRef {
    /// The group.
    pub group_id: u64,
    /// The member.
    pub user_id: u64,
}

/// `POST /group/role`: makes a member an admin, or a plain member again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRole {
    /// The group.
    pub group_id: u64,
    /// The member.
    pub user_id: u64,
    /// [`Role::Admin`] or [`Role::Member`].
    pub role: Role,
}

/// `POST /group/mute_member`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MuteMember {
    /// The group.
    pub group_id: u64,
    /// The member.
    pub user_id: u64,
    /// Duration in seconds from now; 0 ends the muting.
    pub seconds: u64,
}

/// `POST /group/update`. An absent field changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UpdateGroup {
    /// The group.
    pub group_id: u64,
    /// 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether only the owner and admins may send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// Whether members may read what was sent before they joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_history: Option<bool>,
    /// `true` turns the group into a super group. That is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub super_group: Option<bool>,
}
