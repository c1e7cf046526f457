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

/// `GET /history/{peer_id}?begin_seq&end_seq&limit&descending`: a page of the conversation with a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In the order asked for.
    pub messages: Vec<Message>,
    /// Whether the range holds more.
    pub has_more: bool,
    /// Where to go on: the next `begin_seq`, or `end_seq` when descending; 0 at the end.
    pub next_seq: u64,
    /// The conversation's highest reserved seq.
    pub max_seq: u64,
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
