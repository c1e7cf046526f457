//! LOGIN: signs in a connection that was opened without a token, if the deployment allows it.

use crate::call::Call;
use crate::reply::Reply;
use wigwag_domain::connection::Connection;
use wigwag_edge::connection::{self, Attached};
use wigwag_edge::{Caller, Failure, TokenError, VerifyError, telemetry};
use wigwag_protocol::pb::{AckMsg, AckType, CmdType, LoginMsg};
use wigwag_protocol::{Code, Payload};
use wigwag_store::{StoreError, directory};

/// Answered with an ACK that names the user's highest seq. Pushes get the encoding of the frame. A
/// device that missed the answer may repeat the frame. The connection is attached first, so that a
/// connection that is signed in can be pushed to.
pub(crate) async fn login(call: &Call<'_>, caller: Option<&Caller>, login: &LoginMsg) -> Result<Reply, Failure> {
    let refused = |code: Code| Ok(Reply::refused(CmdType::Ack, code));
    let Some(keys) = &call.state.login_keys else {
        let code = if caller.is_some() {
            Code::ALREADY_SIGNED_IN
        } else {
            Code::LOGIN_FRAME_DISABLED
        };
        return refused(code);
    };
    let token = std::str::from_utf8(&login.token).unwrap_or_default();
    let claimed = match keys.verify(token, call.now_ms).await {
        Ok(claims) => Caller::from(&claims),
        Err(VerifyError::Refused(TokenError::Invalid)) => return refused(Code::TOKEN_INVALID),
        Err(VerifyError::Refused(TokenError::Expired)) => return refused(Code::TOKEN_EXPIRED),
        Err(VerifyError::Keys(error)) => return Err(error.into()),
    };
    if caller.is_some_and(|caller| *caller != claimed) {
        return refused(Code::ALREADY_SIGNED_IN);
    }
    telemetry::sent_by(claimed.user);
    let (store, pusher) = (&call.state.store, &call.state.pusher);
    let connection = connection::from_context(&call.event.request_context, claimed.platform, call.encoding)?;
    let max_seq = match connection::attach(store, pusher, &claimed, &connection, call.state.policy, call.now_ms).await?
    {
        Attached::Yes { max_seq } => max_seq,
        Attached::NoSuchUser => return refused(Code::USER_NOT_FOUND),
        Attached::TooManyDevices => return refused(Code::TOO_MANY_DEVICES),
        Attached::Superseded => return refused(Code::BUSY),
    };
    if caller.is_none() && !sign_in(call, &claimed, &connection).await? {
        return refused(Code::ALREADY_SIGNED_IN);
    }
    let ack = AckMsg {
        r#type: AckType::Login.into(),
        seq: max_seq,
        ..AckMsg::default()
    };
    Ok(Reply::ok(CmdType::Ack, Payload::Ack(ack)))
}

/// Stores who signed in. `false`: somebody else did in between, and this device is detached again.
async fn sign_in(call: &Call<'_>, claimed: &Caller, connection: &Connection) -> Result<bool, StoreError> {
    let store = &call.state.store;
    let who = claimed.to_signed_in();
    let is_first = directory::sign_in(store, &connection.id, &who, connection.connected_at_ms / 1000).await?;
    if is_first || directory::signed_in(store, &connection.id).await?.as_ref() == Some(&who) {
        return Ok(true);
    }
    wigwag_messaging::disconnect(
        store,
        claimed.user,
        &claimed.device,
        connection.connected_at_ms,
        &connection.id,
    )
    .await?;
    Ok(false)
}
