//! Messages that the sender may not send.
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::Cluster;
use wigwag_protocol::pb::{CmdType, Message, UpMsg};
use wigwag_protocol::{Code, Payload, Request, limits};

/// Messages that must be refused, each with its code.
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
async fn every_bad_message_is_refused_with_its_code_and_its_client_id_stays_free() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    cluster
        .post::<Value>("/block/add", Some(&eve.token), &json!({ "user_id": ada.user_id }))
        .await?;
    let mut a = cluster.device(&ada).await?;
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
    assert!(cluster.device(&eve).await?.sync(0, 0).await?.messages.is_empty());
    cluster.stop().await;
    Ok(())
}
