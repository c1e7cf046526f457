//! Users in rooms.

use serde::{Deserialize, Serialize};

/// `GET /room_user/list?room_id&after`: the users in a room now, one entry per connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoomUsers {
    /// A page of users. A user with two devices in the room is listed twice.
    pub user_ids: Vec<u64>,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
