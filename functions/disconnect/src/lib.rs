//! `$disconnect`: removes the connection from its user's head, if it is still the one there.
//!
//! Best effort, as API Gateway's call is: a connection that stays behind falls to the next push (410), to the device's next
//! connection, or to its age.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest as Event;
use wigwag_edge::response::Response;
use wigwag_edge::{Caller, ConfigError, Error, clients, config, connection};
use wigwag_store::{DeviceKey, Store, StoreError};

/// What the function keeps between events.
#[derive(Debug)]
pub struct State {
    store: Store,
    allow_login_frame: bool,
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
    let context = &event.request_context;
    let id = connection::id(context)?;
    let caller = match Caller::from_context(&context.authorizer.fields) {
        Some(caller) => Some(caller),
        None if state.allow_login_frame => forget_socket(&state.store, id).await?,
        None => None,
    };
    if let Some(caller) = caller {
        state
            .store
            .disconnect(caller.user, &caller.device, context.connected_at, id)
            .await?;
    }
    Ok(Response::status(200))
}

/// Who had signed in on the connection with a LOGIN frame.
async fn forget_socket(store: &Store, connection_id: &str) -> Result<Option<Caller>, StoreError> {
    let who = store.forget_socket(connection_id).await?;
    Ok(who.and_then(|who| {
        Some(Caller {
            user: who.user_id,
            device: DeviceKey::from_key(&who.device)?,
            platform: who.platform,
        })
    }))
}
