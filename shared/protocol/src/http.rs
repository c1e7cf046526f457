//! Bodies of the HTTP API, JSON both ways. Shared by the `api` function and the client.

use crate::pb::Message;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Kind of device, as in the `OpenIM` seed. At most one byte on every record.
pub type Platform = u8;

/// Platforms run from 1 (iOS) to 11 (`HarmonyOS`).
pub const PLATFORMS: std::ops::RangeInclusive<Platform> = 1..=11;

/// Linux, what the command line says it is.
pub const PLATFORM_LINUX: Platform = 7;

/// `POST /register`. Answered with [`Registered`].
#[derive(Clone, Serialize, Deserialize)]
pub struct Register {
    /// 7 to 15 digits, with or without a leading `+`.
    pub phone_number: String,
    /// 1 to 64 characters.
    pub nickname: String,
    /// 8 characters or more.
    pub password: String,
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Register { *** }")
    }
}

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The user's id from now on.
    pub user_id: u64,
}

/// `POST /login`. Answered with [`LoggedIn`].
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// As registered.
    pub phone_number: String,
    /// As registered.
    pub password: String,
    /// Kind of device, 1 to 11.
    pub platform: Platform,
    /// Chosen by the device once and kept; 1 to 64 bytes.
    pub device_id: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login { *** }")
    }
}

/// A token for one device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// Who logged in.
    pub user_id: u64,
    /// Secret: whoever has it is that user's device.
    pub token: String,
    /// When the token ends, in ms.
    pub expires_at_ms: i64,
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn")
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// `GET /me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The signed-in user.
    pub user_id: u64,
    /// Name shown to others.
    pub nickname: String,
    /// Shown to nobody else.
    pub phone_number: String,
    /// Registration, in ms.
    pub created_at_ms: i64,
}

/// `GET /user/{user_id}`: what everyone may know of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The user.
    pub user_id: u64,
    /// Name shown to others.
    pub nickname: String,
}

/// `POST /friend/add` and `POST /friend/remove`: whom the signed-in user counts as a friend. Each side says so for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Friend {
    /// The other user.
    pub friend_id: u64,
}

/// `GET /friend/list`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Friends {
    /// Ids, ascending.
    pub friend_ids: Vec<u64>,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// `POST /block/add` and `POST /block/remove`: whose messages the signed-in user does not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The other user.
    pub user_id: u64,
}

/// Done, and there is nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {}

/// `GET /history/{peer_id}` and `GET /group/{group_id}/history`, each with `?begin_seq&end_seq&limit&descending`: a page of
/// the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In the order asked for.
    pub messages: Vec<Message>,
    /// Whether the range holds more.
    pub has_more: bool,
    /// Where to go on: the next `begin_seq`, or `end_seq` when descending; 0 at the end.
    pub next_seq: u64,
    /// The conversation's highest reserved seq; of a group, the highest that the caller may read.
    pub max_seq: u64,
    /// Of a group, oldest first: whether this page reaches the end, and nothing more is the caller's unless they come back.
    #[serde(default)]
    pub ended: bool,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and sends.
    Member,
    /// Adds, removes and mutes members, renames and mutes the group.
    Admin,
    /// Does all that, names admins, hands over, turns the group into a super group, dissolves it.
    Owner,
}

/// `POST /group/create`. The caller is its owner. Answered with [`GroupCreated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateGroup {
    /// 1 to 64 characters.
    pub name: String,
    /// The members beside the owner, at most 100; more are added later.
    #[serde(default)]
    pub user_ids: Vec<u64>,
    /// Whether it is a super group from the start.
    #[serde(default)]
    pub super_group: bool,
    /// Whether members may read what was sent before they joined.
    #[serde(default)]
    pub open_history: bool,
    /// What the caller calls this request, 1 to 64 bytes that no other request of theirs to make a group has: repeated with it, it makes
    /// no second group.
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

/// What became of each user of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MembersChanged {
    /// Added or removed by this request.
    pub changed: Vec<u64>,
    /// As asked already: a member, or none.
    pub unchanged: Vec<u64>,
}

/// `POST /group/leave`, `POST /group/dissolve`. Done already where it was done before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRef {
    /// The group.
    pub group_id: u64,
}

/// `POST /group/hand_over`: the member becomes the owner, the owner an admin.
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
    /// For how long from now; 0 ends it.
    pub seconds: u64,
}

/// `POST /group/update`. What is absent stays as it is.
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
    /// `true` turns the group into a super group, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub super_group: Option<bool>,
}

/// `GET /group/{group_id}`, for its members.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a group, named on the wire"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group.
    pub group_id: u64,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner_id: u64,
    /// How many are in it.
    pub members: u32,
    /// Whether members read its log instead of getting copies.
    pub super_group: bool,
    /// Whether only the owner and admins may send.
    pub muted: bool,
    /// Whether members may read what was sent before they joined.
    pub open_history: bool,
    /// Whether it has come to its end.
    pub dissolved: bool,
    /// When it was made, in ms.
    pub created_at_ms: i64,
    /// The highest conversation seq that the caller may read.
    pub max_seq: u64,
    /// The lowest conversation seq that the caller may read.
    pub min_seq: u64,
    /// In a super group: what the caller reads from its log lies beyond this conversation seq. 0 in any other.
    #[serde(default)]
    pub log_after: u64,
    /// The caller's role.
    pub role: Role,
    /// Until when the caller is muted, in ms; 0 where they are not.
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
    /// Who it is.
    pub user_id: u64,
    /// What they may do.
    pub role: Role,
    /// Until when they are muted, in ms; 0 where they are not.
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

/// `GET /room_user/list?room_id&after`: who is in a room right now, one entry per connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoomUsers {
    /// A page of users; one with two devices in the room stands there twice.
    pub user_ids: Vec<u64>,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Number of a [`Code`](crate::Code).
    pub code: i32,
    /// Its name and text.
    pub message: String,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// How long to wait before that, in seconds, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}
