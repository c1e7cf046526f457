use super::{InputFrame, OutputFrame, Payload, Request};
use crate::base64_text::to_base64;
use crate::code::Code;
use crate::encoding::Encoding;
use crate::limits;
use crate::pb::{
    self, AckMsg, CmdType, HeartbeatMsg, KickMsg, LoginMsg, PullInputMsg, PullOutputMsg, RoomMsg, SyncInputMsg,
    SyncOutputMsg, UpMsg,
};
use proptest::prelude::*;

fn message(content: &[u8]) -> pb::Message {
    pb::Message {
        session_type: pb::SessionType::Single.into(),
        receiver_id: 2,
        sender_id: 1,
        message_type: pb::MessageType::Text.into(),
        content: content.to_vec(),
        seq: 3,
        send_time: 1_700_000_000_000,
        conversation_seq: 4,
        client_id: 5,
        session: 6,
        group_change: None,
    }
}

fn group_change() -> pb::Message {
    pb::Message {
        session_type: pb::SessionType::Group.into(),
        message_type: pb::MessageType::GroupChange.into(),
        group_change: Some(pb::GroupChange {
            r#type: pb::GroupChangeType::MembersAdded.into(),
            user_ids: vec![7, 8],
            name: "n".to_owned(),
            role: pb::GroupRole::Admin.into(),
            until: 9,
            super_group: true,
            super_after: 10,
        }),
        ..message(b"")
    }
}

fn signal() -> pb::SignalMsg {
    pb::SignalMsg {
        session_type: pb::SessionType::Room.into(),
        receiver_id: 2,
        sender_id: 1,
        signal_type: pb::SignalType::Realtime.into(),
        content: b"\xff".to_vec(),
        send_time: 1_700_000_000_000,
    }
}

fn room() -> RoomMsg {
    RoomMsg { room_id: 2, left_id: 3 }
}

/// One frame of each kind, with every field set.
fn inputs() -> Vec<InputFrame> {
    let requests = [
        Request::Login(LoginMsg {
            token: b"t.o.k".to_vec(),
        }),
        Request::Heartbeat(HeartbeatMsg::default()),
        Request::Message(UpMsg {
            msg: Some(message(b"hi")),
            client_id: 5,
            session: 6,
        }),
        Request::Ack(AckMsg {
            r#type: pb::AckType::Push.into(),
            seq: 9,
            ..AckMsg::default()
        }),
        Request::Sync(SyncInputMsg { seq: 9, limit: 50 }),
        Request::Pull(PullInputMsg {
            session_type: 1,
            target_id: 2,
            begin_seq: 3,
            end_seq: 4,
            limit: 5,
            descending: true,
        }),
        Request::Signal(signal()),
        Request::EnterRoom(room()),
        Request::LeaveRoom(room()),
    ];
    requests
        .into_iter()
        .zip(1..)
        .map(|(request, request_id)| InputFrame { request_id, request })
        .collect()
}

fn outputs() -> Vec<OutputFrame> {
    let ack = AckMsg {
        r#type: pb::AckType::Up.into(),
        client_id: 5,
        seq: 3,
        conversation_seq: 4,
        send_time: 1_700_000_000_000,
        session: 6,
        expected_client_id: 0,
    };
    vec![
        OutputFrame::new(
            CmdType::Heartbeat,
            1,
            Payload::Heartbeat(HeartbeatMsg {
                max_seq: 9,
                server_time: 10,
            }),
        ),
        OutputFrame::push(message(b"hi")),
        OutputFrame::new(CmdType::Ack, 2, Payload::Ack(ack)),
        OutputFrame::new(
            CmdType::Sync,
            3,
            Payload::Sync(SyncOutputMsg {
                messages: vec![message(b"\xff")],
                has_more: true,
                cursor: 3,
                max_seq: 4,
            }),
        ),
        OutputFrame::new(
            CmdType::Pull,
            4,
            Payload::Pull(PullOutputMsg {
                messages: vec![message(b"")],
                has_more: true,
                next_seq: 3,
                max_seq: 4,
                ended: true,
                members: 500,
            }),
        ),
        OutputFrame::new(
            CmdType::Kick,
            0,
            Payload::Kick(KickMsg {
                reason: pb::KickReason::Replaced.into(),
                reconnect: false,
            }),
        ),
        OutputFrame::refusal(CmdType::Unspecified, 7, Code::MALFORMED_FRAME, Payload::None),
        OutputFrame::push(group_change()),
        OutputFrame::new(CmdType::Signal, 0, Payload::Signal(signal())),
        OutputFrame::new(CmdType::EnterRoom, 8, Payload::EnterRoom(room())),
        OutputFrame::new(CmdType::LeaveRoom, 9, Payload::LeaveRoom(room())),
    ]
}

#[test]
fn every_input_keeps_its_golden_bytes() {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        for frame in inputs() {
            assert_eq!(InputFrame::decode(&frame.encode(encoding)), Ok(frame));
        }
        let frames: Vec<String> = inputs().iter().map(|frame| frame.encode(encoding)).collect();
        insta::assert_snapshot!(format!("inputs_{encoding:?}"), frames.join("\n"));
    }
}

#[test]
fn every_output_keeps_its_golden_bytes() {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let batch = OutputFrame::encode_batch(&outputs(), encoding);
        assert_eq!(OutputFrame::decode_batch(&batch), Ok(outputs()));
        let frames: Vec<String> = outputs()
            .iter()
            .map(|frame| OutputFrame::encode_batch(std::slice::from_ref(frame), encoding))
            .collect();
        insta::assert_snapshot!(format!("outputs_{encoding:?}"), frames.join("\n"));
    }
}

/// Field numbers and enum values are those of the published seed schema. A message that is encoded
/// from it by hand can be read.
#[test]
fn the_seed_field_numbers_are_unchanged() {
    // Input{type=3, data=UpMsg{msg=Message{1:1, 2:2, 3:1, 4:1, 5:"hi"}, clientId=5}}
    let seed = b"\x08\x03\x12\x10\x0a\x0c\x08\x01\x10\x02\x18\x01\x20\x01\x2a\x02hi\x10\x05";
    let frame = InputFrame::decode(&to_base64(seed)).unwrap();
    let Request::Message(up) = frame.request else {
        panic!("not a message")
    };
    assert_eq!(up.client_id, 5);
    let msg = up.msg.unwrap();
    assert_eq!(
        (msg.session_type, msg.receiver_id, msg.sender_id, msg.message_type),
        (1, 2, 1, 1)
    );
    assert_eq!(msg.content, b"hi");
}

#[test]
fn a_frame_typed_by_hand_is_read() {
    let typed = r#"{"type":"MESSAGE","request_id":1,"data":{"client_id":1,"msg":{"session_type":"SINGLE","receiver_id":2,"message_type":1,"content":"hi"}}}"#;
    let Request::Message(up) = InputFrame::decode(typed).unwrap().request else {
        panic!("not a message")
    };
    assert_eq!(up.msg.unwrap().content, b"hi");
    assert!(matches!(
        InputFrame::decode(r#"{"type":2}"#).unwrap().request,
        Request::Heartbeat(_)
    ));
}

#[test]
fn a_bad_frame_is_refused_with_its_type_and_request_id_if_they_can_be_read() {
    let code = |text: &str| InputFrame::decode(text).map_err(|error| (error.code, error.cmd, error.request_id));
    let malformed = Code::MALFORMED_FRAME;
    let none = CmdType::Unspecified;
    assert_eq!(code(""), Err((Code::UNKNOWN_COMMAND, none, 0)));
    assert_eq!(code("***"), Err((malformed, none, 0)));
    assert_eq!(code("{"), Err((malformed, none, 0)));
    assert_eq!(code("////"), Err((malformed, none, 0)));
    assert_eq!(
        code(&format!("{}1{}", "{\"data\":".repeat(1000), "}".repeat(1000))),
        Err((malformed, none, 0))
    );
    assert_eq!(
        code(r#"{"type":99,"request_id":7}"#),
        Err((Code::UNKNOWN_COMMAND, none, 7))
    );
    assert_eq!(
        code(r#"{"type":"KICK","request_id":7}"#),
        Err((Code::UNKNOWN_COMMAND, CmdType::Kick, 7))
    );
    assert_eq!(
        code(r#"{"type":"SYNC","request_id":7,"data":{"seq":-1}}"#),
        Err((malformed, CmdType::Sync, 7))
    );
    assert_eq!(
        code(r#"{"type":"SYNC","request_id":7,"data":[]}"#),
        Err((malformed, CmdType::Sync, 7))
    );
    let both = r#"{"type":"MESSAGE","request_id":7,"data":{"msg":{"content":"a","content_base64":"YQ=="}}}"#;
    assert_eq!(code(both), Err((malformed, CmdType::Message, 7)));
}

#[test]
fn the_largest_content_of_any_bytes_fits_a_frame() {
    for byte in [b'a', 0x01, b'"', 0xff] {
        let mut largest = message(&vec![byte; limits::CONTENT_BYTES]);
        (largest.receiver_id, largest.sender_id, largest.seq) =
            (limits::MAX_INTEGER, limits::MAX_INTEGER, limits::MAX_INTEGER);
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let frame = OutputFrame::encode_batch(&[OutputFrame::push(largest.clone())], encoding);
            assert!(
                frame.len() <= limits::FRAME_BYTES,
                "{encoding:?} {byte}: {}",
                frame.len()
            );
        }
    }
}

#[test]
fn debug_output_shows_no_content_and_no_token() {
    let shown = format!("{:?} {:?}", message(b"secret-content"), inputs()[0]);
    assert!(
        !shown.contains("secret-content") && !shown.contains("t.o.k") && !shown.contains("116"),
        "{shown}"
    );
}

fn any_message() -> impl Strategy<Value = pb::Message> {
    let id = 0..=limits::MAX_INTEGER;
    let numbers = (id.clone(), id.clone(), id.clone(), id.clone(), id.clone(), id);
    let content = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes)
    ];
    (numbers, content, 0..=4_i32, 0..=4_i32, any::<i64>()).prop_map(
        |(n, content, session_type, message_type, send_time)| pb::Message {
            session_type,
            receiver_id: n.0,
            sender_id: n.1,
            message_type,
            content,
            seq: n.2,
            send_time,
            conversation_seq: n.3,
            client_id: n.4,
            session: n.5,
            group_change: None,
        },
    )
}

proptest! {
    #[test]
    fn a_frame_that_is_written_can_be_read(msg in any_message(), request_id in 0..=limits::MAX_INTEGER, json: bool) {
        let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
        let up = InputFrame { request_id, request: Request::Message(UpMsg { msg: Some(msg.clone()), client_id: 1, session: 2 }) };
        prop_assert_eq!(InputFrame::decode(&up.encode(encoding)).unwrap(), up);
        let page = SyncOutputMsg { messages: vec![msg.clone(), msg.clone()], has_more: true, cursor: 1, max_seq: 2 };
        let down = vec![OutputFrame::push(msg), OutputFrame::new(CmdType::Sync, request_id, Payload::Sync(page))];
        prop_assert_eq!(OutputFrame::decode_batch(&OutputFrame::encode_batch(&down, encoding)).unwrap(), down);
    }

    #[test]
    fn a_page_within_its_bytes_fits_a_frame(messages in proptest::collection::vec(any_message(), 1..40), json: bool) {
        let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
        let counted: usize = messages.iter().map(|message| encoding.frame_bytes(message)).sum();
        let max = limits::MAX_INTEGER;
        let page = SyncOutputMsg { messages, has_more: true, cursor: max, max_seq: max };
        let frame = OutputFrame::encode_batch(&[OutputFrame::new(CmdType::Sync, max, Payload::Sync(page))], encoding);
        prop_assert!(frame.len() <= counted + 300, "{} bytes in the frame, {counted} counted", frame.len());
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in ".{0,300}") {
        let _ = InputFrame::decode(&text);
        let _ = OutputFrame::decode_batch(&text);
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = to_base64(&bytes);
        let _ = InputFrame::decode(&text);
        let _ = OutputFrame::decode_batch(&text);
    }

    #[test]
    fn arbitrary_json_is_read_or_refused(cmd in 0..12_i32, key in "(seq|msg|client_id|limit|token)", value in "(-?[0-9]{1,25}|\"[a-z]*\"|\\[\\]|null|\\{\\}|true|1e999)") {
        let _ = InputFrame::decode(&format!("{{\"type\":{cmd},\"request_id\":1,\"data\":{{\"{key}\":{value}}}}}"));
    }
}
