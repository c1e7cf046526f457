//! The client against a scripted peer: the other end of its WebSocket, over an in-memory stream, in paused time.

mod connection;
mod peer;
mod receiving;
mod sending;
