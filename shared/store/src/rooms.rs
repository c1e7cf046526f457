//! Rooms: a row for each connection that is in one.

use crate::Store;
use crate::error::StoreError;
use crate::inboxes::connection_from_text;
use crate::item::{Item, corrupt, get_number, get_string, number, string};
use crate::schema::directory::{self as attr, occupant_key, room_partition};
use wigwag_domain::connection::{CONNECTION_MAX_AGE_S, Connection};
use wigwag_domain::{DeviceKey, RoomId, UserId};

/// A connection that is in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupant {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceKey,
    /// The connection to push to.
    pub connection: Connection,
}

/// Puts the row of a connection into a room. One write unit; may be repeated.
pub async fn put_occupant(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    connection: &Connection,
    room: RoomId,
) -> Result<(), StoreError> {
    let mut item = occupant_key(room, &connection.id);
    item.insert(attr::USER_ID.to_owned(), number(user));
    item.insert(attr::DEVICE.to_owned(), string(device.as_str()));
    item.insert(attr::CONNECTION.to_owned(), string(connection.to_text(None)));
    item.insert(attr::TTL.to_owned(), number(expiry_s(connection.connected_at_ms)));
    let call = store.db.put_item().table_name(&store.directory).set_item(Some(item));
    call.send().await.map_err(StoreError::call("PutItem (room)"))?;
    Ok(())
}

/// Removes a connection's row from a room: it has left it, or is gone. One write unit; may be
/// repeated.
#[tracing::instrument(name = "store.room.forget", skip_all, fields(room.id = room.0, connection.id = connection_id))]
pub async fn forget_occupant(store: &Store, room: RoomId, connection_id: &str) -> Result<(), StoreError> {
    let key = occupant_key(room, connection_id);
    let call = store.db.delete_item().table_name(&store.directory).set_key(Some(key));
    call.send().await.map_err(StoreError::call("DeleteItem (room)"))?;
    Ok(())
}

/// Whether a connection is in a room. Half a read unit; one more if it seems not to be, because it
/// may have entered just now.
#[tracing::instrument(name = "store.room.is_in", skip_all, fields(room.id = room.0, connection.id = connection_id))]
pub async fn is_in_room(store: &Store, room: RoomId, connection_id: &str) -> Result<bool, StoreError> {
    for consistent in [false, true] {
        let call = store
            .db
            .get_item()
            .table_name(&store.directory)
            .set_key(Some(occupant_key(room, connection_id)))
            .consistent_read(consistent);
        let output = call.send().await.map_err(StoreError::call("GetItem (room)"))?;
        if output.item.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A page of the connections in a room, after a connection; and where to read on. Strongly
/// consistent: a connection that has entered gets all later frames. Connections that are too old
/// are left out. One request, one read unit per 4 KB.
#[tracing::instrument(name = "store.room.occupants", skip_all, fields(room.id = room.0))]
pub async fn occupants(
    store: &Store,
    room: RoomId,
    after: Option<&str>,
    limit: u32,
    now_ms: i64,
) -> Result<(Vec<Occupant>, Option<String>), StoreError> {
    let output = store
        .db
        .query()
        .table_name(&store.directory)
        .key_condition_expression("#pk = :room")
        .expression_attribute_names("#pk", attr::PK)
        .expression_attribute_values(":room", string(room_partition(room)))
        .set_exclusive_start_key(after.map(|after| occupant_key(room, after)))
        .consistent_read(true)
        .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
        .send()
        .await
        .map_err(StoreError::call("Query (room)"))?;
    let next = output.last_evaluated_key.as_ref();
    let next = next.and_then(|key| get_string(key, attr::SK)).map(str::to_owned);
    let readable = |item: &Item| {
        let occupant = occupant(item).inspect_err(|error| {
            let connection = get_string(item, attr::SK);
            tracing::error!(room.id = room.0, connection.id = connection, %error, "who is in a room is left out");
        });
        occupant.ok()
    };
    let occupants = output.items().iter().filter_map(readable);
    let alive = occupants.filter(|occupant| occupant.connection.is_alive(now_ms));
    Ok((alive.collect(), next))
}

/// When a connection that was opened at this time must have ended, in seconds.
pub fn expiry_s(connected_at_ms: i64) -> i64 {
    connected_at_ms / 1000 + CONNECTION_MAX_AGE_S
}

fn occupant(item: &Item) -> Result<Occupant, StoreError> {
    let read = || {
        let user = get_number(item, attr::USER_ID)?;
        let device = DeviceKey::from_key(get_string(item, attr::DEVICE)?)?;
        Some((user, device, get_string(item, attr::CONNECTION)?))
    };
    let (user, device, text) = read().ok_or_else(|| corrupt("directory", "an occupant lacks a part"))?;
    let (connection, _) = connection_from_text(text)?;
    Ok(Occupant {
        user,
        device,
        connection,
    })
}
