//! Why a process ends, and the errors that its callers get.

use super::InvokeError;
use super::process::{NotStarted, Specification};
use super::runtime_api::ErrorReport;

/// Why a process ends.
pub(super) enum EndReason {
    /// It exited by itself, with this status.
    Exited(String),
    /// It reported that it cannot start.
    InitFailed(ErrorReport),
    /// Its start or its invocation took too long.
    TimedOut,
    /// The fault plan kills it.
    Killed,
    /// The pool dropped it.
    NotNeeded,
    /// The stack is stopping.
    Stopping,
}

impl EndReason {
    /// The error of the invocation that the process was running.
    pub(super) fn into_invoke_error(self, timeout_s: u32) -> InvokeError {
        match self {
            Self::TimedOut => InvokeError::Timeout { timeout_s },
            Self::Exited(status) => InvokeError::Exited { status },
            Self::Killed => InvokeError::Exited {
                status: "signal: 9 (SIGKILL)".to_owned(),
            },
            Self::InitFailed(report) => report.into(),
            Self::NotNeeded | Self::Stopping => InvokeError::Stopping,
        }
    }

    /// The error of the start, if the process ends before its first `/next`. `output` has the last
    /// lines that it printed.
    pub(super) fn into_not_started(self, specification: &Specification, output: Vec<String>) -> NotStarted {
        let (invoke, reason) = match self {
            Self::InitFailed(report) => {
                let invoke = InvokeError::from(report);
                let reason = format!("its initialisation failed: {invoke}");
                (invoke, reason)
            }
            Self::Exited(status) => {
                let reason = format!("it ended before it took an event: {status}");
                (InvokeError::Exited { status }, reason)
            }
            Self::TimedOut => {
                let limit_s = specification.init_limit.as_secs_f32();
                let status = format!("no /next within {limit_s} s of its start");
                (InvokeError::Exited { status: status.clone() }, status)
            }
            // A fault kills a process only during an invocation.
            Self::Killed | Self::NotNeeded | Self::Stopping => {
                (InvokeError::Stopping, InvokeError::Stopping.to_string())
            }
        };
        specification.not_started(invoke, reason, output)
    }
}

impl From<ErrorReport> for InvokeError {
    fn from(report: ErrorReport) -> Self {
        Self::Function {
            error_type: report.error_type,
            message: report.error_message,
        }
    }
}
