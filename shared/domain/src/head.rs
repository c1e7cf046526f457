//! Heads of timelines: the counter, and what is read or written together with it.
//!
//! An inbox's head holds the counter and the user's devices. So the answer to a reservation
//! brings the connections to push to, and connecting and delivering are ordered: a delivery either
//! sees the new connection and pushes to it, or came before it, and then the device finds it in its
//! first sync.

use crate::connection::Connection;
use crate::ids::{DeviceKey, RoomId};
use crate::numbering::Numbering;
use std::collections::BTreeMap;

/// The counter that every head has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The highest reserved seq.
    pub seq: u64,
    /// When that seq was reserved, in ms; 0 if none was reserved yet.
    pub reserved_at_ms: i64,
}

/// The head of a user's inbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboxHead {
    /// The highest reserved seq.
    pub seq: u64,
    /// The user's devices.
    pub devices: BTreeMap<DeviceKey, DeviceSlot>,
    /// The latest session of a device that had to give up its slot. Without the device's record an
    /// older session cannot be told from a new one, so sessions up to this are refused.
    pub session_floor: u64,
}

/// The head of a group's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupLogHead {
    /// The highest reserved seq.
    pub seq: u64,
    /// The group's settings; `None` while the group is being made.
    pub settings: Option<GroupSettings>,
}

/// The settings in the head of a group's log: a reservation brings them along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// Version of the change that made them so.
    pub version: u64,
    /// How many shards the members are in; at least 1.
    pub shards: u32,
    /// Messages beyond this seq belong to a super group: no inbox holds them.
    pub super_after: Option<u64>,
    /// Messages beyond this seq are refused: the group was dissolved.
    pub dissolved_after: Option<u64>,
    /// Only the owner and admins may send.
    pub muted: bool,
    /// Members may read messages from before they joined.
    pub open_history: bool,
}

impl GroupSettings {
    /// Whether the message with this conversation seq belongs to a super group.
    pub fn is_super(&self, conversation_seq: u64) -> bool {
        self.super_after.is_some_and(|after| conversation_seq > after)
    }
}

/// A device's slot in the head of its user's inbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceSlot {
    /// The connection to push to.
    pub connection: Option<Connection>,
    /// The room that this connection is in.
    pub room: Option<RoomId>,
    /// The numbering of its messages.
    pub numbering: Option<Numbering>,
    /// The seq up to which the device said that it has everything.
    pub position: Option<u64>,
}

impl InboxHead {
    /// The connections that can still be open, each with its device.
    pub fn connections(&self, now_ms: i64) -> impl Iterator<Item = (&DeviceKey, &Connection)> {
        self.devices.iter().filter_map(move |(key, device)| {
            device
                .connection
                .as_ref()
                .filter(|connection| connection.is_alive(now_ms))
                .map(|connection| (key, connection))
        })
    }
}
