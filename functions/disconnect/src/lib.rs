//! `$disconnect`: removes the connection from its user's head, if it is still the one there, and
//! from its room.
//!
//! Best effort, as API Gateway's call is. A connection that stays in the head is removed by the
//! next push (410), replaced by the device's next connection, or ignored for its age.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest as Event;
use wigwag_edge::response::Response;
use wigwag_edge::telemetry::{self, Instrument as _};
use wigwag_edge::{Caller, ConfigError, Error, clients, config, connection};
use wigwag_store::{Store, directory};

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct State {
    /// The tables.
    pub store: Store,
    /// Whether a connection may have signed in with a LOGIN frame.
    pub allow_login_frame: bool,
}

impl State {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            store: clients::store()?,
            allow_login_frame: config::allow_login_frame()?,
        })
    }
}

/// Removes the connection that the event is about.
pub async fn handle(state: &State, event: Event, _now_ms: i64) -> Result<Response, Error> {
    let span = telemetry::connection(&event.request_context);
    remove(state, &event).instrument(span).await
}

async fn remove(state: &State, event: &Event) -> Result<Response, Error> {
    let context = &event.request_context;
    let id = connection::id(context)?;
    let caller = match Caller::from_context(&context.authorizer.fields) {
        Some(caller) => Some(caller),
        None if state.allow_login_frame => directory::forget_socket(&state.store, id)
            .await?
            .as_ref()
            .and_then(Caller::from_signed_in),
        None => None,
    };
    if let Some(caller) = caller {
        telemetry::sent_by(caller.user);
        wigwag_messaging::disconnect(&state.store, caller.user, &caller.device, context.connected_at, id).await?;
    }
    Ok(Response::status(200))
}
