//! SIGNAL: a frame for devices that are online now, stored nowhere. To a user it is pushed from
//! here, to a room by the workers.

use crate::call::Call;
use crate::fields::{self, Wrong};
use crate::reply::Reply;
use crate::room;
use std::sync::Arc;
use wigwag_domain::task::RoomContent;
use wigwag_domain::{RoomId, UserId};
use wigwag_edge::push::{Content, Push, Target};
use wigwag_edge::{Caller, Failure};
use wigwag_protocol::limits::CONTENT_BYTES;
use wigwag_protocol::pb::{AckMsg, AckType, CmdType, SessionType, SignalMsg, SignalType};
use wigwag_protocol::{Code, Payload};
use wigwag_store::{directory, inboxes};

/// Answered with an ACK: the signal is on its way to the devices that are online.
pub(crate) async fn signal(call: &Call<'_>, caller: &Caller, signal: SignalMsg) -> Result<Reply, Failure> {
    let to = match check(caller, &signal) {
        Ok(to) => to,
        Err(wrong) => return Ok(Reply::refused(CmdType::Ack, wrong)),
    };
    let room = RoomId(signal.receiver_id);
    let signal = SignalMsg {
        sender_id: caller.user.0,
        send_time: call.now_ms,
        ..signal
    };
    let refused = match to {
        SessionType::Room => {
            let is_there = room::relay(call, caller, room, RoomContent::Signal(signal)).await?;
            (!is_there).then_some(Code::NOT_IN_ROOM)
        }
        _ => to_peer(call, caller, signal).await?,
    };
    if let Some(code) = refused {
        return Ok(Reply::refused(CmdType::Ack, code));
    }
    let ack = AckMsg {
        r#type: AckType::Relayed.into(),
        send_time: call.now_ms,
        ..AckMsg::default()
    };
    Ok(Reply::ok(CmdType::Ack, Payload::Ack(ack)))
}

/// Pushes a signal to a user's devices, unless it is refused. The head may be a moment old, and so
/// may its devices.
async fn to_peer(call: &Call<'_>, caller: &Caller, signal: SignalMsg) -> Result<Option<Code>, Failure> {
    let state = call.state;
    let receiver = UserId(signal.receiver_id);
    let (relation, head) = tokio::join!(
        directory::relation(&state.store, receiver, caller.user),
        inboxes::head(&state.store, receiver, false)
    );
    let relation = relation?;
    let Some(head) = head? else {
        return Ok(Some(Code::USER_NOT_FOUND));
    };
    if let Some(code) = state.messages_from.refuses(relation) {
        return Ok(Some(code));
    }
    let content = Content::Signal(Arc::new(signal));
    let push = |target| Push {
        target,
        contents: vec![content.clone()],
    };
    let pushes = Target::all(receiver, &head, call.now_ms).map(push).collect();
    state
        .pusher
        .push(&state.store, pushes, call.deadline, call.now_ms)
        .await;
    Ok(None)
}

/// Checks the fields of a signal.
fn check(caller: &Caller, signal: &SignalMsg) -> Result<SessionType, Wrong> {
    let Ok(to @ (SessionType::Single | SessionType::Room)) = SessionType::try_from(signal.session_type) else {
        return Err(Code::SESSION_TYPE_UNSUPPORTED.into());
    };
    if signal.sender_id != 0 && signal.sender_id != caller.user.0 {
        return Err(Code::SENDER_MISMATCH.into());
    }
    if to == SessionType::Single && signal.receiver_id == caller.user.0 {
        return Err(Code::SEND_TO_SELF.into());
    }
    fields::id("receiver_id", signal.receiver_id)?;
    match (SignalType::try_from(signal.signal_type), signal.content.len()) {
        (Ok(SignalType::Typing), 0) | (Ok(SignalType::Realtime), 1..=CONTENT_BYTES) => Ok(to),
        (Ok(SignalType::Realtime), 0) => Err(Code::CONTENT_EMPTY.into()),
        (Ok(SignalType::Realtime), _) => Err(Code::CONTENT_TOO_LARGE.into()),
        (Ok(SignalType::Typing), _) => Err(Wrong::field("content")),
        (Ok(SignalType::Unspecified) | Err(_), _) => Err(Wrong::field("signal_type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_domain::DeviceKey;

    #[test]
    fn the_fields_of_a_signal_are_checked() {
        let caller = Caller {
            user: UserId(1),
            device: DeviceKey::derive(1, "phone"),
            platform: 1,
        };
        let of = |change: fn(&mut SignalMsg)| {
            let mut signal = SignalMsg {
                session_type: 1,
                receiver_id: 2,
                signal_type: 1,
                ..SignalMsg::default()
            };
            change(&mut signal);
            check(&caller, &signal)
        };
        let realtime = |bytes: usize| {
            let signal = SignalMsg {
                session_type: 3,
                receiver_id: 1,
                signal_type: 2,
                content: vec![0; bytes],
                ..SignalMsg::default()
            };
            check(&caller, &signal)
        };
        assert_eq!(of(|_| {}), Ok(SessionType::Single));
        assert_eq!(realtime(1), Ok(SessionType::Room));
        assert_eq!(realtime(0), Err(Code::CONTENT_EMPTY.into()));
        assert_eq!(realtime(CONTENT_BYTES + 1), Err(Code::CONTENT_TOO_LARGE.into()));
        assert_eq!(of(|signal| signal.content = vec![0]), Err(Wrong::field("content")));
        assert_eq!(of(|signal| signal.signal_type = 0), Err(Wrong::field("signal_type")));
        assert_eq!(of(|signal| signal.signal_type = 9), Err(Wrong::field("signal_type")));
        assert_eq!(of(|signal| signal.receiver_id = 1), Err(Code::SEND_TO_SELF.into()));
        assert_eq!(of(|signal| signal.receiver_id = 0), Err(Wrong::field("receiver_id")));
        assert_eq!(of(|signal| signal.sender_id = 2), Err(Code::SENDER_MISMATCH.into()));
        assert_eq!(
            of(|signal| signal.session_type = 2),
            Err(Code::SESSION_TYPE_UNSUPPORTED.into())
        );
    }
}
