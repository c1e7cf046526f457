use anyhow::Result;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message as Frame;
use wigwag_cluster::World;
use wigwag_protocol::pb::{AckMsg, CmdType, Message, PullInputMsg, SyncInputMsg, UpMsg};
use wigwag_protocol::{Code, OutputFrame, Payload, Request, limits};

/// Every refusal on one connection, one after the other: none of them costs the connection, or the message that follows.
#[tokio::test(flavor = "multi_thread")]
async fn every_bad_frame_is_refused_with_its_code_and_nothing_is_lost() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut a = world.json_device(&ada).await?;
    for (frame, code) in [
        ("", Code::UNKNOWN_COMMAND),
        ("not base64!", Code::MALFORMED_FRAME),
        ("aGVsbG8gd29ybGQ=", Code::MALFORMED_FRAME),
        ("{", Code::MALFORMED_FRAME),
        ("{\"type\":\"SYNC\",\"data\":[]}", Code::MALFORMED_FRAME),
        ("{\"type\":\"DANCE\"}", Code::UNKNOWN_COMMAND),
        ("{\"type\":77}", Code::UNKNOWN_COMMAND),
        ("{\"type\":\"KICK\"}", Code::UNKNOWN_COMMAND),
        ("CGM=", Code::UNKNOWN_COMMAND),
    ] {
        let output = a.ask_raw(frame).await?;
        assert_eq!((output.code, output.retryable), (code.number(), false), "{frame}");
        assert!(!output.code_msg.is_empty());
    }
    for (frame, field) in [
        (r#"{"type":"ENTER_ROOM","data":{"room_id":0}}"#, "room_id"),
        (r#"{"type":"ACK","data":{"type":"ACK_TYPE_PUSH","seq":0}}"#, "seq"),
        (
            r#"{"type":"PULL","data":{"session_type":"SESSION_TYPE_GROUP"}}"#,
            "target_id",
        ),
        (r#"{"type":"MESSAGE","data":{"client_id":1}}"#, "msg"),
    ] {
        let output = a.ask_raw(frame).await?;
        assert_eq!(output.code, Code::INVALID_FIELD.number(), "{frame}");
        assert!(output.code_msg.ends_with(&format!(": {field}")), "{}", output.code_msg);
    }
    let deep = format!("{}1{}", "{\"data\":".repeat(2000), "}".repeat(2000));
    assert_eq!(a.ask_raw(&deep).await?.code, Code::MALFORMED_FRAME.number());
    a.tell(bob.user_id, 1, "still works").await?;
    assert_eq!(world.device(&bob).await?.sync(0, 0).await?.messages.len(), 1);
    world.stop().await;
    Ok(())
}

/// Messages that must be refused, each with the code of its refusal.
fn bad_messages(sender: u64, receiver: u64, blocks_sender: u64) -> Vec<(Code, Message)> {
    let good = Message {
        session_type: 1,
        receiver_id: receiver,
        message_type: 1,
        content: b"hi".to_vec(),
        ..Message::default()
    };
    vec![
        (
            Code::SENDER_MISMATCH,
            Message {
                sender_id: receiver,
                ..good.clone()
            },
        ),
        (
            Code::SEND_TO_SELF,
            Message {
                receiver_id: sender,
                ..good.clone()
            },
        ),
        (
            Code::USER_NOT_FOUND,
            Message {
                receiver_id: 1,
                ..good.clone()
            },
        ),
        (
            Code::BLOCKED,
            Message {
                receiver_id: blocks_sender,
                ..good.clone()
            },
        ),
        (
            Code::INVALID_FIELD,
            Message {
                receiver_id: 0,
                ..good.clone()
            },
        ),
        (
            Code::INVALID_FIELD,
            Message {
                message_type: 9,
                ..good.clone()
            },
        ),
        (
            Code::SESSION_TYPE_UNSUPPORTED,
            Message {
                session_type: 4,
                ..good.clone()
            },
        ),
        (
            Code::GROUP_NOT_FOUND,
            Message {
                session_type: 2,
                ..good.clone()
            },
        ),
        (
            Code::CONTENT_EMPTY,
            Message {
                content: Vec::new(),
                ..good.clone()
            },
        ),
        (
            Code::CONTENT_TOO_LARGE,
            Message {
                content: vec![b'x'; limits::CONTENT_BYTES + 1],
                ..good.clone()
            },
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_message_is_refused_with_its_code_and_its_number_stays_free() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    world
        .post::<serde_json::Value>(
            "/block/add",
            Some(&eve.token),
            &serde_json::json!({ "user_id": ada.user_id }),
        )
        .await?;
    let mut a = world.device(&ada).await?;
    let cases = bad_messages(ada.user_id, bob.user_id, eve.user_id);
    for (code, msg) in cases {
        let output = a
            .ask(Request::Message(UpMsg {
                msg: Some(msg),
                client_id: 1,
                session: 1,
            }))
            .await?;
        assert_eq!(output.code, code.number(), "{code}: {output:?}");
        assert_eq!(output.cmd, CmdType::Ack);
        assert!(matches!(output.payload, Payload::Ack(ack) if ack.client_id == 1));
    }
    let missing = a
        .ask(Request::Message(UpMsg {
            msg: None,
            client_id: 1,
            session: 1,
        }))
        .await?;
    assert_eq!(missing.code, Code::INVALID_FIELD.number());
    a.tell(bob.user_id, 1, "the first to be accepted").await?;
    assert!(world.device(&eve).await?.sync(0, 0).await?.messages.is_empty());
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_out_of_turn_are_refused_with_the_one_expected() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut a = world.device(&ada).await?;
    let ack = |output: OutputFrame| match output.payload {
        Payload::Ack(ack) => (Code::from_number(output.code).unwrap(), ack),
        other => panic!("{other:?}"),
    };
    let (code, refusal) = ack(a.say(bob.user_id, 5, "five").await?);
    assert_eq!(
        (code, refusal.expected_client_id, refusal.session),
        (Code::CLIENT_ID_AHEAD, 1, 1)
    );
    a.tell(bob.user_id, 1, "one").await?;
    a.tell(bob.user_id, 2, "two").await?;
    assert_eq!(ack(a.say(bob.user_id, 1, "one").await?).0, Code::CLIENT_ID_PASSED);
    assert_eq!(ack(a.say(bob.user_id, 2, "another").await?).0, Code::CLIENT_ID_REUSED);
    let up = |session| {
        let msg = Message {
            session_type: 1,
            receiver_id: bob.user_id,
            message_type: 1,
            content: b"x".to_vec(),
            ..Message::default()
        };
        Request::Message(UpMsg {
            msg: Some(msg),
            client_id: 1,
            session,
        })
    };
    assert!(a.ask(up(2)).await?.is_ok());
    let old = a
        .ask(Request::Message(UpMsg {
            client_id: 3,
            ..match up(1) {
                Request::Message(up) => up,
                _ => unreachable!(),
            }
        }))
        .await?;
    let (code, refusal) = ack(old);
    assert_eq!((code, refusal.session), (Code::SESSION_PASSED, 2));
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_beyond_the_end_are_refused_and_name_the_end() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut a = world.device(&ada).await?;
    a.tell(bob.user_id, 1, "hi").await?;
    let (code, output) = a.refused(Request::Sync(SyncInputMsg { seq: 2, limit: 0 })).await?;
    assert_eq!(code, Code::CURSOR_BEYOND_END);
    assert!(matches!(output.payload, Payload::Sync(page) if page.max_seq == 1));
    assert_eq!(
        a.refused(Request::Sync(SyncInputMsg { seq: 1 << 60, limit: 0 }))
            .await?
            .0,
        Code::INVALID_FIELD
    );
    let pull = PullInputMsg {
        session_type: 1,
        target_id: bob.user_id,
        ..PullInputMsg::default()
    };
    assert_eq!(
        a.refused(Request::Pull(PullInputMsg {
            begin_seq: 5,
            end_seq: 4,
            ..pull
        }))
        .await?
        .0,
        Code::INVALID_RANGE
    );
    assert_eq!(
        a.refused(Request::Pull(PullInputMsg { target_id: 0, ..pull })).await?.0,
        Code::INVALID_FIELD
    );
    assert_eq!(
        a.refused(Request::Pull(PullInputMsg {
            session_type: 7,
            ..pull
        }))
        .await?
        .0,
        Code::SESSION_TYPE_UNSUPPORTED
    );
    assert_eq!(a.refused(Request::Ack(AckMsg::default())).await?.0, Code::INVALID_FIELD);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_frames_and_frames_over_32_kb_close_the_socket_as_on_aws() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let mut a = world.device(&ada).await?;
    a.send_raw(Frame::binary(vec![1, 2, 3])).await?;
    assert_eq!(a.closed().await?.map(|close| u16::from(close.code)), Some(1003));
    let mut a = world.device(&ada).await?;
    a.send_raw(Frame::text("x".repeat(limits::FRAME_BYTES + 1))).await?;
    assert_eq!(a.closed().await?.map(|close| u16::from(close.code)), Some(1009));
    let mut a = world.device(&ada).await?;
    assert_eq!(
        a.ask_raw(&"x".repeat(limits::FRAME_BYTES)).await?.code,
        Code::MALFORMED_FRAME.number()
    );
    world.stop().await;
    Ok(())
}

/// API Gateway knows text by its type and hands everything else on as base64; `curl -d` sends a form's type.
#[tokio::test]
async fn a_body_is_json_whatever_its_type_says() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let client = reqwest::Client::new();
    let create = |body: &'static str| {
        let request = client.post(format!("{}/group/create", world.stack.http_url));
        let form = request.header("content-type", "application/x-www-form-urlencoded");
        form.bearer_auth(&ada.token).body(body).send()
    };
    let made = create(r#"{"name":"club"}"#).await?;
    assert_eq!(made.status(), 201);
    let refused = create("name=club").await?;
    assert_eq!(refused.status(), 400);
    let failure: Value = refused.json().await?;
    assert_eq!(failure["code"], Code::MALFORMED_FRAME.number());
    world.stop().await;
    Ok(())
}
