//! What every function shares at its edge: configuration, clients, tokens, who is calling, pushing to devices, the
//! queue to the workers.
//!
//! Between AWS events and the store: nothing here knows a rule of messaging.

pub mod caller;
pub mod clients;
pub mod clock;
pub mod config;
pub mod connection;
pub mod groups;
mod hs256;
pub mod keys;
pub mod push;
pub mod queue;
pub mod response;
pub mod telemetry;
pub mod token;

pub use caller::Caller;
pub use config::{ConfigError, required};
pub use keys::{KeyError, Keys};
pub use lambda_runtime::Error;
pub use push::Pusher;
pub use queue::Queue;
pub use token::{Claims, TokenError, TokenKeys};
