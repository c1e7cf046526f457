//! Rooms and signals: entering, leaving, entering again, and messages that are not stored.

use super::peer::*;
use crate::{Code, DisconnectReason, Event, RequestError, SignalTo};
use std::time::Duration;
use tokio::time::sleep;
use wigwag_protocol::limits::CONTENT_BYTES;
use wigwag_protocol::pb::{CmdType, Message, RoomMsg, SessionType, SignalMsg, SignalType};
use wigwag_protocol::{InputFrame, OutputFrame, Payload, Request};

const ROOM: u64 = 50;
const WRONG_ROOM: u64 = 51;

/// Runs a request of the app together with the peer's answer.
macro_rules! asking {
    ($client:ident.$method:ident($($argument:expr),*)) => {
        tokio::spawn({
            let client = $client.clone();
            async move { client.$method($($argument),*).await }
        })
    };
}

#[tokio::test(start_paused = true)]
async fn a_room_is_entered_again_after_a_reconnect_until_it_is_left() {
    let (mut peer, mut link, client, mut events) = connected().await;
    let entering = asking!(client.enter_room(ROOM));
    let (id, room) = link.enter().await;
    assert_eq!(room, ROOM);
    link.let_in(id, ROOM, 49).await;
    assert_eq!(entering.await.unwrap().unwrap(), Some(49));
    drop(link);

    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, room) = link.enter().await;
    assert_eq!(room, ROOM);
    link.let_in(id, ROOM, 0).await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::RoomEntered { room_id: ROOM }
    ));

    // Leaving another room first changes nothing.
    for left in [WRONG_ROOM, ROOM] {
        let leaving = asking!(client.leave_room(left));
        let (id, room) = leaves(&mut link).await;
        assert_eq!(room, left);
        let payload = Payload::LeaveRoom(RoomMsg::default());
        link.say(OutputFrame::new(CmdType::LeaveRoom, id, payload)).await;
        leaving.await.unwrap().unwrap();
        drop(link);
        link = peer.accept().await;
        link.sync_is_empty(0).await;
        if left == WRONG_ROOM {
            let (id, room) = link.enter().await;
            assert_eq!(room, ROOM);
            link.let_in(id, ROOM, 0).await;
        }
    }
    link.heartbeat(0).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_a_room_can_be_left_but_not_entered() {
    let (mut peer, mut link, client, mut events) = connected().await;
    let entering = asking!(client.enter_room(ROOM));
    let (id, _) = link.enter().await;
    link.let_in(id, ROOM, 0).await;
    entering.await.unwrap().unwrap();
    drop(link);
    let reason = next(&mut events).await;
    assert!(matches!(
        reason,
        Event::Disconnected {
            reason: DisconnectReason::Closed { .. } | DisconnectReason::Lost(_),
            ..
        }
    ));
    client.leave_room(ROOM).await.unwrap();
    assert!(matches!(client.enter_room(ROOM).await, Err(RequestError::NotConnected)));
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    link.heartbeat(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_room_is_lost_and_a_busy_server_is_asked_again() {
    let (mut peer, mut link, client, mut events) = connected().await;
    let entering = asking!(client.enter_room(ROOM));
    let (id, _) = link.enter().await;
    link.let_in(id, ROOM, 0).await;
    entering.await.unwrap().unwrap();
    drop(link);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, _) = link.enter().await;
    link.say(OutputFrame::refusal(CmdType::EnterRoom, id, Code::BUSY, Payload::None))
        .await;
    let (id, _) = link.enter().await;
    link.say(OutputFrame::refusal(
        CmdType::EnterRoom,
        id,
        Code::INVALID_FIELD,
        Payload::None,
    ))
    .await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::RoomLost { room_id: ROOM, .. }
    ));
    link.heartbeat(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_room_message_is_sent_once_and_does_not_use_the_numbering() {
    let (_peer, mut link, client, mut events) = connected().await;
    for n in 1..=2 {
        let saying = asking!(client.send_to_room(ROOM, "hi"));
        let (id, up) = link.message().await;
        assert_eq!((up.client_id, up.session), (n, 0));
        let message = up.msg.unwrap();
        assert_eq!((message.session_type(), message.receiver_id), (SessionType::Room, ROOM));
        link.relay(id).await;
        saying.await.unwrap().unwrap();
    }
    let sending = send(&client, "hello");
    let (id, up) = link.message().await;
    assert_eq!(up.client_id, 1);
    link.accept(id, &up, 1).await;
    sending.await.unwrap().unwrap();
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.seq == 1));
    let long = "x".repeat(CONTENT_BYTES + 1);
    let refused = client.send_to_room(ROOM, long).await;
    assert!(matches!(refused, Err(RequestError::Refused { code, .. }) if code == Code::CONTENT_TOO_LARGE.number()));
}

#[tokio::test(start_paused = true)]
async fn room_messages_and_signals_are_events() {
    let (_peer, mut link, client, mut events) = connected().await;
    let entering = asking!(client.enter_room(ROOM));
    let (id, _) = link.enter().await;
    // Messages of others may come before the answer.
    link.say(OutputFrame::push(said_in(ROOM))).await;
    assert!(matches!(next_of_substance(&mut events).await, Event::RoomMessage(m) if m.receiver_id == ROOM));
    link.let_in(id, ROOM, 0).await;
    entering.await.unwrap().unwrap();
    link.say(OutputFrame::push(said_in(ROOM))).await;
    let signal = SignalMsg {
        session_type: SessionType::Single.into(),
        receiver_id: ME,
        sender_id: BOB,
        signal_type: SignalType::Typing.into(),
        ..SignalMsg::default()
    };
    link.say(OutputFrame::new(CmdType::Signal, 0, Payload::Signal(signal)))
        .await;
    assert!(matches!(next_of_substance(&mut events).await, Event::RoomMessage(m) if m.receiver_id == ROOM));
    assert!(matches!(next_of_substance(&mut events).await, Event::Signal(s) if s.sender_id == BOB));
    // Neither is in the inbox, so nothing is missing there.
    link.heartbeat(0).await;
}

#[tokio::test(start_paused = true)]
async fn signals_carry_their_type_and_refusals_reach_the_caller() {
    let (_peer, mut link, client, _events) = connected().await;
    let typing = asking!(client.send_typing(SignalTo::User(BOB)));
    let (id, signal) = signal(&mut link).await;
    assert_eq!(
        (signal.session_type(), signal.receiver_id, signal.signal_type()),
        (SessionType::Single, BOB, SignalType::Typing)
    );
    link.relay(id).await;
    typing.await.unwrap().unwrap();
    let realtime = asking!(client.send_realtime(SignalTo::Room(ROOM), "x=1"));
    let (id, signal) = self::signal(&mut link).await;
    assert_eq!(
        (signal.session_type(), signal.content.as_slice()),
        (SessionType::Room, b"x=1".as_slice())
    );
    link.refuse(id, Code::NOT_IN_ROOM).await;
    let refused = realtime.await.unwrap();
    assert!(matches!(refused, Err(RequestError::Refused { code, .. }) if code == Code::NOT_IN_ROOM.number()));
}

/// A function died after it had moved the connection into the room and before it had answered.
#[tokio::test(start_paused = true)]
async fn a_room_that_the_device_should_not_be_in_is_left() {
    let (_peer, mut link, client, mut events) = connected().await;
    let entering = asking!(client.enter_room(ROOM));
    let (id, _) = link.enter().await;
    link.let_in(id, ROOM, 0).await;
    entering.await.unwrap().unwrap();
    // A message that was still on its way from a room that was just left.
    link.say(OutputFrame::push(said_in(WRONG_ROOM))).await;
    sleep(Duration::from_secs(11)).await;
    let typing = SignalMsg {
        session_type: SessionType::Room.into(),
        receiver_id: WRONG_ROOM,
        ..SignalMsg::default()
    };
    link.say(OutputFrame::new(CmdType::Signal, 0, Payload::Signal(typing)))
        .await;
    let (_, room) = leaves(&mut link).await;
    assert_eq!(room, WRONG_ROOM);
    // The server may have moved it out of its own room into that one.
    let (id, room) = link.enter().await;
    assert_eq!(room, ROOM);
    link.let_in(id, ROOM, 0).await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::RoomEntered { room_id: ROOM }
    ));
    link.say(OutputFrame::push(said_in(WRONG_ROOM))).await;
    sleep(Duration::from_secs(11)).await;
    link.say(OutputFrame::push(said_in(WRONG_ROOM))).await;
    assert_eq!(leaves(&mut link).await.1, WRONG_ROOM, "that may have been lost");
    let (id, _) = link.enter().await;
    link.let_in(id, ROOM, 0).await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::RoomEntered { room_id: ROOM }
    ));
    link.say(OutputFrame::push(said_in(ROOM))).await;
    assert!(
        matches!(next_of_substance(&mut events).await, Event::RoomMessage(m) if m.receiver_id == ROOM),
        "the other ones are not for the app"
    );
    // The app enters it: the two frames may have overtaken each other.
    let entering = asking!(client.enter_room(WRONG_ROOM));
    let (id, _) = link.enter().await;
    link.let_in(id, WRONG_ROOM, ROOM).await;
    entering.await.unwrap().unwrap();
    let (id, room) = link.enter().await;
    assert_eq!(room, WRONG_ROOM);
    link.let_in(id, WRONG_ROOM, 0).await;
    link.heartbeat(0).await;
    link.heartbeat(0).await;
}

/// The server may have moved the device out of its room, but not into the other one.
#[tokio::test(start_paused = true)]
async fn a_device_that_could_not_enter_another_room_enters_its_own_again() {
    let (_peer, mut link, client, mut events) = connected().await;
    let entering = asking!(client.enter_room(ROOM));
    let (id, _) = link.enter().await;
    link.let_in(id, ROOM, 0).await;
    entering.await.unwrap().unwrap();
    // Once refused, once without an answer.
    let entering = asking!(client.enter_room(WRONG_ROOM));
    let (id, _) = link.enter().await;
    link.refuse(id, Code::BUSY).await;
    assert!(entering.await.unwrap().is_err());
    let (id, room) = link.enter().await;
    assert_eq!(room, ROOM);
    link.let_in(id, ROOM, 0).await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::RoomEntered { room_id: ROOM }
    ));
    let entering = asking!(client.enter_room(WRONG_ROOM));
    link.enter().await;
    assert!(entering.await.unwrap().is_err());
    let (_, room) = link.enter().await;
    assert_eq!(room, ROOM);
}

fn said_in(room: u64) -> Message {
    Message {
        session_type: SessionType::Room.into(),
        receiver_id: room,
        sender_id: BOB,
        content: b"hi".to_vec(),
        ..Message::default()
    }
}

async fn leaves(link: &mut PeerConnection) -> (u64, u64) {
    match link.request().await {
        InputFrame {
            request_id,
            request: Request::LeaveRoom(room),
        } => (request_id, room.room_id),
        other => panic!("does not leave a room: {other:?}"),
    }
}

async fn signal(link: &mut PeerConnection) -> (u64, SignalMsg) {
    match link.request().await {
        InputFrame {
            request_id,
            request: Request::Signal(signal),
        } => (request_id, signal),
        other => panic!("not a signal: {other:?}"),
    }
}
