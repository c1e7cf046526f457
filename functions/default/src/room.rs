//! `ENTER_ROOM`, `LEAVE_ROOM`, and MESSAGE to a room: nothing of it is kept, workers push it to who is in the room.

use crate::Call;
use crate::fields;
use crate::message::refused;
use crate::reply::Reply;
use wigwag_edge::{Caller, Error, connection};
use wigwag_protocol::pb::{AckMsg, AckType, CmdType, Message, RoomMsg, SessionType};
use wigwag_protocol::{Code, Payload};
use wigwag_store::RoomId;
use wigwag_store::fanout::{RoomContent, Task, TaskQueue as _};
use wigwag_store::rooms::Moved;
use wigwag_store::send::Draft;

/// Answered with the room, and the one that was left for it.
pub(crate) async fn enter(call: &Call<'_>, caller: &Caller, room: &RoomMsg) -> Result<Reply, Error> {
    let room_id = room.room_id;
    if let Err(wrong) = fields::id("room_id", room_id) {
        return Ok(Reply::refused(CmdType::EnterRoom, wrong));
    }
    let context = &call.event.request_context;
    let id = connection::id(context)?;
    let store = &call.state.store;
    let moved = store
        .enter_room(
            caller.user,
            &caller.device,
            context.connected_at,
            id,
            room_id,
            call.now_ms,
        )
        .await?;
    Ok(match moved {
        Moved::From(before) => {
            let left_id = before.filter(|before| *before != room_id).unwrap_or(0);
            Reply::ok(CmdType::EnterRoom, Payload::EnterRoom(RoomMsg { room_id, left_id }))
        }
        Moved::NoConnection => Reply::refused(CmdType::EnterRoom, Code::NOT_SIGNED_IN),
    })
}

/// Leaves a room, or whichever it is where none is named. Answered with the one that the connection was in by it; 0 where there was none.
pub(crate) async fn leave(call: &Call<'_>, caller: &Caller, room: &RoomMsg) -> Result<Reply, Error> {
    if let Err(wrong) = fields::number("room_id", room.room_id) {
        return Ok(Reply::refused(CmdType::LeaveRoom, wrong));
    }
    let named = (room.room_id > 0).then_some(room.room_id);
    let context = &call.event.request_context;
    let id = connection::id(context)?;
    let store = &call.state.store;
    let moved = store
        .leave_room(caller.user, &caller.device, context.connected_at, id, named)
        .await?;
    let left_id = match moved {
        Moved::From(left) => left.unwrap_or(0),
        Moved::NoConnection => 0,
    };
    let left = RoomMsg { room_id: 0, left_id };
    Ok(Reply::ok(CmdType::LeaveRoom, Payload::LeaveRoom(left)))
}

/// Answered with an ACK that says: on its way to who is there.
pub(crate) async fn send(call: &Call<'_>, caller: &Caller, draft: Draft, room: RoomId) -> Result<Reply, Error> {
    let client_id = draft.key.client_id;
    let message = Message {
        session_type: SessionType::Room.into(),
        receiver_id: room,
        sender_id: caller.user,
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

/// Puts something on its way to who is in a room. `false`: this connection is not in it.
pub(crate) async fn relay(call: &Call<'_>, caller: &Caller, room: RoomId, content: RoomContent) -> Result<bool, Error> {
    let event = &call.event.request_context;
    let connection = connection::id(event)?;
    if !call.state.store.is_in_room(room, connection).await? {
        return Ok(false);
    }
    let frame = event.request_id.as_deref().ok_or("the event has no id")?;
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
