//! The `wigwag` command as a user runs it.

mod chat;
mod devices;
mod failures;
mod group_chat;
mod group_management;
mod messages;
mod rooms;
