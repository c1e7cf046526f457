//! Connections in the head of their user's inbox, and the positions of devices.

use super::head::{connection_from_text, from_item, numbering_value};
use crate::Store;
use crate::error::StoreError;
use crate::item::{Unmet, corrupt, get_string, number, string, unmet};
use crate::schema::timelines::{self as attr, device_attribute, key};
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use std::time::Duration;
use wigwag_domain::connection::Connection;
use wigwag_domain::head::{DeviceSlot, InboxHead};
use wigwag_domain::{DeviceKey, RoomId, TimelineId, UserId};

/// How writing a connection into a head ended.
#[derive(Debug)]
pub enum Written {
    /// It is in the head; the head before it.
    Yes(InboxHead),
    /// There is no such user.
    NoSuchUser,
    /// A newer connection of the device is in the head already.
    Superseded,
}

/// How removing a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone from the head.
    Yes {
        /// The room that it was in.
        room: Option<RoomId>,
    },
    /// It was not there.
    NotThere,
}

/// How setting a position ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positioned {
    /// The position is now there, or was further on already.
    Yes,
    /// It is beyond the newest seq.
    BeyondEnd {
        /// The newest seq.
        max_seq: u64,
    },
}

/// A device that is not connected keeps its slot for this long after its last message, because it
/// may still repeat the message: without the numbering, a repeat would look like a new one.
pub const KEEP_IDLE: Duration = Duration::from_hours(1);

/// Writes a connection into the head, unless a newer one of its device is there. One write unit,
/// one attempt: a second one would take its own connection for the older one.
pub async fn put_connection(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    connection: &Connection,
) -> Result<Written, StoreError> {
    let result = store
        .once
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
        .update_expression("SET #c = :connection")
        .condition_expression("attribute_exists(#t) AND (attribute_not_exists(#c) OR #c <= :connection)")
        .expression_attribute_names("#t", attr::TIMELINE)
        .expression_attribute_names("#c", device_attribute(attr::CONNECTION, device))
        .expression_attribute_values(":connection", string(connection.to_text(None)))
        .return_values(ReturnValue::AllOld)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match result {
        Ok(output) => from_item(&output.attributes.unwrap_or_default()).map(Written::Yes),
        Err(error) => match unmet(error.as_service_error()) {
            Some(Unmet::NoItem) => Ok(Written::NoSuchUser),
            Some(Unmet::Item(_)) => Ok(Written::Superseded),
            None => Err(StoreError::call("UpdateItem (connect)")(error)),
        },
    }
}

/// Removes the device that has been away longest, if it is still as the head showed it, and raises
/// the session floor to its session. `false`: no device may be removed.
pub async fn make_slot(store: &Store, user: UserId, head: &InboxHead, now_ms: i64) -> Result<bool, StoreError> {
    let Some((device, known)) = longest_away(head, now_ms) else {
        return Ok(false);
    };
    tracing::info!(user.id = user.0, device = %device, "forgot a device, to free its slot for another");
    let floor = known
        .numbering
        .as_ref()
        .map_or(0, |numbering| numbering.session)
        .max(head.session_floor);
    let (connection, numbering) = (
        device_attribute(attr::CONNECTION, device),
        device_attribute(attr::NUMBERING, device),
    );
    let mut call = store
        .once
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
        .update_expression("SET #floor = :floor REMOVE #c, #s, #o, #p")
        .expression_attribute_names("#floor", attr::SESSION_FLOOR)
        .expression_attribute_names("#c", connection)
        .expression_attribute_names("#s", numbering)
        .expression_attribute_names("#o", device_attribute(attr::OWN_SEQ, device))
        .expression_attribute_names("#p", device_attribute(attr::POSITION, device))
        .expression_attribute_values(":floor", number(floor));
    let is_connection = known
        .connection
        .as_ref()
        .map_or("attribute_not_exists(#c)", |_| "#c = :connection");
    let is_numbering = known
        .numbering
        .as_ref()
        .map_or("attribute_not_exists(#s)", |_| "#s = :numbering");
    call = call.condition_expression(format!("{is_connection} AND {is_numbering}"));
    if let Some(connection) = &known.connection {
        call = call.expression_attribute_values(":connection", string(connection.to_text(known.room)));
    }
    if let Some(numbering) = &known.numbering {
        call = call.expression_attribute_values(":numbering", numbering_value(numbering));
    }
    match call.send().await {
        Ok(_) => Ok(true),
        Err(error) if unmet(error.as_service_error()).is_some() => Ok(false),
        Err(error) => Err(StoreError::call("UpdateItem (make slot)")(error)),
    }
}

/// Removes a connection from the user's head, if it is still that one. Answers with the room that
/// it was in; `NotThere` if another connection, or none, is in its slot. One write unit; may be
/// repeated.
#[tracing::instrument(name = "store.inbox.remove_connection", skip_all, fields(user.id = user.0, connection.id = connection_id))]
pub async fn remove_connection(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    connected_at_ms: i64,
    connection_id: &str,
) -> Result<Removed, StoreError> {
    let name = device_attribute(attr::CONNECTION, device);
    let call = store
        .db
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
        .update_expression("REMOVE #c")
        .condition_expression("begins_with(#c, :id)")
        .expression_attribute_names("#c", &name)
        .expression_attribute_values(":id", string(Connection::prefix(connected_at_ms, connection_id)))
        .return_values(ReturnValue::AllOld);
    let before = match call.send().await {
        Ok(output) => output.attributes.unwrap_or_default(),
        Err(error) if unmet(error.as_service_error()).is_some() => return Ok(Removed::NotThere),
        Err(error) => return Err(StoreError::call("UpdateItem (disconnect)")(error)),
    };
    let text = get_string(&before, &name).ok_or_else(|| corrupt("timelines", "a connection is no string"))?;
    let (_, room) = connection_from_text(text)?;
    Ok(Removed::Yes { room })
}

/// Stores that a device has everything up to `seq`. Positions only advance. One write unit; may be
/// repeated.
#[tracing::instrument(name = "store.position", skip_all, fields(user.id = user.0, seq))]
pub async fn set_position(store: &Store, user: UserId, device: &DeviceKey, seq: u64) -> Result<Positioned, StoreError> {
    let result = store
        .db
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
        .update_expression("SET #p = :seq")
        .condition_expression("#counter >= :seq AND (attribute_not_exists(#p) OR #p < :seq)")
        .expression_attribute_names("#p", device_attribute(attr::POSITION, device))
        .expression_attribute_names("#counter", attr::COUNTER)
        .expression_attribute_values(":seq", number(seq))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match result {
        Ok(_) => Ok(Positioned::Yes),
        Err(error) => match unmet(error.as_service_error()) {
            Some(unmet) => {
                let max_seq = from_item(&unmet.item().unwrap_or_default())?.seq;
                Ok(if seq > max_seq {
                    Positioned::BeyondEnd { max_seq }
                } else {
                    Positioned::Yes
                })
            }
            None => Err(StoreError::call("UpdateItem (position)")(error)),
        },
    }
}

/// The device with the oldest last message, among those that are not connected and have been idle
/// long enough.
fn longest_away(head: &InboxHead, now_ms: i64) -> Option<(&DeviceKey, &DeviceSlot)> {
    let keep_ms = i64::try_from(KEEP_IDLE.as_millis()).unwrap_or(i64::MAX);
    let last_sent = |device: &DeviceSlot| {
        device
            .numbering
            .as_ref()
            .map_or(0, |numbering| numbering.plan.sent_at_ms)
    };
    let is_connected = |device: &DeviceSlot| {
        device
            .connection
            .as_ref()
            .is_some_and(|connection| connection.is_alive(now_ms))
    };
    head.devices
        .iter()
        .filter(|(_, device)| !is_connected(device) && now_ms - last_sent(device) > keep_ms)
        .min_by_key(|(_, device)| last_sent(device))
}

/// Writes the room into the head, if the connection is still there and still in the room it was in.
/// Answers whether it was. One write unit.
pub async fn set_room(
    store: &Store,
    inbox: &TimelineId,
    device: &DeviceKey,
    connection: &Connection,
    from: Option<RoomId>,
    to: Option<RoomId>,
) -> Result<bool, StoreError> {
    let result = store
        .db
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(inbox, attr::HEAD)))
        .update_expression("SET #c = :after")
        .condition_expression("#c = :before")
        .expression_attribute_names("#c", device_attribute(attr::CONNECTION, device))
        .expression_attribute_values(":before", string(connection.to_text(from)))
        .expression_attribute_values(":after", string(connection.to_text(to)))
        .send()
        .await;
    match result {
        Ok(_) => Ok(true),
        Err(error) if unmet(error.as_service_error()).is_some() => Ok(false),
        Err(error) => Err(StoreError::call("UpdateItem (room)")(error)),
    }
}
