//! Devices in the head of their user's inbox: connections come and go, positions advance.

use crate::Store;
use crate::error::StoreError;
use crate::head::{Connection, Device, Head, attribute};
use crate::ids::{DeviceKey, RoomId, TimelineId, UserId};
use crate::item::{condition_item, corrupt, get_string, number, string};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use crate::timeline::key;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use std::time::Duration;
use wigwag_protocol::limits::DEVICES_PER_USER;

/// What a new connection takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionPolicy {
    /// The older connection of the same device.
    Device,
    /// Every older connection of the same platform.
    Platform,
}

/// How a connect ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    /// The device can be pushed to.
    Yes {
        /// The user's highest reserved seq.
        max_seq: u64,
        /// Connections whose place was taken and that can still be open: to be told, and closed.
        replaced: Vec<Connection>,
    },
    /// There is no such user.
    NoSuchUser,
    /// A newer connection of the device stands already: this one was given up before it was finished.
    Superseded,
    /// Every place is held by a device that is connected, or was active within [`KEEP_IDLE`].
    TooManyDevices,
}

/// How a disconnect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnected {
    /// The connection is no longer in the head, nor in the room that it was in.
    Yes {
        /// That room.
        room: Option<RoomId>,
    },
    /// It was not there: a newer one has replaced it, or it was removed before.
    NotThere,
}

/// What a device said it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positioned {
    /// Its position is now there, or was further on already.
    Yes,
    /// It is beyond the newest seq.
    BeyondEnd {
        /// The newest seq.
        max_seq: u64,
    },
}

/// A device that is not connected keeps its place for so long after its last message, because it may still repeat that:
/// without the numbering, a repeat could not be told from a new message.
pub const KEEP_IDLE: Duration = Duration::from_hours(1);

impl Store {
    /// Writes a connection into the user's head. One write unit and one request, unless a connection is replaced that was in a
    /// room, or on another device, or a device has to make place.
    #[tracing::instrument(name = "store.connect", skip_all, fields(user.id = user, connection.id = connection.id))]
    pub async fn connect(
        &self,
        user: UserId,
        device: &DeviceKey,
        connection: &Connection,
        policy: ConnectionPolicy,
        now_ms: i64,
    ) -> Result<Connected, StoreError> {
        let before = match self.put_connection(user, device, connection).await? {
            Ok(before) => before,
            Err(refused) => return Ok(refused),
        };
        if !before.devices.contains_key(device)
            && before.devices.len() >= DEVICES_PER_USER
            && !self.make_place(user, &before, now_ms).await?
        {
            self.disconnect(user, device, connection.connected_at_ms, &connection.id)
                .await?;
            return Ok(Connected::TooManyDevices);
        }
        let mut replaced = Vec::new();
        for (other, older) in before
            .connections(now_ms)
            .filter(|(_, older)| older.id != connection.id)
        {
            if other == device {
                if let Some(room) = before.devices.get(other).and_then(|device| device.room) {
                    self.forget_occupant(room, &older.id).await?;
                }
                replaced.push(older.clone());
            } else if policy == ConnectionPolicy::Platform && older.platform == connection.platform {
                self.disconnect(user, other, older.connected_at_ms, &older.id).await?;
                replaced.push(older.clone());
            }
        }
        Ok(Connected::Yes {
            max_seq: before.seq,
            replaced,
        })
    }

    /// Answers with the head as it was, or with why the connection was not written. One attempt: a second one would take its
    /// own connection for the older one.
    async fn put_connection(
        &self,
        user: UserId,
        device: &DeviceKey,
        connection: &Connection,
    ) -> Result<Result<Head, Connected>, StoreError> {
        let result = self
            .once
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
            .update_expression("SET #c = :connection")
            .condition_expression("attribute_exists(#t) AND (attribute_not_exists(#c) OR #c <= :connection)")
            .expression_attribute_names("#t", attr::TIMELINE)
            .expression_attribute_names("#c", attribute(attr::CONNECTION, device))
            .expression_attribute_values(":connection", string(connection.to_text(None)))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(output) => Head::from_item(&output.attributes.unwrap_or_default()).map(Ok),
            Err(error) => match condition_item(error.as_service_error()) {
                Some(None) => Ok(Err(Connected::NoSuchUser)),
                Some(Some(_)) => Ok(Err(Connected::Superseded)),
                None => Err(StoreError::call("UpdateItem (connect)")(error)),
            },
        }
    }

    /// Forgets the device that has been away longest, if it is as the head showed it, and raises the floor to its session.
    /// `false`: none may be forgotten.
    async fn make_place(&self, user: UserId, head: &Head, now_ms: i64) -> Result<bool, StoreError> {
        let Some((device, known)) = longest_away(head, now_ms) else {
            return Ok(false);
        };
        tracing::info!(user.id = user, device = %device, "forgot a device that made place for another");
        let floor = known
            .numbering
            .as_ref()
            .map_or(0, |numbering| numbering.session)
            .max(head.session_floor);
        let (connection, numbering) = (attribute(attr::CONNECTION, device), attribute(attr::NUMBERING, device));
        let mut call = self
            .once
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
            .update_expression("SET #floor = :floor REMOVE #c, #s, #o, #p")
            .expression_attribute_names("#floor", attr::SESSION_FLOOR)
            .expression_attribute_names("#c", connection)
            .expression_attribute_names("#s", numbering)
            .expression_attribute_names("#o", attribute(attr::OWN_SEQ, device))
            .expression_attribute_names("#p", attribute(attr::POSITION, device))
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
            call = call.expression_attribute_values(":numbering", numbering.to_value());
        }
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if condition_item(error.as_service_error()).is_some() => Ok(false),
            Err(error) => Err(StoreError::call("UpdateItem (make place)")(error)),
        }
    }

    /// Removes a connection from the user's head, if it is still that one, and from the room that it is in. One write unit and
    /// one request; two of each where it is in a room. May be repeated, but only the first time tells the room: where that fails
    /// half-way, the room's row expires.
    #[tracing::instrument(name = "store.disconnect", skip_all, fields(user.id = user, connection.id = connection_id))]
    pub async fn disconnect(
        &self,
        user: UserId,
        device: &DeviceKey,
        connected_at_ms: i64,
        connection_id: &str,
    ) -> Result<Disconnected, StoreError> {
        let name = attribute(attr::CONNECTION, device);
        let call = self
            .db
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
            .update_expression("REMOVE #c")
            .condition_expression("begins_with(#c, :id)")
            .expression_attribute_names("#c", &name)
            .expression_attribute_values(":id", string(Connection::prefix(connected_at_ms, connection_id)))
            .return_values(ReturnValue::AllOld);
        #[cfg(feature = "plant")]
        let call = if plant::has(Bug::DisconnectUnchecked) {
            call.condition_expression("begins_with(#c, :id) OR attribute_exists(#c)")
        } else {
            call
        };
        let before = match call.send().await {
            Ok(output) => output.attributes.unwrap_or_default(),
            Err(error) if condition_item(error.as_service_error()).is_some() => return Ok(Disconnected::NotThere),
            Err(error) => return Err(StoreError::call("UpdateItem (disconnect)")(error)),
        };
        let text = get_string(&before, &name).ok_or_else(|| corrupt("timelines", "a connection is no string"))?;
        let (_, room) = Connection::from_text(text)?;
        if let Some(room) = room {
            self.forget_occupant(room, connection_id).await?;
        }
        Ok(Disconnected::Yes { room })
    }

    /// Notes that a device has everything up to `seq`. Positions only advance. One write unit; may be repeated.
    #[tracing::instrument(name = "store.position", skip_all, fields(user.id = user, seq))]
    pub async fn set_position(&self, user: UserId, device: &DeviceKey, seq: u64) -> Result<Positioned, StoreError> {
        let result = self
            .db
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(&TimelineId::inbox(user), attr::HEAD)))
            .update_expression("SET #p = :seq")
            .condition_expression("#counter >= :seq AND (attribute_not_exists(#p) OR #p < :seq)")
            .expression_attribute_names("#p", attribute(attr::POSITION, device))
            .expression_attribute_names("#counter", attr::COUNTER)
            .expression_attribute_values(":seq", number(seq))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(_) => Ok(Positioned::Yes),
            Err(error) => match condition_item(error.as_service_error()) {
                Some(item) => {
                    let max_seq = Head::from_item(&item.unwrap_or_default())?.seq;
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
}

/// The device whose last message is oldest among those that are not connected and have been idle long enough.
fn longest_away(head: &Head, now_ms: i64) -> Option<(&DeviceKey, &Device)> {
    let keep_ms = i64::try_from(KEEP_IDLE.as_millis()).unwrap_or(i64::MAX);
    let last_sent = |device: &Device| {
        device
            .numbering
            .as_ref()
            .map_or(0, |numbering| numbering.plan.sent_at_ms)
    };
    let is_connected = |device: &Device| {
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
