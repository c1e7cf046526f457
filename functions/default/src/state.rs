//! The state of the function.

use wigwag_domain::relation::MessagesFrom;
use wigwag_edge::{ConfigError, Keys, Pusher, Queue, clients, config};
use wigwag_messaging::connect::ConnectionPolicy;
use wigwag_store::Store;

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct State {
    /// The tables.
    pub store: Store,
    /// The way to devices.
    pub pusher: Pusher,
    /// The queue to the fan-out workers.
    pub queue: Queue,
    /// Which older connections a new one replaces.
    pub policy: ConnectionPolicy,
    /// Who may write to a user.
    pub messages_from: MessagesFrom,
    /// Present if connections may sign in with a LOGIN frame. Read at the first one: other frames
    /// need none.
    pub login_keys: Option<Keys>,
}

impl State {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let login_keys = if config::allow_login_frame()? {
            Some(clients::token_keys()?)
        } else {
            None
        };
        Ok(Self {
            store: clients::store()?,
            pusher: clients::pusher()?,
            queue: clients::fanout_queue()?,
            policy: config::connection_policy()?,
            messages_from: config::messages_from()?,
            login_keys,
        })
    }
}
