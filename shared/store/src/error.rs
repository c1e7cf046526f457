//! Why the store could not do something. Refusals by rule are not errors: each operation has its
//! own type for its outcome.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;

/// A call to DynamoDB failed, or an item cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many requests, or another request on the same item: nothing was done.
    #[error("{operation} was throttled, or met another request")]
    Throttled {
        /// Name of the call.
        operation: &'static str,
    },
    /// The call failed or its answer was lost: it may or may not have been done.
    #[error("{operation} failed")]
    Failed {
        /// Name of the call.
        operation: &'static str,
        /// The error of the SDK.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An item is not as this version writes it.
    #[error("an item of {table} cannot be read: {detail}")]
    Corrupt {
        /// Which table, in words.
        table: &'static str,
        /// The problem, without the content of the item.
        detail: String,
    },
}

impl StoreError {
    /// Whether the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Corrupt { .. })
    }

    pub(crate) fn call<E>(operation: &'static str) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        move |error| match error.code() {
            Some(
                "ProvisionedThroughputExceededException"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "TransactionConflictException"
                | "TransactionInProgressException",
            ) => Self::Throttled { operation },
            _ => Self::Failed {
                operation,
                source: Box::new(error),
            },
        }
    }
}
