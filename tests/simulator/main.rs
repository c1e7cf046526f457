//! The proving ground: the server's own code over an embedded `DynamoDB` engine.
//!
//! `schedules` are seeded interleavings of many actors, `cases` are single tests of one subject
//! each. See `docs/contributor/simulator.md`.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod actors;
mod cases;
mod checks;
mod engine;
mod harness;
mod schedules;
mod scheduling;
mod world;
