//! The errors of SQS, under the names that its clients know.
//!
//! SQS once used the Query protocol, and SDKs still report the error names of that protocol. They
//! read them from the header `x-amzn-query-error`. So each error has two names, and a fault: sender
//! or receiver.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#awsquerycompatible-trait>

/// Why a request, or one entry of a batch, was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqsError {
    /// The code of the error.
    pub code: SqsErrorCode,
    /// The message for the caller.
    pub message: String,
}

/// The error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqsErrorCode {
    /// Two entries of a batch have the same id.
    BatchEntryIdsNotDistinct,
    /// The entries of a batch are too large in total.
    BatchRequestTooLong,
    /// A batch without an entry.
    EmptyBatchRequest,
    /// A change could not be written to disk.
    InternalError,
    /// The queue URL is malformed.
    InvalidAddress,
    /// SQS has no such operation.
    InvalidAction,
    /// Queues have no such attribute.
    InvalidAttributeName,
    /// The value of an attribute is invalid.
    InvalidAttributeValue,
    /// The id of an entry of a batch is malformed.
    InvalidBatchEntryId,
    /// The body, or an attribute, contains characters that XML 1.0 does not allow.
    InvalidMessageContents,
    /// The value of a parameter is invalid.
    InvalidParameterValue,
    /// The message is not in flight.
    MessageNotInflight,
    /// A parameter is missing.
    MissingParameter,
    /// Too many messages are in flight.
    OverLimit,
    /// The queue was purged within the last minute.
    PurgeQueueInProgress,
    /// There is no such queue.
    QueueDoesNotExist,
    /// The queue exists with other attributes.
    QueueNameExists,
    /// The receipt handle does not belong to this queue.
    ReceiptHandleIsInvalid,
    /// The call exceeds the queue's throughput limit.
    RequestThrottled,
    /// The resource that the request names does not exist.
    ResourceNotFound,
    /// The request is not JSON of the right shape.
    Serialization,
    /// A batch of more than ten entries.
    TooManyEntriesInBatchRequest,
    /// This type of queue does not support the operation.
    UnsupportedOperation,
}

impl SqsErrorCode {
    /// The name in the body's `__type`.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// The name in the header `x-amzn-query-error`, and in failed entries of batches.
    pub fn query_name(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::BatchEntryIdsNotDistinct => (
                "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            ),
            Self::BatchRequestTooLong => (
                "com.amazonaws.sqs#BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong",
            ),
            Self::EmptyBatchRequest => (
                "com.amazonaws.sqs#EmptyBatchRequest",
                "AWS.SimpleQueueService.EmptyBatchRequest",
            ),
            Self::InternalError => ("com.amazon.coral.service#InternalFailure", "InternalError"),
            Self::InvalidAddress => ("com.amazonaws.sqs#InvalidAddress", "InvalidAddress"),
            Self::InvalidAction => ("com.amazon.coral.service#UnknownOperationException", "InvalidAction"),
            Self::InvalidAttributeName => ("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidAttributeValue => ("com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue"),
            Self::InvalidBatchEntryId => (
                "com.amazonaws.sqs#InvalidBatchEntryId",
                "AWS.SimpleQueueService.InvalidBatchEntryId",
            ),
            Self::InvalidMessageContents => ("com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents"),
            Self::InvalidParameterValue => (
                "com.amazon.coral.service#InvalidParameterValueException",
                "InvalidParameterValue",
            ),
            Self::MessageNotInflight => (
                "com.amazonaws.sqs#MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
            ),
            Self::MissingParameter => (
                "com.amazon.coral.service#MissingRequiredParameterException",
                "MissingParameter",
            ),
            Self::OverLimit => ("com.amazonaws.sqs#OverLimit", "OverLimit"),
            Self::PurgeQueueInProgress => (
                "com.amazonaws.sqs#PurgeQueueInProgress",
                "AWS.SimpleQueueService.PurgeQueueInProgress",
            ),
            Self::QueueDoesNotExist => (
                "com.amazonaws.sqs#QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue",
            ),
            Self::QueueNameExists => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists"),
            Self::ReceiptHandleIsInvalid => ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::RequestThrottled => ("com.amazonaws.sqs#RequestThrottled", "RequestThrottled"),
            Self::ResourceNotFound => (
                "com.amazonaws.sqs#ResourceNotFoundException",
                "ResourceNotFoundException",
            ),
            Self::Serialization => (
                "com.amazon.coral.service#SerializationException",
                "SerializationException",
            ),
            Self::TooManyEntriesInBatchRequest => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Self::UnsupportedOperation => (
                "com.amazonaws.sqs#UnsupportedOperation",
                "AWS.SimpleQueueService.UnsupportedOperation",
            ),
        }
    }
}

impl SqsError {
    /// Creates an error with this code.
    pub fn new(code: SqsErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A required parameter is missing.
    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(SqsErrorCode::MissingParameter, message)
    }

    /// A parameter has an invalid value; the message follows the usual wording.
    pub(super) fn invalid(parameter: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        let message = format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::new(SqsErrorCode::InvalidParameterValue, message)
    }

    /// The queue does not exist.
    pub(super) fn no_queue() -> Self {
        Self::new(SqsErrorCode::QueueDoesNotExist, "The specified queue does not exist.")
    }
}
