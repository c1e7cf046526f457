//! Names of things, and how they are written in keys.

use sha2::{Digest, Sha256};
use std::fmt;
use wigwag_protocol::limits::MAX_INTEGER;

/// A user. 1 to 2^53 - 1.
pub type UserId = u64;

/// A group, or a super group. 1 to 2^53 - 1.
pub type GroupId = u64;

/// A room. 1 to 2^53 - 1; it comes to be with the first who enters.
pub type RoomId = u64;

/// To whom a message goes that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// Another user.
    Peer(UserId),
    /// A group or a super group.
    Group(GroupId),
}

/// A timeline: the log of a conversation, or the inbox of a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimelineId(String);

impl TimelineId {
    /// The inbox of a user.
    pub fn inbox(user: UserId) -> Self {
        Self(format!("u{user}"))
    }

    /// The log of the conversation between two users: the same whoever asks.
    pub fn peer(one: UserId, other: UserId) -> Self {
        Self(format!("p{}-{}", one.min(other), one.max(other)))
    }

    /// The log of a group.
    pub fn group(group: GroupId) -> Self {
        Self(format!("g{group}"))
    }

    /// As it stands in the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_key(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl fmt::Display for TimelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device of a user, in six characters: it names attributes of the head, which must stay small.
///
/// It is a hash of platform and device id. Thirty-two bits are plenty among the few devices of one user, and a clash
/// that somebody makes on purpose harms that user alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey(String);

/// The id of the group that an owner's request of this name makes; of those that it may get, the one with this number.
pub fn group_of_request(owner: UserId, request: &str, number: u8) -> GroupId {
    let hash = Sha256::new()
        .chain_update(owner.to_be_bytes())
        .chain_update([number])
        .chain_update(request.as_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(first) % MAX_INTEGER + 1
}

impl DeviceKey {
    /// Characters of a key.
    pub const LEN: usize = 6;

    /// The key of this device.
    pub fn of(platform: u8, device_id: &str) -> Self {
        use base64::Engine as _;
        let digest = Sha256::new()
            .chain_update([platform])
            .chain_update(device_id.as_bytes())
            .finalize();
        Self(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..4]))
    }

    /// A key as [`as_str`](Self::as_str) gave it, from a place that only we write.
    pub fn from_key(key: &str) -> Option<Self> {
        (key.len() == Self::LEN && key.is_ascii()).then(|| Self(key.to_owned()))
    }

    /// As it stands in attribute names.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes a message this one and no other: who sent it, from which device, in which numbering, as which number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The sender.
    pub sender: UserId,
    /// The sender's device.
    pub device: DeviceKey,
    /// The device's numbering.
    pub session: u64,
    /// The number in it.
    pub client_id: u64,
}

impl MessageKey {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + DeviceKey::LEN);
        bytes.extend(self.sender.to_be_bytes());
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
    fn a_conversation_has_one_name_for_both_sides() {
        assert_eq!(TimelineId::peer(7, 3), TimelineId::peer(3, 7));
        assert_eq!(TimelineId::peer(7, 3).as_str(), "p3-7");
    }

    #[test]
    fn a_device_key_depends_on_platform_and_device_id() {
        let key = DeviceKey::of(1, "phone");
        assert_eq!(key, DeviceKey::of(1, "phone"));
        assert_ne!(key, DeviceKey::of(2, "phone"));
        assert_ne!(key, DeviceKey::of(1, "tablet"));
        assert_eq!(DeviceKey::from_key(key.as_str()), Some(key));
    }
}
