//! Entering and leaving rooms. Nothing that is said in a room is kept.
//!
//! A connection is in one room at most, which the head has with the connection: entering another
//! room leaves the first, and so does the end of the connection. A room has a row for each
//! connection, which expires if no `$disconnect` comes.
//!
//! Rows are written before the head. If the head then cannot be written, the rows are corrected to
//! what the head has. A function that dies between the two leaves a row that the head does not
//! name, until the device repeats the frame, leaves that room, or a push finds the connection gone.

use wigwag_domain::connection::Connection;
use wigwag_domain::head::InboxHead;
use wigwag_domain::{DeviceKey, RoomId, TimelineId, UserId};
use wigwag_store::rooms::expiry_s;
use wigwag_store::{Store, StoreError, inboxes, rooms};

/// How entering or leaving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Done. The room that the connection left.
    From(Option<RoomId>),
    /// The connection was replaced, or is gone.
    NoConnection,
}

/// A move of a connection.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// Enter a room, and leave the one that it is in.
    Into(RoomId),
    /// Leave this room; `None`: leave whichever it is in.
    OutOf(Option<RoomId>),
}

impl Goal {
    /// The room that it is to be in.
    fn wanted(self) -> Option<RoomId> {
        match self {
            Self::Into(room) => Some(room),
            Self::OutOf(_) => None,
        }
    }

    /// The room that the move names.
    fn room(self) -> Option<RoomId> {
        match self {
            Self::Into(room) => Some(room),
            Self::OutOf(room) => room,
        }
    }
}

/// How often a move is tried while other moves of the same connection interfere.
const ROUNDS: u32 = 5;

/// Moves a connection into a room, out of the one it was in. One read unit and two write units, one
/// more if it was in another room; three round trips. May be repeated.
#[tracing::instrument(name = "enter_room", skip_all, fields(room.id = room.0, connection.id = connection_id))]
pub async fn enter_room(
    store: &Store,
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
    let moved = move_to(store, user, device, connection, Goal::Into(room)).await;
    if moved.is_err()
        && let Err(error) = as_the_head_says(store, user, device, connection, room).await
    {
        tracing::info!(%error, "a connection may be in two rooms, or in none");
    }
    moved
}

/// Corrects the rows of a connection that did not get into `room` to what the head has.
async fn as_the_head_says(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    (connected_at_ms, connection_id): (i64, &str),
    room: RoomId,
) -> Result<(), StoreError> {
    let head = inboxes::head(store, user, true).await?;
    let current = current_connection(head, device, connected_at_ms, connection_id);
    let named = current.as_ref().and_then(|(_, named)| *named);
    if named != Some(room) {
        rooms::forget_occupant(store, room, connection_id).await?;
    }
    match current {
        Some((connection, Some(named))) => rooms::put_occupant(store, user, device, &connection, named).await,
        Some((_, None)) | None => Ok(()),
    }
}

/// Takes a connection out of a room; `None`: out of whichever it is in. One read unit; if it is in
/// a room, two write units and three round trips. If the head does not name the room, only the row
/// is removed: one write unit and two round trips. May be repeated.
#[tracing::instrument(name = "leave_room", skip_all, fields(room.id = room.map(|room| room.0), connection.id = connection_id))]
pub async fn leave_room(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    connected_at_ms: i64,
    connection_id: &str,
    room: Option<RoomId>,
) -> Result<Moved, StoreError> {
    move_to(store, user, device, (connected_at_ms, connection_id), Goal::OutOf(room)).await
}

async fn move_to(
    store: &Store,
    user: UserId,
    device: &DeviceKey,
    (connected_at_ms, connection_id): (i64, &str),
    goal: Goal,
) -> Result<Moved, StoreError> {
    let inbox = TimelineId::inbox(user);
    let to = goal.wanted();
    let mut left = None;
    for _ in 0..ROUNDS {
        let head = inboxes::head(store, user, true).await?;
        let Some((connection, from)) = current_connection(head, device, connected_at_ms, connection_id) else {
            if let Some(room) = goal.room() {
                rooms::forget_occupant(store, room, connection_id).await?;
            }
            return Ok(Moved::NoConnection);
        };
        if let Goal::OutOf(Some(room)) = goal
            && from != Some(room)
        {
            rooms::forget_occupant(store, room, connection_id).await?;
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
                    Some(other) => rooms::forget_occupant(store, other, connection_id).await,
                    None => Ok(()),
                }
            },
            async {
                match to {
                    Some(room) => rooms::put_occupant(store, user, device, &connection, room).await,
                    None => Ok(()),
                }
            }
        );
        forgotten?;
        put?;
        // Even if it is in that room already: a frame that runs at the same time may have moved it.
        if inboxes::set_room(store, &inbox, device, &connection, from, to).await? {
            return Ok(Moved::From(left));
        }
    }
    tracing::info!(
        user.id = user.0,
        "moves of a connection between rooms came in each other's way"
    );
    Err(StoreError::Throttled {
        operation: "UpdateItem (room)",
    })
}

/// The connection in its user's head, and the room that it is in; `None` if its slot has another
/// connection, or none.
fn current_connection(
    head: Option<InboxHead>,
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
