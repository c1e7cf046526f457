//! The report of the meter: `GET /_local/meter` as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The counts since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Calls to the AWS endpoint, one row for each service, operation and caller.
    pub aws: Vec<AwsRow>,
    /// Functions, by logical id.
    pub functions: BTreeMap<String, FunctionRow>,
    /// WebSocket APIs.
    pub websocket: WebSocketRow,
    /// HTTP APIs.
    pub http: HttpRow,
    /// SQS queues.
    #[serde(default)]
    pub queues: QueueRow,
    /// The cost on AWS, item by item.
    pub cost: Vec<CostRow>,
    /// The sum of `cost`, in US dollars.
    pub cost_usd: f64,
}

/// Calls of one operation by one caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AwsRow {
    /// For example `dynamodb`.
    pub service: String,
    /// For example `UpdateItem`.
    pub operation: String,
    /// Logical id of a function, `event-source-mapping`, or `external`.
    pub caller: String,
    /// All requests, including failed ones.
    pub requests: u64,
    /// Requests answered with 4xx, including failed conditions.
    pub client_errors: u64,
    /// Requests answered with 5xx.
    pub server_errors: u64,
    /// DynamoDB read units.
    pub read_units: f64,
    /// DynamoDB write units.
    pub write_units: f64,
    /// Bytes of the request bodies.
    pub request_bytes: u64,
    /// The IAM permissions that a role needs for these requests.
    #[serde(default)]
    pub permissions: BTreeSet<Permission>,
}

/// An IAM action on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// For example `dynamodb:PutItem`.
    pub action: String,
    /// Name of a table or queue; `@connections` for connections of WebSocket APIs.
    pub resource: String,
}

/// The counts of one function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionRow {
    /// Finished invocations.
    pub invocations: u64,
    /// Invocations that ended in an error.
    pub errors: u64,
    /// Processes that were started for an invocation.
    pub inits: u64,
    /// Time from the start of a process to its first `/next`, in milliseconds.
    pub init_ms: Spread,
    /// The billed time in milliseconds, not rounded up.
    pub duration_ms: Spread,
    /// Processor time, in milliseconds.
    pub cpu_ms: Spread,
    /// Highest resident memory of any process, in bytes; 0 if the system does not report it.
    pub peak_memory_bytes: u64,
    /// Memory times duration, with each invocation rounded up to whole milliseconds.
    pub gb_seconds: f64,
}

/// A summary of many measurements.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The number of measurements.
    pub count: u64,
    /// Their sum.
    pub total: f64,
    /// The smallest.
    pub min: f64,
    /// The median of the latest 1,024.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// All WebSocket APIs together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WebSocketRow {
    /// Messages from clients.
    pub messages_in: u64,
    /// Route responses and accepted pushes.
    pub messages_out: u64,
    /// Bytes of the messages from clients.
    pub bytes_in: u64,
    /// Bytes of the messages to clients.
    pub bytes_out: u64,
    /// Billed messages: both directions, in units of 32 KB.
    pub message_units: u64,
    /// Connections that have ended.
    pub connections: u64,
    /// How long these were open, in minutes.
    pub connection_minutes: f64,
}

/// All HTTP APIs together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HttpRow {
    /// Requests.
    pub requests: u64,
    /// Bytes of the requests.
    pub bytes: u64,
    /// Billed requests: units of 512 KB.
    pub request_units: u64,
}

/// All SQS queues together, in billed requests: one for each 64 KB of a payload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueRow {
    /// To standard queues.
    pub standard_requests: u64,
    /// To FIFO queues.
    pub fifo_requests: u64,
    /// Messages of FIFO batches that were not processed because an earlier one of their group
    /// failed, and that their function did not report as failed. AWS may delete them, so this
    /// should be 0.
    #[serde(default)]
    pub unreported_failures: u64,
}

/// One item of the bill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostRow {
    /// The unit.
    pub item: String,
    /// The quantity.
    pub quantity: f64,
    /// US dollars for a million units.
    pub usd_per_million: f64,
    /// The cost in US dollars.
    pub usd: f64,
    /// Source of the price.
    pub source: String,
}

impl Reading {
    /// The sum of the AWS calls that `wanted` selects, for example those of one function.
    pub fn aws_total(&self, wanted: impl Fn(&AwsRow) -> bool) -> AwsRow {
        self.aws
            .iter()
            .filter(|row| wanted(row))
            .fold(AwsRow::default(), |total, row| AwsRow {
                requests: total.requests + row.requests,
                client_errors: total.client_errors + row.client_errors,
                server_errors: total.server_errors + row.server_errors,
                read_units: total.read_units + row.read_units,
                write_units: total.write_units + row.write_units,
                request_bytes: total.request_bytes + row.request_bytes,
                ..total
            })
    }
}
