//! Registering, logging in, and profiles.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Kind of device, numbered as `OpenIM` does. One byte, because every record stores it.
pub type Platform = u8;

/// Platforms run from 1 (iOS) to 11 (`HarmonyOS`).
pub const PLATFORMS: std::ops::RangeInclusive<Platform> = 1..=11;

/// Linux. The command line uses it.
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
    /// Chosen by the device, which keeps it; 1 to 64 bytes.
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
    /// The user who logged in.
    pub user_id: u64,
    /// A secret: everybody who has it can act as this device.
    pub token: String,
    /// When the token expires, in ms since 1970.
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
    /// Name that others see.
    pub nickname: String,
    /// Shown to nobody else.
    pub phone_number: String,
    /// Time of the registration, in ms since 1970.
    pub created_at_ms: i64,
}

/// `GET /user/{user_id}`: the public profile of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The user.
    pub user_id: u64,
    /// Name that others see.
    pub nickname: String,
}
