//! A fault plan: what can go wrong, and how often. A TOML file; what it does not name never
//! happens.

mod amounts;
mod operations;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::kind::Service;
use operations::check;

pub use amounts::{CallCount, Ms, Rate, Within, WithinCalls};

/// The built-in plan, as text of a plan file. It is harsh.
pub const HARSH: &str = include_str!("harsh.toml");

/// The name of the built-in plan for [`FaultPlan::load`].
pub const HARSH_NAME: &str = "harsh";

/// The key of the faults for all operations of a service.
const ALL: &str = "all";

/// What can go wrong. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Processes of functions.
    pub processes: ProcessFaults,
    /// Calls of DynamoDB, by operation or `all`.
    pub dynamodb: OperationFaults,
    /// Calls of SQS by functions, by operation or `all`. Faults of event source mappings are in
    /// `messages`.
    pub sqs: OperationFaults,
    /// Calls of Secrets Manager, by operation or `all`.
    pub secretsmanager: OperationFaults,
    /// Calls of `@connections`, by operation or `all`.
    pub connections: OperationFaults,
    /// Messages between queues and functions.
    pub messages: MessageFaults,
    /// WebSockets.
    pub sockets: SocketFaults,
}

/// Faults of the calls of a service, by operation or for `all`. Those of the operation take
/// precedence.
pub type OperationFaults = BTreeMap<String, CallFaults>;

/// Faults of processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessFaults {
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
pub struct MessageFaults {
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
pub struct SocketFaults {
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

/// Why a plan could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file cannot be read.
    #[error("cannot read the fault plan {}; pass a file, or {HARSH_NAME} for the built-in plan", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, has an unknown key, or an invalid value. The message shows the line.
    #[error("the fault plan is not valid: {}", .0.trim_end())]
    Malformed(String),
    /// A key that means nothing for this service or operation.
    #[error("the fault plan is not valid: {key}: {reason}")]
    Misplaced {
        /// For example `dynamodb.GetItem.entries`.
        key: String,
        /// The cause.
        reason: String,
    },
}

impl FaultPlan {
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

    fn calls(&self, service: Service) -> &OperationFaults {
        match service {
            Service::DynamoDb => &self.dynamodb,
            Service::Sqs => &self.sqs,
            Service::SecretsManager => &self.secretsmanager,
            Service::Connections => &self.connections,
        }
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

#[cfg(test)]
mod tests;
