//! Failures: something broke before a request could be answered as its rules say.

use crate::KeyError;
use wigwag_protocol::Code;
use wigwag_store::StoreError;

/// Why a request failed. A refusal by rule is not a failure: each use case has its own error for
/// that.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A call to DynamoDB or SQS failed, or an item cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token can be neither signed nor checked now.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The event lacks a field that API Gateway always sends.
    #[error("the event names no {0}")]
    Event(&'static str),
}

impl Failure {
    /// The code that the client gets: `BUSY` if the same request can succeed in a moment, else
    /// `INTERNAL`.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(StoreError::Throttled { .. }) | Self::Keys(KeyError::NotYet) => Code::BUSY,
            Self::Store(StoreError::Failed { .. } | StoreError::Corrupt { .. })
            | Self::Keys(KeyError::Unreadable { .. } | KeyError::Malformed { .. })
            | Self::Event(_) => Code::INTERNAL,
        }
    }

    /// Logs the failure, once, and answers with its code. `cmd`: the type of the frame, if it was
    /// one.
    pub fn log(&self, cmd: Option<&str>) -> Code {
        let (code, error) = (self.code(), self as &dyn std::error::Error);
        if let Self::Keys(error) = self {
            error.log();
        } else if code == Code::BUSY {
            tracing::warn!(cmd, error, "a request met too many others");
        } else {
            tracing::error!(cmd, error, "a request failed");
        }
        code
    }
}
