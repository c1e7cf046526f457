//! The store against a real `DynamoDB` engine, embedded: no twin of our own stands in for it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod deliver;
mod devices;
mod dice;
mod directory;
mod fan_out;
mod group_schedules;
mod group_send;
mod groups;
mod guarantees;
mod harness;
mod in_process;
mod processes;
mod property;
mod rooms;
mod scheduler;
mod schedules;
mod send;
mod timeline;
mod timelines;
mod trace;
mod world;
