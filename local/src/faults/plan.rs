//! A fault plan: what can go wrong, and how often. A TOML file; what it does not name never
//! happens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::kind::{CallFault, Service};

/// The built-in plan, as text of a plan file. It is harsh.
pub const HARSH: &str = include_str!("harsh.toml");

/// The name of the built-in plan for [`FaultPlan::load`].
pub const HARSH_NAME: &str = "harsh";

/// The key of the faults for all operations of a service.
const ALL: &str = "all";

/// Longest wait that a plan can ask for, in milliseconds: the longest time that a function can run
/// on Lambda.
const MS_LIMIT: u64 = 900_000;

/// Most calls after which a plan can kill a process.
const CALLS_LIMIT: u64 = 10_000;

/// What can go wrong. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Processes of functions.
    pub processes: Processes,
    /// Calls of DynamoDB, by operation or `all`.
    pub dynamodb: Calls,
    /// Calls of SQS by functions, by operation or `all`. Faults of event source mappings are in
    /// `messages`.
    pub sqs: Calls,
    /// Calls of Secrets Manager, by operation or `all`.
    pub secretsmanager: Calls,
    /// Calls of `@connections`, by operation or `all`.
    pub connections: Calls,
    /// Messages between queues and functions.
    pub messages: Messages,
    /// WebSockets.
    pub sockets: Sockets,
}

/// Faults of the calls of a service, by operation or for `all`. Those of the operation take
/// precedence.
pub type Calls = BTreeMap<String, CallFaults>;

/// Faults of processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Processes {
    /// Share of invocations whose process is killed after a number of calls, from 1 to `calls`. The
    /// last call takes effect and is not answered. An invocation that makes fewer calls is spared.
    pub kill_after_calls: WithinCalls,
    /// Share of invocations whose process is killed within this many milliseconds, unless they end
    /// before.
    pub kill_after_ms: Within,
}

/// Faults of calls. What is not set is taken from `all`; if it is not set there either, it never
/// happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table such as { throttle = 0.1 }")]
pub struct CallFaults {
    /// Refused with the service's error for too many requests, without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Rate>,
    /// Status 500, without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_before: Option<Rate>,
    /// The connection is cut, without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_before: Option<Rate>,
    /// Only `@connections`: status 410 although the connection is open, without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<Rate>,
    /// Only batches of DynamoDB and SQS: share of their entries that fail, without effect, while
    /// the others succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Rate>,
    /// The call takes effect up to this much later, even if its caller is gone by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_before: Option<Within>,
    /// Status 500, but the call took effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_after: Option<Rate>,
    /// The connection is cut, but the call took effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_after: Option<Rate>,
    /// The call takes effect at once and is answered up to this much later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_after: Option<Within>,
}

/// Faults of messages between queues and functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Messages {
    /// Share of batches that become visible again while their function works on them, up to this
    /// long after it got them.
    pub twice: Within,
    /// Share of batches that are not deleted after processing, so that they are delivered again
    /// after their visibility timeout.
    pub again: Rate,
    /// Share of batches that wait up to this long before their function gets them, while other
    /// groups continue.
    pub late: Within,
}

/// Faults of WebSockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sockets {
    /// Share of frames from clients that wait up to this long before they are dispatched, so that
    /// others overtake them.
    pub delay_frame_in: Within,
    /// Share of frames to clients that wait up to this long before they are written, so that others
    /// overtake them.
    pub delay_frame_out: Within,
    /// Share of connections that are cut, without a close frame, up to this long after they were
    /// opened.
    pub cut: Within,
    /// Share of `$disconnect` invocations that do not happen.
    pub drop_disconnect: Rate,
    /// Share of `$disconnect` invocations that happen up to this much later.
    pub delay_disconnect: Within,
}

/// A share of cases: 0 is never, 1 always.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

/// A share of cases, and the longest time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { rate = 0.1, ms = 100 }")]
pub struct Within {
    /// How often.
    pub rate: Rate,
    /// The longest time, in milliseconds; each case draws its own.
    pub ms: Ms,
}

/// A share of cases, and the largest number of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { rate = 0.1, calls = 10 }")]
pub struct WithinCalls {
    /// How often.
    pub rate: Rate,
    /// The largest number of calls; each case draws its own, from 1.
    pub calls: CallCount,
}

/// Milliseconds, up to fifteen minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Ms(u64);

/// A number of calls, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct CallCount(u64);

/// Why a plan could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file cannot be read.
    #[error("cannot read the fault plan {}; the built-in one is called {HARSH_NAME}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, has an unknown key, or an invalid value. The message shows the line.
    #[error("the fault plan is not one: {}", .0.trim_end())]
    Malformed(String),
    /// A key that means nothing for this service or operation.
    #[error("the fault plan is not one: {key}: {reason}")]
    Misplaced {
        /// For example `dynamodb.GetItem.entries`.
        key: String,
        /// The cause.
        reason: String,
    },
}

impl Plan {
    /// Loads the plan in this file, or the built-in plan if the path is its name.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn load(path: &Path) -> Result<Self, PlanError> {
        if path == Path::new(HARSH_NAME) {
            return Self::parse(HARSH);
        }
        let text = std::fs::read_to_string(path).map_err(|source| PlanError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Parses a plan.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self = toml::from_str(text).map_err(|error| PlanError::Malformed(error.to_string()))?;
        for service in Service::ALL {
            for (operation, faults) in plan.calls(service) {
                check(service, operation, faults)?;
            }
        }
        Ok(plan)
    }

    /// The faults of an operation.
    pub fn call(&self, service: Service, operation: &str) -> CallFaults {
        let calls = self.calls(service);
        let for_all = calls.get(ALL).copied().unwrap_or_default();
        calls
            .get(operation)
            .map_or(for_all, |faults| faults.otherwise(&for_all))
    }

    fn calls(&self, service: Service) -> &Calls {
        match service {
            Service::DynamoDb => &self.dynamodb,
            Service::Sqs => &self.sqs,
            Service::SecretsManager => &self.secretsmanager,
            Service::Connections => &self.connections,
        }
    }
}

/// Refuses unknown operations, and faults that the operation cannot have: they would never happen.
fn check(service: Service, operation: &str, faults: &CallFaults) -> Result<(), PlanError> {
    let misplaced = |key: &str, reason: String| {
        let key = format!("{}.{operation}{key}", service.name());
        Err(PlanError::Misplaced { key, reason })
    };
    if operation != ALL && !operations(service).contains(&operation) {
        let names = operations(service).join(", ");
        return misplaced("", format!("there is no such operation; there are {ALL}, {names}"));
    }
    for (fault, is_set) in [
        (CallFault::Gone, faults.gone.is_some()),
        (CallFault::Entries, faults.entries.is_some()),
    ] {
        if is_set && !fault.is_of(service) {
            let reason = format!("calls of {} cannot have it", service.name());
            return misplaced(&format!(".{}", fault.name()), reason);
        }
    }
    if faults.entries.is_some() && operation != ALL && !operation.contains("Batch") {
        return misplaced(".entries", "the operation has no entries".to_owned());
    }
    Ok(())
}

/// The operations that functions can call.
fn operations(service: Service) -> &'static [&'static str] {
    match service {
        Service::DynamoDb => &[
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "DescribeTable",
            "ExecuteStatement",
            "ExecuteTransaction",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        ],
        Service::Sqs => &[
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        ],
        Service::SecretsManager => &crate::secretsmanager::OPERATIONS,
        Service::Connections => &["DeleteConnection", "GetConnection", "PostToConnection"],
    }
}

impl CallFaults {
    /// These faults, completed by `others`.
    fn otherwise(&self, others: &Self) -> Self {
        Self {
            throttle: self.throttle.or(others.throttle),
            fail_before: self.fail_before.or(others.fail_before),
            cut_before: self.cut_before.or(others.cut_before),
            gone: self.gone.or(others.gone),
            entries: self.entries.or(others.entries),
            delay_before: self.delay_before.or(others.delay_before),
            fail_after: self.fail_after.or(others.fail_after),
            cut_after: self.cut_after.or(others.cut_after),
            delay_after: self.delay_after.or(others.delay_after),
        }
    }
}

impl Rate {
    /// Happens always.
    pub const ALWAYS: Self = Self(1.0);

    /// A number from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Ms {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl CallCount {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Default for CallCount {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(format!("a rate is from 0 to 1, this is {rate}"))
        }
    }
}

impl TryFrom<u64> for Ms {
    type Error = String;

    fn try_from(ms: u64) -> Result<Self, String> {
        if ms <= MS_LIMIT {
            Ok(Self(ms))
        } else {
            Err(format!("at most {MS_LIMIT} milliseconds, these are {ms}"))
        }
    }
}

impl TryFrom<u64> for CallCount {
    type Error = String;

    fn try_from(calls: u64) -> Result<Self, String> {
        if (1..=CALLS_LIMIT).contains(&calls) {
            Ok(Self(calls))
        } else {
            Err(format!("from 1 to {CALLS_LIMIT} calls, these are {calls}"))
        }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl From<Ms> for u64 {
    fn from(ms: Ms) -> Self {
        ms.0
    }
}

impl From<CallCount> for u64 {
    fn from(calls: CallCount) -> Self {
        calls.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Plan::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_plan_is_one_in_which_nothing_goes_wrong() {
        assert_eq!(Plan::parse("").unwrap(), Plan::default());
    }

    #[test]
    fn the_built_in_plan_is_a_plan_in_which_much_goes_wrong() {
        let plan = Plan::load(Path::new(HARSH_NAME)).unwrap();
        assert!(plan.processes.kill_after_calls.rate.get() > 0.0);
        assert!(plan.call(Service::DynamoDb, "PutItem").cut_after.is_some());
    }

    #[test]
    fn what_an_operation_does_not_say_is_as_for_all() {
        let plan = Plan::parse("[dynamodb]\nall.throttle = 0.5\nall.cut_after = 0.25\nPutItem.throttle = 0\n").unwrap();
        let (put, get) = (
            plan.call(Service::DynamoDb, "PutItem"),
            plan.call(Service::DynamoDb, "GetItem"),
        );
        assert_eq!((put.throttle, put.cut_after), (Some(Rate(0.0)), Some(Rate(0.25))));
        assert_eq!((get.throttle, get.cut_after), (Some(Rate(0.5)), Some(Rate(0.25))));
        assert_eq!(plan.call(Service::Sqs, "SendMessage"), CallFaults::default());
    }

    #[test]
    fn a_mistake_is_shown_with_its_line() {
        insta::assert_snapshot!(refused("[sockets]\ndrop_disconect = 0.5"), @r"
        the fault plan is not one: TOML parse error at line 2, column 1
          |
        2 | drop_disconect = 0.5
          | ^^^^^^^^^^^^^^
        unknown field `drop_disconect`, expected one of `delay_frame_in`, `delay_frame_out`, `cut`, `drop_disconnect`, `delay_disconnect`
        ");
        insta::assert_snapshot!(refused("[sqs]\nall.throttle = 1.5"), @r"
        the fault plan is not one: TOML parse error at line 2, column 16
          |
        2 | all.throttle = 1.5
          |                ^^^
        a rate is from 0 to 1, this is 1.5
        ");
    }

    #[test]
    fn values_beyond_their_bounds_are_refused() {
        for (text, reason) in [
            ("[messages]\nagain = -0.1", "a rate is from 0 to 1, this is -0.1"),
            ("[messages]\nagain = nan", "a rate is from 0 to 1, this is NaN"),
            (
                "[messages]\nlate = { rate = 1, ms = 900001 }",
                "at most 900000 milliseconds",
            ),
            ("[messages]\nlate = { rate = 1, ms = -1 }", "integer `-1`"),
            ("[messages]\nlate = { rate = 1 }", "missing field `ms`"),
            (
                "[messages]\nlate = 1",
                "expected a table such as { rate = 0.1, ms = 100 }",
            ),
            (
                "[processes]\nkill_after_calls = { rate = 1, calls = 0 }",
                "from 1 to 10000 calls, these are 0",
            ),
            (
                "[dynamodb]\nthrottle = 1",
                "expected a table such as { throttle = 0.1 }",
            ),
            ("[other]", "unknown field `other`"),
        ] {
            let refusal = refused(text);
            assert!(refusal.contains(reason), "{refusal}");
        }
    }

    #[test]
    fn a_fault_where_it_could_not_happen_is_refused() {
        let start = |text: &str, expected: &str| {
            let refusal = refused(text);
            assert!(refusal.starts_with(expected), "{refusal}");
        };
        start(
            "[dynamodb.PutItme]\nthrottle = 1",
            "the fault plan is not one: dynamodb.PutItme: there is no such operation; there are all, Batch",
        );
        start(
            "[dynamodb.all]\ngone = 1",
            "the fault plan is not one: dynamodb.all.gone: calls of dynamodb cannot",
        );
        start(
            "[connections.all]\nentries = 1",
            "the fault plan is not one: connections.all.entries: calls of",
        );
        start(
            "[sqs.SendMessage]\nentries = 1",
            "the fault plan is not one: sqs.SendMessage.entries: the operation has no entries",
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Plan::load(Path::new("no/such/plan")).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot read the fault plan no/such/plan; the built-in one is called harsh"
        );
    }
}
