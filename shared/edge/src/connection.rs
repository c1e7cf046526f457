//! Taking a connection in: at `$connect`, or later with a LOGIN frame.

use crate::{Caller, Error, Pusher};
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequestContext as Context;
use wigwag_protocol::pb::{CmdType, KickMsg, KickReason};
use wigwag_protocol::{Encoding, OutputFrame, Payload};
use wigwag_store::devices::{Connected, ConnectionPolicy};
use wigwag_store::head::Connection;
use wigwag_store::{Store, StoreError};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// The device can be pushed to.
    Yes {
        /// The user's highest reserved seq.
        max_seq: u64,
    },
    /// There is no such user.
    NoSuchUser,
    /// A newer connection of the device stands already.
    Superseded,
    /// No place is left for another device.
    TooManyDevices,
}

/// The connection that an event is about.
pub fn of(context: &Context, platform: u8, encoding: Encoding) -> Result<Connection, Error> {
    Ok(Connection {
        id: id(context)?.to_owned(),
        platform,
        protobuf: encoding == Encoding::Protobuf,
        connected_at_ms: context.connected_at,
    })
}

/// The id of the connection that an event is about.
pub fn id(context: &Context) -> Result<&str, Error> {
    context
        .connection_id
        .as_deref()
        .ok_or_else(|| "the event names no connection".into())
}

/// Writes a connection into its user's head. Those whose place it takes are told, and closed.
pub async fn attach(
    store: &Store,
    pusher: &Pusher,
    caller: &Caller,
    connection: &Connection,
    policy: ConnectionPolicy,
    now_ms: i64,
) -> Result<Attached, StoreError> {
    match store
        .connect(caller.user, &caller.device, connection, policy, now_ms)
        .await?
    {
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
