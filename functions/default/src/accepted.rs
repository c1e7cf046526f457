//! A message that was accepted: whom it is pushed to, and how it is answered.

use crate::reply::Reply;
use std::sync::Arc;
use wigwag_domain::UserId;
use wigwag_domain::head::InboxHead;
use wigwag_domain::outgoing::Draft;
use wigwag_edge::Caller;
use wigwag_edge::push::{Content, Push, Target};
use wigwag_messaging::Refusal;
use wigwag_protocol::Payload;
use wigwag_protocol::pb::{AckMsg, AckType, CmdType, Message};

/// A message that is durable.
pub(crate) struct Accepted {
    /// The message as it is stored, without the seq of an inbox.
    pub(crate) message: Arc<Message>,
    /// Its seq in the sender's inbox; 0 if it is not in it.
    pub(crate) own_seq: u64,
}

/// Pushes to a user's devices.
pub(crate) fn pushes_to(user: UserId, head: &InboxHead, seq: u64, message: &Arc<Message>, now_ms: i64) -> Vec<Push> {
    let push = |target| Push {
        target,
        contents: vec![Content::Message {
            seq,
            message: Arc::clone(message),
        }],
    };
    Target::all(user, head, now_ms).map(push).collect()
}

/// Pushes to the sender's devices, except the one that sent it.
pub(crate) fn pushes_to_own(
    caller: &Caller,
    head: &InboxHead,
    seq: u64,
    message: &Arc<Message>,
    now_ms: i64,
) -> impl Iterator<Item = Push> {
    let pushes = pushes_to(caller.user, head, seq, message, now_ms);
    pushes.into_iter().filter(|push| push.target.device != caller.device)
}

pub(crate) fn acknowledged(draft: &Draft, accepted: &Accepted) -> Reply {
    let ack = AckMsg {
        r#type: AckType::Up.into(),
        client_id: draft.key.client_id,
        seq: accepted.own_seq,
        conversation_seq: accepted.message.conversation_seq,
        send_time: accepted.message.send_time,
        session: draft.key.session,
        expected_client_id: 0,
    };
    Reply::ok(CmdType::Ack, Payload::Ack(ack))
}

pub(crate) fn refused(client_id: u64, refusal: &Refusal) -> Reply {
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
    use wigwag_domain::DeviceKey;
    use wigwag_domain::connection::Connection;
    use wigwag_domain::head::DeviceSlot;

    #[test]
    fn all_devices_of_the_sender_but_the_sending_one_are_pushed_to() {
        let device = |id: &str| {
            let connection = Connection {
                id: id.to_owned(),
                platform: 1,
                protobuf: false,
                connected_at_ms: 0,
            };
            let connected = DeviceSlot {
                connection: Some(connection),
                ..DeviceSlot::default()
            };
            (DeviceKey::derive(1, id), connected)
        };
        let head = InboxHead {
            devices: [device("phone"), device("tablet")].into(),
            ..InboxHead::default()
        };
        let caller = Caller {
            user: UserId(1),
            device: DeviceKey::derive(1, "phone"),
            platform: 1,
        };
        let message = Arc::new(Message::default());
        let ids = |pushes: Vec<Push>| {
            let mut ids: Vec<_> = pushes.into_iter().map(|push| push.target.connection.id).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(pushes_to_own(&caller, &head, 5, &message, 0).collect()), ["tablet"]);
        assert_eq!(ids(pushes_to(UserId(2), &head, 6, &message, 0)), ["phone", "tablet"]);
    }
}
