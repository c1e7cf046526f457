//! The client against a scripted peer at the other end of its WebSocket, over an in-memory stream
//! and in paused time.

mod connection;
mod group_list;
mod groups;
mod peer;
mod receiving;
mod rooms;
mod sending;
