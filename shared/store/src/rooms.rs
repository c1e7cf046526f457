//! Rooms: who is in one right now. Nothing that is said in a room is kept.
//!
//! A connection is in one room at most, and its place in the head says which: entering another leaves the first, and so does the
//! connection's end. Each room has a row per connection, which expires where no `$disconnect` came.

use crate::Store;
use crate::error::StoreError;
use crate::head::Connection;
use crate::ids::{DeviceKey, RoomId, UserId};

/// A connection that is in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupant {
    /// Whose it is.
    pub user: UserId,
    /// Which device.
    pub device: DeviceKey,
    /// Where to push.
    pub connection: Connection,
}

/// How entering or leaving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Done. The room that the connection was in before.
    From(Option<RoomId>),
    /// The connection has been replaced, or has gone.
    NoConnection,
}

impl Store {
    /// Puts a connection into a room, out of the one it was in.
    pub async fn enter_room(
        &self,
        user: UserId,
        device: &DeviceKey,
        connected_at_ms: i64,
        connection_id: &str,
        room: RoomId,
        now_ms: i64,
    ) -> Result<Moved, StoreError> {
        let _ = (user, device, connected_at_ms, connection_id, room, now_ms, self);
        todo!()
    }

    /// Takes a connection out of whichever room it is in.
    pub async fn leave_room(
        &self,
        user: UserId,
        device: &DeviceKey,
        connected_at_ms: i64,
        connection_id: &str,
    ) -> Result<Moved, StoreError> {
        let _ = (user, device, connected_at_ms, connection_id, self);
        todo!()
    }

    /// Whether a connection is in a room. Half a read unit.
    pub async fn is_in_room(&self, room: RoomId, connection_id: &str) -> Result<bool, StoreError> {
        let _ = (room, connection_id, self);
        todo!()
    }

    /// A page of who is in a room, after a connection; and where to go on. Left-overs that are too old are left out.
    pub async fn occupants(
        &self,
        room: RoomId,
        after: Option<&str>,
        limit: u32,
        now_ms: i64,
    ) -> Result<(Vec<Occupant>, Option<String>), StoreError> {
        let _ = (room, after, limit, now_ms, self);
        todo!()
    }
}
