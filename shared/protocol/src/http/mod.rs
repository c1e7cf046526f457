//! Bodies of the HTTP API, in JSON. The `api` function and the client share them.
//!
//! Times are in ms since 1970 unless the name of the field says otherwise.

mod accounts;
mod group_changes;
mod groups;
mod history;
mod relations;
mod rooms;

pub use accounts::{LoggedIn, Login, Me, PLATFORM_LINUX, PLATFORMS, Platform, Profile, Register, Registered};
pub use group_changes::{
    CreateGroup, GroupCreated, GroupMemberRef, GroupRef, GroupUsers, MembersChanged, MuteMember, SetRole, UpdateGroup,
};
pub use groups::{Group, Groups, Member, Members, Role};
pub use history::History;
pub use relations::{Block, Friend, Friends};
pub use rooms::RoomUsers;

use serde::{Deserialize, Serialize};

/// The answer to a request that was done and has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {}

/// Body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Number of a [`Code`](crate::Code).
    pub code: i32,
    /// The name and the text of the code, and sometimes a detail.
    pub message: String,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// How long to wait before that, in seconds, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}
