//! Frames: what one WebSocket text message carries, in either encoding.

mod decode_error;
mod input;
mod json_text;
mod output;
mod payload;

pub use decode_error::DecodeError;
pub use input::InputFrame;
pub use output::OutputFrame;
pub use payload::{Payload, Request};

#[cfg(test)]
mod tests;
