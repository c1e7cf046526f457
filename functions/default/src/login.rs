//! LOGIN: signs a connection in that was opened without a token. Only where the deployment allows it.

use crate::Call;
use crate::reply::Reply;
use wigwag_edge::connection::{self, Attached};
use wigwag_edge::{Caller, Error, TokenError};
use wigwag_protocol::pb::{AckMsg, AckType, CmdType, LoginMsg};
use wigwag_protocol::{Code, Payload};
use wigwag_store::directory::SignedIn;

/// Answered with an ACK that names the user's highest seq. The frame's encoding becomes that of pushes.
pub(crate) async fn login(call: &Call<'_>, login: &LoginMsg) -> Result<Reply, Error> {
    let Some(keys) = &call.state.login_keys else {
        return Ok(Reply::refused(CmdType::Ack, Code::LOGIN_FRAME_DISABLED));
    };
    let token = std::str::from_utf8(&login.token).unwrap_or_default();
    let claims = match keys.verify(token, call.now_ms / 1000) {
        Ok(claims) => claims,
        Err(TokenError::Invalid) => return Ok(Reply::refused(CmdType::Ack, Code::TOKEN_INVALID)),
        Err(TokenError::Expired) => return Ok(Reply::refused(CmdType::Ack, Code::TOKEN_EXPIRED)),
    };
    let caller = Caller::from(&claims);
    let connection = connection::of(&call.event.request_context, caller.platform, call.encoding)?;
    let who = SignedIn {
        user_id: caller.user,
        device: caller.device.as_str().to_owned(),
        platform: caller.platform,
    };
    if !call
        .state
        .store
        .sign_in(&connection.id, &who, connection.connected_at_s)
        .await?
    {
        return Ok(Reply::refused(CmdType::Ack, Code::ALREADY_SIGNED_IN));
    }
    let (store, pusher) = (&call.state.store, &call.state.pusher);
    match connection::attach(store, pusher, &caller, &connection, call.state.policy, call.now_ms).await? {
        Attached::Yes { max_seq } => {
            let ack = AckMsg {
                r#type: AckType::Login.into(),
                seq: max_seq,
                ..AckMsg::default()
            };
            Ok(Reply::ok(CmdType::Ack, Payload::Ack(ack)))
        }
        Attached::NoSuchUser => Ok(Reply::refused(CmdType::Ack, Code::USER_NOT_FOUND)),
        Attached::TooManyDevices => Ok(Reply::refused(CmdType::Ack, Code::TOO_MANY_DEVICES)),
    }
}
