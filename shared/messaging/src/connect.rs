//! Connecting: the connection is written into its user's head.

use crate::disconnect::disconnect;
use wigwag_domain::connection::Connection;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_protocol::limits::DEVICES_PER_USER;
use wigwag_store::inboxes::{self, Written};
use wigwag_store::{Store, StoreError, rooms};

/// Which older connections a new one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionPolicy {
    /// The one of the same device.
    Device,
    /// Every one of the same platform.
    Platform,
}

/// How a connect ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    /// The device can be pushed to.
    Yes {
        /// The user's highest reserved seq.
        max_seq: u64,
        /// The replaced connections that can still be open: to be told, and closed.
        replaced: Vec<Connection>,
    },
    /// There is no such user.
    NoSuchUser,
    /// The head has a newer connection of the device already: this one was given up before it was
    /// finished.
    Superseded,
    /// Every slot belongs to a device that is connected, or was active within
    /// [`KEEP_IDLE`](inboxes::KEEP_IDLE).
    TooManyDevices,
}

/// Writes a connection into the user's head. One write unit and one request, unless it replaces a
/// connection in a room or on another device, or a device has to give up its slot.
#[tracing::instrument(name = "connect", skip_all, fields(user.id = user.0, connection.id = connection.id))]
pub async fn connect(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    connection: &Connection,
    policy: ConnectionPolicy,
    now_ms: i64,
) -> Result<Connected, StoreError> {
    let before = match inboxes::put_connection(store, user, device, connection).await? {
        Written::Yes(before) => before,
        Written::NoSuchUser => return Ok(Connected::NoSuchUser),
        Written::Superseded => return Ok(Connected::Superseded),
    };
    if !before.devices.contains_key(device)
        && before.devices.len() >= DEVICES_PER_USER
        && !inboxes::make_slot(store, user, &before, now_ms).await?
    {
        disconnect(store, user, device, connection.connected_at_ms, &connection.id).await?;
        return Ok(Connected::TooManyDevices);
    }
    let mut replaced = Vec::new();
    for (other, older) in before
        .connections(now_ms)
        .filter(|(_, older)| older.id != connection.id)
    {
        if other == device {
            if let Some(room) = before.devices.get(other).and_then(|device| device.room) {
                rooms::forget_occupant(store, room, &older.id).await?;
            }
            replaced.push(older.clone());
        } else if policy == ConnectionPolicy::Platform && older.platform == connection.platform {
            disconnect(store, user, other, older.connected_at_ms, &older.id).await?;
            replaced.push(older.clone());
        }
    }
    Ok(Connected::Yes {
        max_seq: before.seq,
        replaced,
    })
}
