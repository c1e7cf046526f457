//! The state of the function.

use wigwag_domain::relation::MessagesFrom;
use wigwag_edge::{ConfigError, Keys, Queue, clients, config};
use wigwag_store::Store;

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct State {
    /// The tables.
    pub store: Store,
    /// The queue to the fan-out workers.
    pub queue: Queue,
    /// The keys that sign and check tokens.
    pub keys: Keys,
    /// How long a token is valid, in seconds.
    pub token_ttl_s: i64,
    /// Who may write to a user.
    pub messages_from: MessagesFrom,
}

impl State {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            store: clients::store()?,
            queue: clients::fanout_queue()?,
            keys: clients::token_keys()?,
            token_ttl_s: config::parsed("TOKEN_TTL_SECONDS", "a number of seconds")?,
            messages_from: config::messages_from()?,
        })
    }
}
