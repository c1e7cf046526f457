//! `$connect`: writes the connection into the head of its user's inbox.
//!
//! From then on every delivery finds it. The connection that it replaces leaves its room, is told
//! why, and is closed. A connection without a caller, whose token will come in a LOGIN frame, is
//! let in and written nowhere.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest as Event;
use wigwag_edge::connection::{self, Attached};
use wigwag_edge::response::Response;
use wigwag_edge::telemetry::{self, Instrument as _};
use wigwag_edge::{Caller, ConfigError, Error, Pusher, clients, config};
use wigwag_messaging::connect::ConnectionPolicy;
use wigwag_protocol::Encoding;
use wigwag_protocol::encoding::Offer;
use wigwag_store::Store;

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct State {
    /// The tables.
    pub store: Store,
    /// Tells and closes what a connection replaces.
    pub pusher: Pusher,
    /// Which older connections a new one replaces.
    pub policy: ConnectionPolicy,
}

impl State {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            store: clients::store()?,
            pusher: clients::pusher()?,
            policy: config::connection_policy()?,
        })
    }
}

/// Answers with the status of the handshake: 200; 403 if there is no such user; 409 if no slot is
/// left; 503 if the device has a newer connection already.
pub async fn handle(state: &State, event: Event, now_ms: i64) -> Result<Response, Error> {
    let span = telemetry::connection(&event.request_context);
    respond(state, &event, now_ms).instrument(span).await
}

async fn respond(state: &State, event: &Event, now_ms: i64) -> Result<Response, Error> {
    let offered = event
        .headers
        .get("sec-websocket-protocol")
        .and_then(|value| value.to_str().ok())
        .map(Offer::parse);
    let encoding = offered.and_then(|offer| offer.encoding);
    if let Some(caller) = Caller::from_context(&event.request_context.authorizer.fields) {
        let connection =
            connection::from_context(&event.request_context, caller.platform, encoding.unwrap_or_default())?;
        match connection::attach(&state.store, &state.pusher, &caller, &connection, state.policy, now_ms).await? {
            Attached::Yes { .. } => {}
            Attached::NoSuchUser => return Ok(Response::status(403)),
            Attached::TooManyDevices => return Ok(Response::status(409)),
            Attached::Superseded => return Ok(Response::status(503)),
        }
    }
    Ok(accepted(encoding))
}

/// Names the subprotocol if one was offered: otherwise a browser closes the connection.
fn accepted(encoding: Option<Encoding>) -> Response {
    match encoding {
        Some(encoding) => Response::status(200).header("Sec-WebSocket-Protocol", encoding.subprotocol()),
        None => Response::status(200),
    }
}
