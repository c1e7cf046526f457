//! Connections: how they open, and how they end.

mod login_frame;
mod lost_disconnect;
mod replacing;
mod tokens;
