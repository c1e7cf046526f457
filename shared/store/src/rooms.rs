//! Rooms: who is in one right now. Nothing that is said in a room is kept.
//!
//! A connection is in one room at most, and its place in the head says which: entering another leaves the first, and so does the
//! connection's end. Each room has a row per connection, which expires where no `$disconnect` came.
//!
//! Rows are written before the head. Where the head then cannot be written, the rows are made what it says. Whoever dies between
//! the two repeats the frame, or is in a room that the head does not name: what is pushed to it from there tells it to leave that
//! ([`Store::leave_room`] takes the room for it). Otherwise the row lasts no longer than its connection could, and a push to the
//! connection that is gone removes it.

use crate::Store;
use crate::directory::key as directory_key;
use crate::error::StoreError;
use crate::head::{CONNECTION_MAX_AGE_S, Connection, Head, attribute};
use crate::ids::{DeviceKey, RoomId, TimelineId, UserId};
use crate::item::{Item, condition_item, corrupt, get_number, get_string, number, string};
use crate::schema::{directory as attr, timelines};
use crate::timeline::key;

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
    /// Done. The room that the connection left by it.
    From(Option<RoomId>),
    /// The connection has been replaced, or has gone.
    NoConnection,
}

/// What a connection is to do.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// Enter a room, out of the one that it is in.
    Into(RoomId),
    /// Leave a room, or whichever it is in.
    OutOf(Option<RoomId>),
}

impl Goal {
    /// The room to be in.
    fn wanted(self) -> Option<RoomId> {
        match self {
            Self::Into(room) => Some(room),
            Self::OutOf(_) => None,
        }
    }

    /// The room that is named.
    fn room(self) -> Option<RoomId> {
        match self {
            Self::Into(room) => Some(room),
            Self::OutOf(room) => room,
        }
    }
}

/// How often a move is tried while other moves of the same connection come between.
const ROUNDS: u32 = 5;

impl Store {
    /// Puts a connection into a room, out of the one it was in. One read unit and two write units, one more where it was in
    /// another room; three round trips. May be repeated.
    #[tracing::instrument(name = "store.room.enter", skip_all, fields(room.id = room, connection.id = connection_id))]
    pub async fn enter_room(
        &self,
        user: UserId,
        device: &DeviceKey,
        connected_at_ms: i64,
        connection_id: &str,
        room: RoomId,
        now_ms: i64,
    ) -> Result<Moved, StoreError> {
        // Its row would have expired.
        if now_ms / 1000 > expiry_s(connected_at_ms) {
            return Ok(Moved::NoConnection);
        }
        let connection = (connected_at_ms, connection_id);
        let moved = self.move_to(user, device, connection, Goal::Into(room)).await;
        if moved.is_err()
            && let Err(error) = self.as_the_head_says(user, device, connection, room).await
        {
            tracing::info!(%error, "a connection may be in two rooms, or in none");
        }
        moved
    }

    /// Makes the rows of a connection that did not get into `room` what the head says of it.
    async fn as_the_head_says(
        &self,
        user: UserId,
        device: &DeviceKey,
        (connected_at_ms, connection_id): (i64, &str),
        room: RoomId,
    ) -> Result<(), StoreError> {
        let head = self.head(&TimelineId::inbox(user), true).await?;
        let stands = standing(head, device, connected_at_ms, connection_id);
        let named = stands.as_ref().and_then(|(_, named)| *named);
        if named != Some(room) {
            self.forget_occupant(room, connection_id).await?;
        }
        match stands {
            Some((connection, Some(named))) => self.put_occupant(user, device, &connection, named).await,
            Some((_, None)) | None => Ok(()),
        }
    }

    /// Takes a connection out of a room, or of whichever it is in where none is named. One read unit; where it is in a room two write
    /// units, and three round trips. Of a room that the head does not name, the row is removed: a write unit less, and two round trips.
    /// May be repeated.
    #[tracing::instrument(name = "store.room.leave", skip_all, fields(room.id = room, connection.id = connection_id))]
    pub async fn leave_room(
        &self,
        user: UserId,
        device: &DeviceKey,
        connected_at_ms: i64,
        connection_id: &str,
        room: Option<RoomId>,
    ) -> Result<Moved, StoreError> {
        self.move_to(user, device, (connected_at_ms, connection_id), Goal::OutOf(room))
            .await
    }

    async fn move_to(
        &self,
        user: UserId,
        device: &DeviceKey,
        (connected_at_ms, connection_id): (i64, &str),
        goal: Goal,
    ) -> Result<Moved, StoreError> {
        let inbox = TimelineId::inbox(user);
        let to = goal.wanted();
        let mut left = None;
        for _ in 0..ROUNDS {
            let head = self.head(&inbox, true).await?;
            let Some((connection, from)) = standing(head, device, connected_at_ms, connection_id) else {
                if let Some(room) = goal.room() {
                    self.forget_occupant(room, connection_id).await?;
                }
                return Ok(Moved::NoConnection);
            };
            if let Goal::OutOf(Some(room)) = goal
                && from != Some(room)
            {
                self.forget_occupant(room, connection_id).await?;
                return Ok(Moved::From(left));
            }
            if to.is_none() && from.is_none() {
                return Ok(Moved::From(left));
            }
            let other = from.filter(|from| Some(*from) != to);
            left = other.or(left);
            let (forgotten, put) = tokio::join!(
                async {
                    match other {
                        Some(other) => self.forget_occupant(other, connection_id).await,
                        None => Ok(()),
                    }
                },
                async {
                    match to {
                        Some(room) => self.put_occupant(user, device, &connection, room).await,
                        None => Ok(()),
                    }
                }
            );
            forgotten?;
            put?;
            // Also where it is in that room already: a frame that runs beside this one may have moved it.
            if self.set_room(&inbox, device, &connection, from, to).await? {
                return Ok(Moved::From(left));
            }
        }
        tracing::info!(
            user.id = user,
            "moves of a connection between rooms came in each other's way"
        );
        Err(StoreError::Throttled {
            operation: "UpdateItem (room)",
        })
    }

    /// Writes the room into the head, if the connection is still there and in the room it was in. Answers whether it was.
    async fn set_room(
        &self,
        inbox: &TimelineId,
        device: &DeviceKey,
        connection: &Connection,
        from: Option<RoomId>,
        to: Option<RoomId>,
    ) -> Result<bool, StoreError> {
        let result = self
            .db
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(inbox, timelines::HEAD)))
            .update_expression("SET #c = :after")
            .condition_expression("#c = :before")
            .expression_attribute_names("#c", attribute(timelines::CONNECTION, device))
            .expression_attribute_values(":before", string(connection.to_text(from)))
            .expression_attribute_values(":after", string(connection.to_text(to)))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) if condition_item(error.as_service_error()).is_some() => Ok(false),
            Err(error) => Err(StoreError::call("UpdateItem (room)")(error)),
        }
    }

    async fn put_occupant(
        &self,
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
        let call = self.db.put_item().table_name(&self.directory).set_item(Some(item));
        call.send().await.map_err(StoreError::call("PutItem (room)"))?;
        Ok(())
    }

    /// Removes a connection's row from a room: it has left it, or is gone. One write unit; may be repeated.
    #[tracing::instrument(name = "store.room.forget", skip_all, fields(room.id = room, connection.id = connection_id))]
    pub async fn forget_occupant(&self, room: RoomId, connection_id: &str) -> Result<(), StoreError> {
        let key = occupant_key(room, connection_id);
        let call = self.db.delete_item().table_name(&self.directory).set_key(Some(key));
        call.send().await.map_err(StoreError::call("DeleteItem (room)"))?;
        Ok(())
    }

    /// Whether a connection is in a room. Half a read unit; one more where it seems not to be, because it may have entered just
    /// now.
    #[tracing::instrument(name = "store.room.is_in", skip_all, fields(room.id = room, connection.id = connection_id))]
    pub async fn is_in_room(&self, room: RoomId, connection_id: &str) -> Result<bool, StoreError> {
        for consistent in [false, true] {
            let call = self
                .db
                .get_item()
                .table_name(&self.directory)
                .set_key(Some(occupant_key(room, connection_id)))
                .consistent_read(consistent);
            let output = call.send().await.map_err(StoreError::call("GetItem (room)"))?;
            if output.item.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A page of who is in a room, after a connection; and where to go on. Strongly consistent: whoever has entered hears what is
    /// said after that. Left-overs that are too old are left out. One request, one read unit per 4 KB.
    #[tracing::instrument(name = "store.room.occupants", skip_all, fields(room.id = room))]
    pub async fn occupants(
        &self,
        room: RoomId,
        after: Option<&str>,
        limit: u32,
        now_ms: i64,
    ) -> Result<(Vec<Occupant>, Option<String>), StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.directory)
            .key_condition_expression("#pk = :room")
            .expression_attribute_names("#pk", attr::PK)
            .expression_attribute_values(":room", string(format!("{}{room}", attr::ROOM)))
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
                tracing::error!(room.id = room, connection.id = connection, %error, "who is in a room is left out");
            });
            occupant.ok()
        };
        let occupants = output.items().iter().filter_map(readable);
        let alive = occupants.filter(|occupant| occupant.connection.is_alive(now_ms));
        Ok((alive.collect(), next))
    }
}

/// The connection in its user's head, and the room that it is in; `None` where another one stands there, or none.
fn standing(
    head: Option<Head>,
    device: &DeviceKey,
    connected_at_ms: i64,
    id: &str,
) -> Option<(Connection, Option<RoomId>)> {
    let mut head = head?;
    let device = head.devices.remove(device)?;
    let connection = device.connection?;
    let is_it = connection.id == id && connection.connected_at_ms == connected_at_ms;
    is_it.then_some((connection, device.room))
}

/// When a connection opened then can be open no longer, in s.
fn expiry_s(connected_at_ms: i64) -> i64 {
    connected_at_ms / 1000 + CONNECTION_MAX_AGE_S
}

fn occupant_key(room: RoomId, connection_id: &str) -> Item {
    directory_key(format!("{}{room}", attr::ROOM), connection_id)
}

fn occupant(item: &Item) -> Result<Occupant, StoreError> {
    let read = || {
        let user = get_number(item, attr::USER_ID)?;
        let device = DeviceKey::from_key(get_string(item, attr::DEVICE)?)?;
        Some((user, device, get_string(item, attr::CONNECTION)?))
    };
    let (user, device, text) = read().ok_or_else(|| corrupt("directory", "an occupant lacks a part"))?;
    let (connection, _) = Connection::from_text(text)?;
    Ok(Occupant {
        user,
        device,
        connection,
    })
}
