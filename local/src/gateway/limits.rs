//! The limits of API Gateway.

use std::time::Duration;

pub use crate::template::model::Rate;

/// The limits of a WebSocket API. The default is what a new AWS account gets.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// A connection is closed after this long without a message in either direction.
    pub idle: Duration,
    /// A connection is closed at this age.
    pub lifetime: Duration,
    /// Largest payload of one WebSocket frame, and of one push.
    pub frame_bytes: usize,
    /// Largest payload of a message of several frames.
    pub message_bytes: usize,
    /// Rate of all requests together.
    pub rate: Rate,
    /// Frames that may wait to be written to one socket. AWS publishes no figure.
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
    /// The rate of an AWS account.
    fn default() -> Self {
        Self {
            per_second: 10_000,
            burst: 5_000,
        }
    }
}
