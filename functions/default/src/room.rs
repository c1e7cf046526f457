//! `ENTER_ROOM`, `LEAVE_ROOM`, and MESSAGE to a room: nothing is stored, workers push it to the
//! devices in the room.

use crate::accepted::refused;
use crate::call::Call;
use crate::fields;
use crate::reply::Reply;
use wigwag_domain::RoomId;
use wigwag_domain::outgoing::Draft;
use wigwag_domain::task::{RoomContent, Task};
use wigwag_edge::{Caller, Failure, connection};
use wigwag_messaging::TaskQueue as _;
use wigwag_messaging::enter_room::Moved;
use wigwag_protocol::pb::{AckMsg, AckType, CmdType, Message, RoomMsg, SessionType};
use wigwag_protocol::{Code, Payload};
use wigwag_store::rooms;

/// Answered with the room, and the one that the connection left for it.
pub(crate) async fn enter(call: &Call<'_>, caller: &Caller, room: &RoomMsg) -> Result<Reply, Failure> {
    let room_id = room.room_id;
    if let Err(wrong) = fields::id("room_id", room_id) {
        return Ok(Reply::refused(CmdType::EnterRoom, wrong));
    }
    let context = &call.event.request_context;
    let id = connection::id(context)?;
    let store = &call.state.store;
    let moved = wigwag_messaging::enter_room(
        store,
        caller.user,
        &caller.device,
        context.connected_at,
        id,
        RoomId(room_id),
        call.now_ms,
    )
    .await?;
    Ok(match moved {
        Moved::From(before) => {
            let left_id = before
                .filter(|before| *before != RoomId(room_id))
                .map_or(0, |before| before.0);
            Reply::ok(CmdType::EnterRoom, Payload::EnterRoom(RoomMsg { room_id, left_id }))
        }
        Moved::NoConnection => Reply::refused(CmdType::EnterRoom, Code::NOT_SIGNED_IN),
    })
}

/// Leaves this room, or whichever the connection is in if none is named. Answered with the room
/// that it left; 0 if it was in none.
pub(crate) async fn leave(call: &Call<'_>, caller: &Caller, room: &RoomMsg) -> Result<Reply, Failure> {
    if let Err(wrong) = fields::number("room_id", room.room_id) {
        return Ok(Reply::refused(CmdType::LeaveRoom, wrong));
    }
    let named = (room.room_id > 0).then_some(RoomId(room.room_id));
    let context = &call.event.request_context;
    let id = connection::id(context)?;
    let store = &call.state.store;
    let moved =
        wigwag_messaging::leave_room(store, caller.user, &caller.device, context.connected_at, id, named).await?;
    let left_id = match moved {
        Moved::From(left) => left.map_or(0, |left| left.0),
        Moved::NoConnection => 0,
    };
    let left = RoomMsg { room_id: 0, left_id };
    Ok(Reply::ok(CmdType::LeaveRoom, Payload::LeaveRoom(left)))
}

/// Answered with an ACK: the message is on its way to the devices in the room.
pub(crate) async fn send(call: &Call<'_>, caller: &Caller, draft: Draft, room: RoomId) -> Result<Reply, Failure> {
    let client_id = draft.key.client_id;
    let message = Message {
        session_type: SessionType::Room.into(),
        receiver_id: room.0,
        sender_id: caller.user.0,
        message_type: draft.message_type,
        content: draft.content,
        send_time: call.now_ms,
        client_id,
        session: draft.key.session,
        ..Message::default()
    };
    if !relay(call, caller, room, RoomContent::Message(message)).await? {
        return Ok(refused(client_id, &Code::NOT_IN_ROOM.into()));
    }
    let ack = AckMsg {
        r#type: AckType::Relayed.into(),
        client_id,
        send_time: call.now_ms,
        session: draft.key.session,
        ..AckMsg::default()
    };
    Ok(Reply::ok(CmdType::Ack, Payload::Ack(ack)))
}

/// Enqueues a frame for the devices in a room. `false`: this connection is not in it.
pub(crate) async fn relay(
    call: &Call<'_>,
    caller: &Caller,
    room: RoomId,
    content: RoomContent,
) -> Result<bool, Failure> {
    let event = &call.event.request_context;
    let connection = connection::id(event)?;
    if !rooms::is_in_room(&call.state.store, room, connection).await? {
        return Ok(false);
    }
    let frame = event.request_id.as_deref().ok_or(Failure::Event("request id"))?;
    let task = Task::Room {
        room,
        id: frame.to_owned(),
        sender: caller.user,
        connection: connection.to_owned(),
        content,
        after: None,
    };
    call.state.queue.enqueue(&[task]).await?;
    Ok(true)
}
