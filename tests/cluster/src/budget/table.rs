//! The budgets.

/// Cost of one operation, or the most that it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// DynamoDB write units.
    pub write_units: f64,
    /// DynamoDB read units.
    pub read_units: f64,
    /// Calls to AWS, with or without pushes as the budget's operation says.
    pub requests: f64,
    /// Pushes.
    pub pushes: f64,
}

/// An operation that has a budget.
///
/// The costs of the first six are per operation, and their requests include the pushes. Those of
/// group messages are per member without pushes, and the pushes are per device that is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A 1:1 message; both users are online on one device.
    Message,
    /// A heartbeat.
    Heartbeat,
    /// A page of 50 messages that are small enough to be copied into the inbox.
    SyncSmall,
    /// A page of 50 messages that the inbox refers to.
    SyncByReference,
    /// `$connect`.
    Connect,
    /// `$disconnect`.
    Disconnect,
    /// A message to a group with one full shard of members, while nothing else is sent.
    GroupMessage,
    /// One of ten messages that a worker takes in one batch.
    GroupBurst,
    /// A message to a super group with two full shards of members.
    SuperGroupMessage,
}

/// An operation and the most that it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// The operation.
    pub operation: Operation,
    /// Its name in reports.
    pub name: &'static str,
    /// The most that it may cost.
    pub limit: Cost,
}

/// All budgets. docs/contributor/performance.md states them for users.
pub const BUDGETS: [Budget; 9] = [
    budget(
        Operation::Message,
        "one-to-one message, both online",
        cost(6.0, 1.0, 9.0, 1.0),
    ),
    budget(Operation::Heartbeat, "heartbeat", cost(0.0, 0.5, 1.0, 0.0)),
    budget(
        Operation::SyncSmall,
        "sync, 50 small messages",
        cost(0.0, 10.0, 4.0, 0.0),
    ),
    budget(
        Operation::SyncByReference,
        "sync, 50 messages by reference",
        cost(0.0, 60.0, 4.0, 0.0),
    ),
    budget(Operation::Connect, "connect", cost(1.0, 0.0, 2.0, 0.0)),
    budget(Operation::Disconnect, "disconnect", cost(1.0, 0.0, 2.0, 0.0)),
    budget(
        Operation::GroupMessage,
        "group message, per member, alone",
        cost(2.1, 0.1, 0.1, 1.0),
    ),
    budget(
        Operation::GroupBurst,
        "group message, per member, in bursts of 10",
        cost(1.2, 0.05, 0.06, 0.1),
    ),
    budget(
        Operation::SuperGroupMessage,
        "super group message, per member",
        cost(0.01, 0.55, 0.02, 1.0),
    ),
];

const fn budget(operation: Operation, name: &'static str, limit: Cost) -> Budget {
    Budget { operation, name, limit }
}

pub(super) const fn cost(write_units: f64, read_units: f64, requests: f64, pushes: f64) -> Cost {
    Cost {
        write_units,
        read_units,
        requests,
        pushes,
    }
}

impl Budget {
    /// Puts a measured cost next to the limit.
    pub fn compare(&self, measured: Cost) -> BudgetRow {
        BudgetRow {
            operation: self.name,
            measured,
            limit: self.limit,
        }
    }
}

/// What an operation costs and what it may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetRow {
    /// Name of the operation.
    pub operation: &'static str,
    /// What it costs.
    pub measured: Cost,
    /// The most that it may cost.
    pub limit: Cost,
}

impl BudgetRow {
    /// Whether the cost is within the limit.
    pub fn is_within(&self) -> bool {
        let pairs = [
            (self.measured.write_units, self.limit.write_units),
            (self.measured.read_units, self.limit.read_units),
            (self.measured.requests, self.limit.requests),
            (self.measured.pushes, self.limit.pushes),
        ];
        pairs.into_iter().all(|(measured, limit)| measured <= limit)
    }
}
