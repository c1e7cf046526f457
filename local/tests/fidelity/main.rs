//! Checks the local stack against what is known about AWS, with real processes and raw sockets.
//!
//! One binary, one module per part. All functions are `local/fixtures/probe`, which does what its
//! events say.

#![expect(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod closing;
mod facts;
mod handshake;
mod harness;
mod http_api;
mod lambda;
mod management;
mod messages;
mod processes;
mod test_server;
