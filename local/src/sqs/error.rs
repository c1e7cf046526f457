//! What SQS refuses, under the names that its clients know.
//!
//! SQS once spoke the Query protocol, and SDKs still give their callers the names of that time: they read them from the header
//! `x-amzn-query-error`. So an error has two names, and a fault: whose mistake it is.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#awsquerycompatible-trait>

/// Why a request, or one entry of a batch, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqsError {
    /// What is wrong.
    pub code: Code,
    /// The same in words.
    pub message: String,
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// Two entries of a batch have one id.
    BatchEntryIdsNotDistinct,
    /// The entries of a batch are too large together.
    BatchRequestTooLong,
    /// A batch without an entry.
    EmptyBatchRequest,
    /// What the stack did could not be written down.
    InternalError,
    /// The queue URL is none.
    InvalidAddress,
    /// The request names an operation that SQS does not have.
    InvalidAction,
    /// An attribute that queues do not have.
    InvalidAttributeName,
    /// An attribute has a value that it cannot have.
    InvalidAttributeValue,
    /// The id of an entry of a batch is malformed.
    InvalidBatchEntryId,
    /// The body, or an attribute, holds characters that XML 1.0 does not have.
    InvalidMessageContents,
    /// A parameter has a value that it cannot have.
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
    /// There is such a queue, and it has other attributes.
    QueueNameExists,
    /// This is not a receipt handle of this queue.
    ReceiptHandleIsInvalid,
    /// More requests than the queue's throughput allows.
    RequestThrottled,
    /// What the request is about does not exist.
    ResourceNotFound,
    /// The request is not JSON of the right shape.
    Serialization,
    /// A batch of more than ten entries.
    TooManyEntriesInBatchRequest,
    /// The operation is not for this kind of queue.
    UnsupportedOperation,
}

impl Code {
    /// The name in the body's `__type`.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// The name in the header `x-amzn-query-error`, and in the failed entries of batches.
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
    /// An error of this kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A parameter that is not there.
    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(Code::MissingParameter, message)
    }

    /// A parameter with a value that it cannot have, in the usual words.
    pub(super) fn invalid(parameter: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        let message = format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::new(Code::InvalidParameterValue, message)
    }

    /// A queue that is not there.
    pub(super) fn no_queue() -> Self {
        Self::new(Code::QueueDoesNotExist, "The specified queue does not exist.")
    }
}
