//! Attaching a connection: at `$connect`, or later with a LOGIN frame.

use crate::{Caller, Failure, Pusher};
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequestContext as Context;
use wigwag_domain::connection::Connection;
use wigwag_messaging::connect::{Connected, ConnectionPolicy};
use wigwag_protocol::pb::{CmdType, KickMsg, KickReason};
use wigwag_protocol::{Encoding, OutputFrame, Payload};
use wigwag_store::{Store, StoreError};

/// How attaching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// The device can be pushed to.
    Yes {
        /// The user's highest reserved seq.
        max_seq: u64,
    },
    /// There is no such user.
    NoSuchUser,
    /// The device has a newer connection already.
    Superseded,
    /// No slot is left for another device.
    TooManyDevices,
}

/// The connection that an event is about.
pub fn from_context(context: &Context, platform: u8, encoding: Encoding) -> Result<Connection, Failure> {
    Ok(Connection {
        id: id(context)?.to_owned(),
        platform,
        protobuf: encoding == Encoding::Protobuf,
        connected_at_ms: context.connected_at,
    })
}

/// The id of the connection that an event is about.
pub fn id(context: &Context) -> Result<&str, Failure> {
    context.connection_id.as_deref().ok_or(Failure::Event("connection"))
}

/// Writes a connection into its user's head. The connections that it replaces are told, and closed.
pub async fn attach(
    store: &Store,
    pusher: &Pusher,
    caller: &Caller,
    connection: &Connection,
    policy: ConnectionPolicy,
    now_ms: i64,
) -> Result<Attached, StoreError> {
    match wigwag_messaging::connect(store, caller.user, &caller.device, connection, policy, now_ms).await? {
        Connected::Yes { max_seq, replaced } => {
            pusher.close(replaced, &kick(KickReason::Replaced)).await;
            Ok(Attached::Yes { max_seq })
        }
        Connected::NoSuchUser => Ok(Attached::NoSuchUser),
        Connected::Superseded => Ok(Attached::Superseded),
        Connected::TooManyDevices => Ok(Attached::TooManyDevices),
    }
}

fn kick(reason: KickReason) -> OutputFrame {
    OutputFrame::new(
        CmdType::Kick,
        0,
        Payload::Kick(KickMsg {
            reason: reason.into(),
            reconnect: false,
        }),
    )
}
