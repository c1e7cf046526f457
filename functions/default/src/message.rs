//! MESSAGE: a message on its way up. Checked here, made durable by the store, pushed, acknowledged.

use crate::Call;
use crate::reply::Reply;
use wigwag_edge::push::Target;
use wigwag_edge::{Caller, Error};
use wigwag_protocol::limits::{CONTENT_BYTES, MAX_INTEGER};
use wigwag_protocol::pb::{AckMsg, AckType, CmdType, Message, MessageType, SessionType, UpMsg};
use wigwag_protocol::{Code, OutputFrame, Payload};
use wigwag_store::send::{Draft, Refusal, SendError, Sent};
use wigwag_store::{MessageKey, UserId};

/// Answered with an ACK once the message is durable in the log and in both inboxes.
pub(crate) async fn message(call: &Call<'_>, caller: &Caller, up: UpMsg) -> Result<Reply, Error> {
    let client_id = up.client_id;
    let connected_at_ms = call.event.request_context.connected_at.unsigned_abs();
    let (draft, receiver) = match draft(caller, up, connected_at_ms) {
        Ok(checked) => checked,
        Err(code) => return Ok(refused(client_id, &code.into())),
    };
    match call
        .state
        .store
        .send(&draft, receiver, call.state.messages_from, call.now_ms)
        .await
    {
        Ok(sent) => {
            call.state
                .pusher
                .push(
                    &call.state.store,
                    pushes(caller, receiver, &sent, call.now_ms),
                    call.now_ms,
                )
                .await;
            Ok(acknowledged(&draft, &sent))
        }
        Err(SendError::Refused(refusal)) => Ok(refused(client_id, &refusal)),
        Err(SendError::Store(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}

/// Checks a message by what it says of itself. A client that names no session numbers within its connection.
fn draft(caller: &Caller, up: UpMsg, connected_at_ms: u64) -> Result<(Draft, UserId), Code> {
    let message = up.msg.ok_or(Code::INVALID_FIELD)?;
    if message.session_type != i32::from(SessionType::Single) {
        return Err(Code::SESSION_TYPE_UNSUPPORTED);
    }
    if message.sender_id != 0 && message.sender_id != caller.user {
        return Err(Code::SENDER_MISMATCH);
    }
    if message.receiver_id == caller.user {
        return Err(Code::SEND_TO_SELF);
    }
    let known_type = matches!(
        MessageType::try_from(message.message_type),
        Ok(MessageType::Text | MessageType::Picture | MessageType::Voice)
    );
    let in_range = [message.receiver_id, up.client_id]
        .iter()
        .all(|id| (1..=MAX_INTEGER).contains(id));
    if !known_type || !in_range || up.session > MAX_INTEGER {
        return Err(Code::INVALID_FIELD);
    }
    match message.content.len() {
        0 => return Err(Code::CONTENT_EMPTY),
        1..=CONTENT_BYTES => {}
        _ => return Err(Code::CONTENT_TOO_LARGE),
    }
    let session = if up.session == 0 { connected_at_ms } else { up.session };
    let draft = Draft {
        key: MessageKey {
            sender: caller.user,
            device: caller.device.clone(),
            session,
            client_id: up.client_id,
        },
        message_type: message.message_type,
        content: message.content,
    };
    Ok((draft, message.receiver_id))
}

/// To the receiver's devices, and to the sender's other ones.
fn pushes(caller: &Caller, receiver: UserId, sent: &Sent, now_ms: i64) -> Vec<(Target, OutputFrame)> {
    let with_seq = |seq| {
        OutputFrame::push(Message {
            seq,
            ..sent.message.clone()
        })
    };
    let theirs = Target::all(receiver, &sent.receiver, now_ms).map(|target| (target, with_seq(sent.receiver_seq)));
    let own = Target::all(caller.user, &sent.sender, now_ms)
        .filter(|target| target.device != caller.device)
        .map(|target| (target, with_seq(sent.own_seq)));
    theirs.chain(own).collect()
}

fn acknowledged(draft: &Draft, sent: &Sent) -> Reply {
    let ack = AckMsg {
        r#type: AckType::Up.into(),
        client_id: draft.key.client_id,
        seq: sent.own_seq,
        conversation_seq: sent.message.conversation_seq,
        send_time: sent.message.send_time,
        session: draft.key.session,
        expected_client_id: 0,
    };
    Reply::ok(CmdType::Ack, Payload::Ack(ack))
}

fn refused(client_id: u64, refusal: &Refusal) -> Reply {
    let ack = AckMsg {
        r#type: AckType::Up.into(),
        client_id,
        session: refusal.session.unwrap_or(0),
        expected_client_id: refusal.expected.unwrap_or(0),
        ..AckMsg::default()
    };
    Reply::refused_with(CmdType::Ack, refusal.code, Payload::Ack(ack))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_store::DeviceKey;

    fn caller() -> Caller {
        Caller {
            user: 1,
            device: DeviceKey::of(1, "phone"),
            platform: 1,
        }
    }

    fn up(change: impl Fn(&mut Message)) -> UpMsg {
        let mut message = Message {
            session_type: 1,
            receiver_id: 2,
            sender_id: 1,
            message_type: 1,
            content: b"hi".to_vec(),
            ..Message::default()
        };
        change(&mut message);
        UpMsg {
            msg: Some(message),
            client_id: 1,
            session: 0,
        }
    }

    #[test]
    fn a_message_is_checked_by_what_it_says_of_itself() {
        let of = |change: fn(&mut Message)| draft(&caller(), up(change), 9).map(|(draft, _)| draft.key.session);
        assert_eq!(of(|_| {}), Ok(9));
        assert_eq!(of(|message| message.sender_id = 0), Ok(9));
        assert_eq!(of(|message| message.sender_id = 3), Err(Code::SENDER_MISMATCH));
        assert_eq!(of(|message| message.receiver_id = 1), Err(Code::SEND_TO_SELF));
        assert_eq!(of(|message| message.receiver_id = 0), Err(Code::INVALID_FIELD));
        assert_eq!(of(|message| message.receiver_id = 1 << 53), Err(Code::INVALID_FIELD));
        assert_eq!(of(|message| message.message_type = 0), Err(Code::INVALID_FIELD));
        assert_eq!(of(|message| message.message_type = 4), Err(Code::INVALID_FIELD));
        assert_eq!(of(|message| message.message_type = 77), Err(Code::INVALID_FIELD));
        assert_eq!(
            of(|message| message.session_type = 2),
            Err(Code::SESSION_TYPE_UNSUPPORTED)
        );
        assert_eq!(of(|message| message.content.clear()), Err(Code::CONTENT_EMPTY));
        assert_eq!(of(|message| message.content = vec![0; CONTENT_BYTES]), Ok(9));
        assert_eq!(
            of(|message| message.content = vec![0; CONTENT_BYTES + 1]),
            Err(Code::CONTENT_TOO_LARGE)
        );
        assert_eq!(
            draft(
                &caller(),
                UpMsg {
                    msg: None,
                    client_id: 1,
                    session: 0
                },
                9
            ),
            Err(Code::INVALID_FIELD)
        );
        assert_eq!(
            draft(
                &caller(),
                UpMsg {
                    client_id: 0,
                    ..up(|_| {})
                },
                9
            ),
            Err(Code::INVALID_FIELD)
        );
    }

    #[test]
    fn the_device_that_sent_gets_no_push_and_every_other_one_does() {
        use wigwag_store::head::{Connection, Device, Head};
        let device = |id: &str| {
            let connection = Connection {
                id: id.to_owned(),
                platform: 1,
                protobuf: false,
                connected_at_ms: 0,
            };
            (
                DeviceKey::of(1, id),
                Device {
                    connection: Some(connection),
                    ..Device::default()
                },
            )
        };
        let sender = Head {
            devices: [device("phone"), device("tablet")].into(),
            ..Head::default()
        };
        let receiver = Head {
            devices: [device("other")].into(),
            ..Head::default()
        };

        let sent = Sent {
            message: Message::default(),
            own_seq: 5,
            receiver_seq: 6,
            sender,
            receiver,
        };
        let mut to: Vec<_> = pushes(&caller(), 2, &sent, 0)
            .into_iter()
            .map(|(target, output)| match output.payload {
                Payload::Push(push) => (target.connection.id, push.msg.unwrap().seq),
                other => panic!("{other:?}"),
            })
            .collect();
        to.sort();
        assert_eq!(to, [("other".to_owned(), 6), ("tablet".to_owned(), 5)]);
    }
}
