//! MESSAGE: a message is checked, made durable, pushed and acknowledged.

use crate::accepted::{Accepted, acknowledged, pushes_to, pushes_to_own, refused};
use crate::call::Call;
use crate::fields::{self, Wrong};
use crate::reply::Reply;
use crate::{group, room};
use std::sync::Arc;
use wigwag_domain::outgoing::Draft;
use wigwag_domain::{GroupId, MessageKey, RoomId, UserId};
use wigwag_edge::{Caller, Failure};
use wigwag_messaging::SendError;
use wigwag_messaging::send_to_peer::SentToPeer;
use wigwag_protocol::Code;
use wigwag_protocol::limits::CONTENT_BYTES;
use wigwag_protocol::pb::{MessageType, SessionType, UpMsg};

/// Who is to get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiver {
    Peer(UserId),
    Group(GroupId),
    Room(RoomId),
}

/// Answered with an ACK once the message is durable; to a room, once it is on its way.
pub(crate) async fn message(call: &Call<'_>, caller: &Caller, up: UpMsg) -> Result<Reply, Failure> {
    let client_id = up.client_id;
    let connected_at_ms = call.event.request_context.connected_at.unsigned_abs();
    let (draft, receiver) = match draft(caller, up, connected_at_ms) {
        Ok(checked) => checked,
        Err(wrong) => return Ok(refused(client_id, &wrong.code.into()).about(wrong.field)),
    };
    let result = match receiver {
        Receiver::Peer(user) => to_peer(call, caller, &draft, user).await,
        Receiver::Group(group) => group::send(call, caller, &draft, group).await,
        Receiver::Room(room) => return room::send(call, caller, draft, room).await,
    };
    match result {
        Ok(accepted) => Ok(acknowledged(&draft, &accepted)),
        Err(SendError::Refused(refusal)) => Ok(refused(client_id, &refusal)),
        Err(SendError::Store(error)) => Err(error.into()),
    }
}

async fn to_peer(call: &Call<'_>, caller: &Caller, draft: &Draft, receiver: UserId) -> Result<Accepted, SendError> {
    let state = call.state;
    let sent = wigwag_messaging::send_to_peer(&state.store, draft, receiver, state.messages_from, call.now_ms).await?;
    let SentToPeer {
        message,
        own_seq,
        receiver_seq,
        sender,
        receiver: head,
    } = sent;
    let message = Arc::new(message);
    let mut pushes = pushes_to(receiver, &head, receiver_seq, &message, call.now_ms);
    pushes.extend(pushes_to_own(caller, &sender, own_seq, &message, call.now_ms));
    state
        .pusher
        .push(&state.store, pushes, call.deadline, call.now_ms)
        .await;
    Ok(Accepted { message, own_seq })
}

/// Checks the fields of a message. A client that names no session numbers its messages within the
/// connection. A message to a room is not stored, so its number is only echoed.
fn draft(caller: &Caller, up: UpMsg, connected_at_ms: u64) -> Result<(Draft, Receiver), Wrong> {
    let message = up.msg.ok_or(Wrong::field("msg"))?;
    let id = message.receiver_id;
    let receiver = match SessionType::try_from(message.session_type) {
        Ok(SessionType::Single) => Receiver::Peer(UserId(id)),
        Ok(SessionType::Group) => Receiver::Group(GroupId(id)),
        Ok(SessionType::Room) => Receiver::Room(RoomId(id)),
        Ok(SessionType::Unspecified) | Err(_) => return Err(Code::SESSION_TYPE_UNSUPPORTED.into()),
    };
    if message.sender_id != 0 && message.sender_id != caller.user.0 {
        return Err(Code::SENDER_MISMATCH.into());
    }
    if receiver == Receiver::Peer(caller.user) {
        return Err(Code::SEND_TO_SELF.into());
    }
    // Only the server announces changes of groups.
    let known_type = matches!(
        MessageType::try_from(message.message_type),
        Ok(MessageType::Text | MessageType::Picture | MessageType::Voice)
    );
    if !known_type {
        return Err(Wrong::field("message_type"));
    }
    fields::id("receiver_id", id)?;
    match receiver {
        Receiver::Peer(_) | Receiver::Group(_) => fields::id("client_id", up.client_id)?,
        Receiver::Room(_) => fields::number("client_id", up.client_id)?,
    };
    fields::number("session", up.session)?;
    match message.content.len() {
        0 => return Err(Code::CONTENT_EMPTY.into()),
        1..=CONTENT_BYTES => {}
        _ => return Err(Code::CONTENT_TOO_LARGE.into()),
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
    Ok((draft, receiver))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_domain::DeviceKey;
    use wigwag_protocol::pb::Message;

    fn caller() -> Caller {
        Caller {
            user: UserId(1),
            device: DeviceKey::derive(1, "phone"),
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
    fn the_fields_of_a_message_are_checked() {
        let of = |change: fn(&mut Message)| draft(&caller(), up(change), 9).map(|(draft, _)| draft.key.session);
        let field = |name| Err(Wrong::field(name));
        assert_eq!(of(|_| {}), Ok(9));
        assert_eq!(of(|message| message.sender_id = 0), Ok(9));
        assert_eq!(of(|message| message.sender_id = 3), Err(Code::SENDER_MISMATCH.into()));
        assert_eq!(of(|message| message.receiver_id = 1), Err(Code::SEND_TO_SELF.into()));
        assert_eq!(of(|message| message.receiver_id = 0), field("receiver_id"));
        assert_eq!(of(|message| message.receiver_id = 1 << 53), field("receiver_id"));
        assert_eq!(of(|message| message.message_type = 0), field("message_type"));
        assert_eq!(of(|message| message.message_type = 4), field("message_type"));
        assert_eq!(of(|message| message.message_type = 77), field("message_type"));
        assert_eq!(
            of(|message| message.session_type = 4),
            Err(Code::SESSION_TYPE_UNSUPPORTED.into())
        );
        assert_eq!(
            of(|message| message.session_type = 0),
            Err(Code::SESSION_TYPE_UNSUPPORTED.into())
        );
        assert_eq!(of(|message| message.content.clear()), Err(Code::CONTENT_EMPTY.into()));
        assert_eq!(of(|message| message.content = vec![0; CONTENT_BYTES]), Ok(9));
        assert_eq!(
            of(|message| message.content = vec![0; CONTENT_BYTES + 1]),
            Err(Code::CONTENT_TOO_LARGE.into())
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
            Err(Wrong::field("msg"))
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
            Err(Wrong::field("client_id"))
        );
    }

    #[test]
    fn a_group_or_a_room_may_have_the_senders_number_and_a_room_numbers_nothing() {
        let to = |session_type: i32, client_id| {
            let change = |message: &mut Message| (message.session_type, message.receiver_id) = (session_type, 1);
            let up = UpMsg {
                client_id,
                ..up(change)
            };
            draft(&caller(), up, 9).map(|(_, receiver)| receiver)
        };
        assert_eq!(to(2, 1), Ok(Receiver::Group(GroupId(1))));
        assert_eq!(to(2, 0), Err(Wrong::field("client_id")));
        assert_eq!(to(3, 0), Ok(Receiver::Room(RoomId(1))));
        assert_eq!(to(3, 1 << 53), Err(Wrong::field("client_id")));
    }
}
