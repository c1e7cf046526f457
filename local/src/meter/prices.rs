//! What AWS charges: the one table of prices, us-east-1, first tier, without free tiers.

/// One thing that AWS charges for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// What is counted, for example `DynamoDB write request units`.
    pub item: &'static str,
    /// US dollars for a million of them.
    pub usd_per_million: f64,
    /// Where the figure is from.
    pub source: &'static str,
}

/// Writes to on-demand tables: 1 KB each.
pub const WRITE_UNITS: Price = Price {
    item: "DynamoDB write request units",
    usd_per_million: 0.625,
    source: "https://aws.amazon.com/dynamodb/pricing/on-demand/ (since November 2024)",
};

/// Reads of on-demand tables: 4 KB each, strongly consistent.
pub const READ_UNITS: Price = Price {
    item: "DynamoDB read request units",
    usd_per_million: 0.125,
    source: "https://aws.amazon.com/dynamodb/pricing/on-demand/ (since November 2024)",
};

/// Frames in either direction and pushes: 32 KB each.
pub const WEBSOCKET_MESSAGES: Price = Price {
    item: "API Gateway WebSocket messages",
    usd_per_million: 1.00,
    source: "https://aws.amazon.com/api-gateway/pricing/ (first billion)",
};

/// Minutes that connections are open.
pub const CONNECTION_MINUTES: Price = Price {
    item: "API Gateway connection minutes",
    usd_per_million: 0.25,
    source: "https://aws.amazon.com/api-gateway/pricing/",
};

/// Requests to HTTP APIs: 512 KB each.
pub const HTTP_REQUESTS: Price = Price {
    item: "API Gateway HTTP requests",
    usd_per_million: 1.00,
    source: "https://aws.amazon.com/api-gateway/pricing/ (first 300 million)",
};

/// Requests to standard queues: 64 KB each. Those of event source mappings too.
pub const QUEUE_REQUESTS: Price = Price {
    item: "SQS requests, standard queues",
    usd_per_million: 0.40,
    source: "https://aws.amazon.com/sqs/pricing/ (first 100 billion; as third parties quote it)",
};

/// Requests to FIFO queues: 64 KB each. Those of event source mappings too.
pub const FIFO_QUEUE_REQUESTS: Price = Price {
    item: "SQS requests, FIFO queues",
    usd_per_million: 0.50,
    source: "https://aws.amazon.com/sqs/pricing/ (first 100 billion; as third parties quote it)",
};

/// Calls of Secrets Manager. What it charges for keeping a secret, $0.40 a month, is not in what is used.
pub const SECRETS_CALLS: Price = Price {
    item: "Secrets Manager API calls",
    usd_per_million: 5.00,
    source: "https://aws.amazon.com/secrets-manager/pricing/ ($0.05 for 10,000)",
};

/// Invocations.
pub const INVOCATIONS: Price = Price {
    item: "Lambda requests",
    usd_per_million: 0.20,
    source: "https://aws.amazon.com/lambda/pricing/",
};

/// Memory times duration, on arm64.
pub const GB_SECONDS: Price = Price {
    item: "Lambda GB-seconds",
    usd_per_million: 13.3334,
    source: "https://aws.amazon.com/lambda/pricing/ (arm64, first 7.5 billion)",
};

/// Bytes in one WebSocket message as it is billed.
pub const WEBSOCKET_UNIT_BYTES: u64 = 32 * 1024;

/// Bytes in one SQS request as it is billed.
pub const QUEUE_UNIT_BYTES: u64 = 64 * 1024;

/// Bytes in one HTTP request as it is billed.
pub const HTTP_UNIT_BYTES: u64 = 512 * 1024;

/// How many units of this size are billed for so many bytes: at least one.
pub(super) fn units(bytes: u64, unit_bytes: u64) -> u64 {
    bytes.div_ceil(unit_bytes).max(1)
}
