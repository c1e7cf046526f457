//! The edge that all functions share: configuration, clients, tokens, the caller, pushing to
//! devices, the queue to the workers.
//!
//! It is between the events of AWS and the use cases: it knows no rule of messaging.

pub mod caller;
pub mod clients;
pub mod clock;
pub mod config;
pub mod connection;
mod failure;
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
pub use failure::Failure;
pub use keys::{KeyError, Keys, VerifyError};
pub use lambda_runtime::Error;
pub use push::Pusher;
pub use queue::Queue;
pub use token::{Claims, TokenError, TokenKeys};
