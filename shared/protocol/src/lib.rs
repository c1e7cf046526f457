//! The wire protocol: messages, the two encodings, codes and limits. The functions and the client
//! share it, so it knows neither AWS nor a runtime.
//!
//! A device sends an [`InputFrame`] and receives batches of [`OutputFrame`]s. Both are WebSocket
//! text in one of two [`Encoding`]s: base64 protobuf or JSON. `proto/wigwag.proto` describes every
//! field.

mod base64_text;
pub mod code;
pub mod encoding;
pub mod frame;
pub mod http;
mod json;
pub mod limits;
mod redact;

/// The messages of `proto/wigwag.proto`, as generated.
#[expect(missing_docs, reason = "the .proto file documents every field")]
#[allow(clippy::all, clippy::pedantic, reason = "generated code")]
pub mod pb {
    include!(concat!(env!("OUT_DIR"), "/wigwag.v1.rs"));
}

pub use code::Code;
pub use encoding::Encoding;
pub use frame::{DecodeError, InputFrame, OutputFrame, Payload, Request};
