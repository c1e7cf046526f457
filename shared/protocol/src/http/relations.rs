//! Friends and blocks.

use serde::{Deserialize, Serialize};

/// `POST /friend/add` and `POST /friend/remove`: adds or removes a friend of the
/// signed-in user. Each user decides for themselves.
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

/// `POST /block/add` and `POST /block/remove`: blocks or unblocks messages of another
/// user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The other user.
    pub user_id: u64,
}
