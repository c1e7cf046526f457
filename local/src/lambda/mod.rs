//! Lambda: runs the `bootstrap` binaries through the Runtime API.

/// Invokes functions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lambda {}

/// Why an invocation has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The handler returned an error, or panicked.
    #[error("{error_type}: {message}")]
    Function {
        /// `errorType` of the runtime's report.
        error_type: String,
        /// `errorMessage` of the runtime's report.
        message: String,
    },
    /// The function ran past its timeout and was killed.
    #[error("Task timed out after {timeout_s}.00 seconds")]
    Timeout {
        /// The timeout of the template, in seconds.
        timeout_s: u32,
    },
    /// The process ended before it answered.
    #[error("Runtime exited with error: {status}")]
    Exited {
        /// How it ended, for example `exit status: 101`.
        status: String,
    },
    /// The function has as many processes as its reserved concurrency allows, all busy.
    #[error("Rate Exceeded.")]
    Throttled,
    /// The stack is stopping.
    #[error("the stack is stopping")]
    Stopping,
}

impl Lambda {
    /// Invokes the function with this logical id and waits for its result.
    pub async fn invoke(&self, function: &str, event: &serde_json::Value) -> Result<serde_json::Value, InvokeError> {
        let _ = (function, event);
        Err(InvokeError::Stopping)
    }
}
