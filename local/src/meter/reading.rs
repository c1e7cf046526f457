//! What the meter shows: `GET /_local/meter` as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Everything counted since the start, or since the last reset.
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
    /// What it would cost on AWS, item by item.
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
    /// All requests, failed ones too.
    pub requests: u64,
    /// Those answered with 4xx: failed conditions among them.
    pub client_errors: u64,
    /// Those answered with 5xx.
    pub server_errors: u64,
    /// DynamoDB read units.
    pub read_units: f64,
    /// DynamoDB write units.
    pub write_units: f64,
    /// Bytes of the requests' bodies.
    pub request_bytes: u64,
    /// What a role must grant for these requests.
    #[serde(default)]
    pub permissions: BTreeSet<Permission>,
}

/// An IAM action on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// For example `dynamodb:PutItem`.
    pub action: String,
    /// Name of a table or queue; `@connections` for the connections of WebSocket APIs.
    pub resource: String,
}

/// One function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionRow {
    /// Finished invocations.
    pub invocations: u64,
    /// Those that ended in an error.
    pub errors: u64,
    /// Processes that were started for an invocation.
    pub inits: u64,
    /// From such a start to the first `/next`, in milliseconds.
    pub init_ms: Spread,
    /// What Lambda bills, in milliseconds, not rounded up.
    pub duration_ms: Spread,
    /// Processor time, in milliseconds.
    pub cpu_ms: Spread,
    /// Highest resident memory of any process, in bytes; 0 where the system cannot tell.
    pub peak_memory_bytes: u64,
    /// Memory times duration, each invocation rounded up to whole milliseconds.
    pub gb_seconds: f64,
}

/// Many measurements in a few figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub total: f64,
    /// The smallest.
    pub min: f64,
    /// The one in the middle of the latest 1,024.
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
    /// What is billed: both directions, in units of 32 KB.
    pub message_units: u64,
    /// Connections that have ended.
    pub connections: u64,
    /// How long those were open, in minutes.
    pub connection_minutes: f64,
}

/// All HTTP APIs together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HttpRow {
    /// Requests.
    pub requests: u64,
    /// Bytes of the requests.
    pub bytes: u64,
    /// What is billed: units of 512 KB.
    pub request_units: u64,
}

/// All SQS queues together, requests as they are billed: each 64 KB of a payload is one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueRow {
    /// To standard queues.
    pub standard_requests: u64,
    /// To FIFO queues.
    pub fifo_requests: u64,
    /// Messages of FIFO batches that stayed because one before them in their group failed, and that their function did not report as
    /// failed: AWS may delete them. A function that is right has none.
    #[serde(default)]
    pub unreported_failures: u64,
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostRow {
    /// What is billed.
    pub item: String,
    /// How much of it.
    pub quantity: f64,
    /// US dollars for a million.
    pub usd_per_million: f64,
    /// US dollars.
    pub usd: f64,
    /// Where the price is from.
    pub source: String,
}

impl Reading {
    /// The sum over all AWS calls that `wanted` picks, for example those of one function.
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
