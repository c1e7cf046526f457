//! The limits of API Gateway.

use std::time::Duration;

pub use crate::template::model::Rate;

/// How much a WebSocket API takes. The default is what AWS grants an account that asked for nothing.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// A connection without a message in either direction for so long is closed.
    pub idle: Duration,
    /// A connection older than this is closed.
    pub lifetime: Duration,
    /// Payload of one WebSocket frame, and of one push.
    pub frame_bytes: usize,
    /// Payload of a message of several frames.
    pub message_bytes: usize,
    /// Requests of all kinds.
    pub rate: Rate,
    /// Frames that wait to be written to one socket; AWS publishes no figure.
    pub outbound_frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_mins(10),
            lifetime: Duration::from_hours(2),
            frame_bytes: 32 * 1024,
            message_bytes: 128 * 1024,
            rate: Rate::default(),
            outbound_frames: 256,
        }
    }
}

impl Default for Rate {
    /// An account's.
    fn default() -> Self {
        Self {
            per_second: 10_000,
            burst: 5_000,
        }
    }
}
