//! The prices of AWS: us-east-1, first tier, without free tiers.

/// Something that AWS bills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// The unit, for example `DynamoDB write request units`.
    pub item: &'static str,
    /// US dollars for a million units.
    pub usd_per_million: f64,
    /// Source of the price.
    pub source: &'static str,
}

/// Writes to on-demand tables, per 1 KB.
pub const WRITE_UNITS: Price = Price {
    item: "DynamoDB write request units",
    usd_per_million: 0.625,
    source: "https://aws.amazon.com/dynamodb/pricing/on-demand/ (since November 2024)",
};

/// Reads of on-demand tables, per 4 KB, strongly consistent.
pub const READ_UNITS: Price = Price {
    item: "DynamoDB read request units",
    usd_per_million: 0.125,
    source: "https://aws.amazon.com/dynamodb/pricing/on-demand/ (since November 2024)",
};

/// Messages in both directions, including pushes, per 32 KB.
pub const WEBSOCKET_MESSAGES: Price = Price {
    item: "API Gateway WebSocket messages",
    usd_per_million: 1.00,
    source: "https://aws.amazon.com/api-gateway/pricing/ (first billion)",
};

/// Minutes of open connections.
pub const CONNECTION_MINUTES: Price = Price {
    item: "API Gateway connection minutes",
    usd_per_million: 0.25,
    source: "https://aws.amazon.com/api-gateway/pricing/",
};

/// Requests to HTTP APIs, per 512 KB.
pub const HTTP_REQUESTS: Price = Price {
    item: "API Gateway HTTP requests",
    usd_per_million: 1.00,
    source: "https://aws.amazon.com/api-gateway/pricing/ (first 300 million)",
};

/// Requests to standard queues, per 64 KB, including those of event source mappings.
pub const QUEUE_REQUESTS: Price = Price {
    item: "SQS requests, standard queues",
    usd_per_million: 0.40,
    source: "https://aws.amazon.com/sqs/pricing/ (first 100 billion; as third parties quote it)",
};

/// Requests to FIFO queues, per 64 KB, including those of event source mappings.
pub const FIFO_QUEUE_REQUESTS: Price = Price {
    item: "SQS requests, FIFO queues",
    usd_per_million: 0.50,
    source: "https://aws.amazon.com/sqs/pricing/ (first 100 billion; as third parties quote it)",
};

/// Calls of Secrets Manager. The $0.40 a month for storing a secret is not included.
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

/// Size of a billed WebSocket message, in bytes.
pub const WEBSOCKET_UNIT_BYTES: u64 = 32 * 1024;

/// Size of a billed SQS request, in bytes.
pub const QUEUE_UNIT_BYTES: u64 = 64 * 1024;

/// Size of a billed HTTP request, in bytes.
pub const HTTP_UNIT_BYTES: u64 = 512 * 1024;

/// How many units are billed for this many bytes: at least one.
pub(super) fn units(bytes: u64, unit_bytes: u64) -> u64 {
    bytes.div_ceil(unit_bytes).max(1)
}
