//! Ids, and the names of timelines.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use wigwag_protocol::limits::MAX_INTEGER;

/// Defines an id: a number of its own type, written and parsed as a plain number.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A user. 1 to 2^53 - 1.
    UserId
}

id! {
    /// A group, or a super group. 1 to 2^53 - 1.
    GroupId
}

id! {
    /// A room. 1 to 2^53 - 1; it exists from the first device that enters.
    RoomId
}

impl GroupId {
    /// The group that an owner's request makes. A request may get several ids; `number` says which.
    pub fn from_request(owner: UserId, request: &str, number: u8) -> Self {
        let hash = Sha256::new()
            .chain_update(owner.0.to_be_bytes())
            .chain_update([number])
            .chain_update(request.as_bytes())
            .finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Self(u64::from_be_bytes(first) % MAX_INTEGER + 1)
    }
}

/// Who gets a message that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// Another user.
    Peer(UserId),
    /// A group or a super group.
    Group(GroupId),
}

/// A timeline: the log of a conversation, or the inbox of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimelineId {
    /// The inbox of a user.
    Inbox(UserId),
    /// The log of two users, the lower id first.
    PeerLog(UserId, UserId),
    /// The log of a group.
    GroupLog(GroupId),
}

impl TimelineId {
    /// The inbox of a user.
    pub fn inbox(user: UserId) -> Self {
        Self::Inbox(user)
    }

    /// The log of the conversation between two users, in whichever order they are given.
    pub fn peer(one: UserId, other: UserId) -> Self {
        Self::PeerLog(one.min(other), one.max(other))
    }

    /// The log of a group.
    pub fn group(group: GroupId) -> Self {
        Self::GroupLog(group)
    }
}

impl fmt::Display for TimelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbox(user) => write!(f, "inbox of user {user}"),
            Self::PeerLog(one, other) => write!(f, "log of users {one} and {other}"),
            Self::GroupLog(group) => write!(f, "log of group {group}"),
        }
    }
}

/// A device of a user, in six characters: it is part of attribute names in the head, which must
/// stay small.
///
/// It is a hash of platform and device id. Thirty-two bits are plenty for the few devices of one
/// user, and a user who makes two of them clash on purpose harms nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey(String);

impl DeviceKey {
    /// Characters of a key.
    pub const LEN: usize = 6;

    /// The key of a device.
    pub fn derive(platform: u8, device_id: &str) -> Self {
        use base64::Engine as _;
        let digest = Sha256::new()
            .chain_update([platform])
            .chain_update(device_id.as_bytes())
            .finalize();
        Self(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..4]))
    }

    /// A key as [`as_str`](Self::as_str) gave it, from a place that only the server writes.
    pub fn from_key(key: &str) -> Option<Self> {
        (key.len() == Self::LEN && key.is_ascii()).then(|| Self(key.to_owned()))
    }

    /// The key as it is part of attribute names.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a message: who sent it, from which device, in which session, as which number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The sender.
    pub sender: UserId,
    /// The sender's device.
    pub device: DeviceKey,
    /// The device's session.
    pub session: u64,
    /// The message's number in it.
    pub client_id: u64,
}

impl MessageKey {
    /// The key as entries store it: equal messages have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + DeviceKey::LEN);
        bytes.extend(self.sender.0.to_be_bytes());
        bytes.extend(self.session.to_be_bytes());
        bytes.extend(self.client_id.to_be_bytes());
        bytes.extend(self.device.as_str().as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_one_log_for_both_users() {
        let (one, other) = (UserId(7), UserId(3));
        assert_eq!(TimelineId::peer(one, other), TimelineId::peer(other, one));
        assert_eq!(TimelineId::peer(one, other), TimelineId::PeerLog(other, one));
    }

    #[test]
    fn a_device_key_depends_on_platform_and_device_id() {
        let key = DeviceKey::derive(1, "phone");
        assert_eq!(key, DeviceKey::derive(1, "phone"));
        assert_ne!(key, DeviceKey::derive(2, "phone"));
        assert_ne!(key, DeviceKey::derive(1, "tablet"));
        assert_eq!(DeviceKey::from_key(key.as_str()), Some(key));
    }
}
