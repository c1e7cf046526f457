//! The client against a scripted peer: the other end of its WebSocket, over an in-memory stream, in paused time.

mod connection;
mod groups;
mod peer;
mod receiving;
mod rooms;
mod sending;
