//! Which operations a plan can name, and which faults they can have.

use super::{ALL, CallFaults, PlanError};
use crate::faults::kind::{CallFault, Service};

/// Refuses unknown operations, and faults that the operation cannot have: they would never happen.
pub(super) fn check(service: Service, operation: &str, faults: &CallFaults) -> Result<(), PlanError> {
    let misplaced = |key: &str, reason: String| {
        let key = format!("{}.{operation}{key}", service.name());
        Err(PlanError::Misplaced { key, reason })
    };
    if operation != ALL && !operations(service).contains(&operation) {
        let names = operations(service).join(", ");
        return misplaced("", format!("there is no such operation; use one of {ALL}, {names}"));
    }
    for (fault, is_set) in [
        (CallFault::Gone, faults.gone.is_some()),
        (CallFault::Entries, faults.entries.is_some()),
    ] {
        if is_set && !fault.is_of(service) {
            let reason = format!("calls of {} cannot have this fault", service.name());
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
