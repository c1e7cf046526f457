//! Disconnecting: the connection is removed from its user's head and from its room.

use wigwag_domain::{DeviceKey, RoomId, UserId};
use wigwag_store::inboxes::{self, Removed};
use wigwag_store::{Store, StoreError, rooms};

/// How a disconnect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnected {
    /// The connection is gone from the head, and from the room that it was in.
    Yes {
        /// That room.
        room: Option<RoomId>,
    },
    /// It was not there: a newer one replaced it, or it was removed before.
    NotThere,
}

/// Removes a connection from the user's head, if it is still that one, and from the room that it is
/// in. One write unit and one request; two of each if it is in a room. May be repeated, but only
/// the first time tells the room: if that fails half-way, the room's row expires.
#[tracing::instrument(name = "disconnect", skip_all, fields(user.id = user.0, connection.id = connection_id))]
pub async fn disconnect(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    connected_at_ms: i64,
    connection_id: &str,
) -> Result<Disconnected, StoreError> {
    let removed = inboxes::remove_connection(store, user, device, connected_at_ms, connection_id).await?;
    let Removed::Yes { room } = removed else {
        return Ok(Disconnected::NotThere);
    };
    if let Some(room) = room {
        rooms::forget_occupant(store, room, connection_id).await?;
    }
    Ok(Disconnected::Yes { room })
}
