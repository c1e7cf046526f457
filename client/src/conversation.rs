//! Targets of messages and signals, and the part of a conversation to read.

use wigwag_protocol::pb::SessionType;

/// The target of a message. A plain number is a user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// Another user.
    Peer(u64),
    /// A group or a super group.
    Group(u64),
}

impl From<u64> for Conversation {
    fn from(user_id: u64) -> Self {
        Self::Peer(user_id)
    }
}

impl Conversation {
    /// The type and id that the protocol uses.
    pub(crate) fn parts(self) -> (SessionType, u64) {
        match self {
            Self::Peer(id) => (SessionType::Single, id),
            Self::Group(id) => (SessionType::Group, id),
        }
    }
}

/// The target of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalTo {
    /// Another user, on all devices that are online.
    User(u64),
    /// All users in a room that this device is in.
    Room(u64),
}

/// The part of a conversation to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First conversation seq; 0 means the oldest.
    pub begin_seq: u64,
    /// Last conversation seq; 0 means the newest.
    pub end_seq: u64,
    /// Maximum number of messages; 0 means as many as fit a page.
    pub limit: u32,
    /// Newest first.
    pub descending: bool,
}

impl Range {
    /// The newest `limit` messages, newest first.
    pub const fn newest(limit: u32) -> Self {
        Self {
            begin_seq: 0,
            end_seq: 0,
            limit,
            descending: true,
        }
    }
}
