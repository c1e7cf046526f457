//! Errors of commands, their messages and exit codes.

use std::fmt::Display;
use std::io;
use wigwag_client::{ApiError, Code, ConnectError, RequestError, SendError, StopReason};

/// Exit code of a command that succeeded.
pub(crate) const EXIT_OK: i32 = 0;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// The server refused.
    #[error("{message}")]
    Refused {
        /// The server's code, if it gave one.
        code: Option<Code>,
        /// The server's message, and advice.
        message: String,
    },
    /// The server could not be reached or did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The reader of standard output has closed it.
    #[error("standard output is closed")]
    OutputClosed,
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl CommandError {
    /// See `wigwag --help`.
    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::OutputClosed => EXIT_OK,
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused { .. } => 3,
            Self::Unreachable(_) => 4,
            Self::Interrupted => 130,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// The server could not be reached at `url`.
    pub(crate) fn unreachable(url: &str, cause: impl Display) -> Self {
        let hint = if url.contains("127.0.0.1") || url.contains("localhost") {
            "; is `cargo local` running?"
        } else {
            ""
        };
        Self::Unreachable(format!("cannot reach {url}{hint} ({cause})"))
    }

    /// A refusal, with advice if there is any.
    pub(crate) fn refused(code: Option<Code>, message: impl Display) -> Self {
        let message = match code.and_then(advice) {
            Some(advice) => format!("{message}\n{advice}"),
            None => message.to_string(),
        };
        Self::Refused { code, message }
    }
}

/// Advice for a refusal, as commands of this program.
fn advice(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::TOKEN_INVALID | Code::TOKEN_EXPIRED | Code::TOKEN_ELSEWHERE | Code::NOT_SIGNED_IN => {
            "log in again with: login --as NAME"
        }
        Code::WRONG_CREDENTIALS => "check the number and the password; create an account with: register",
        Code::PHONE_NUMBER_TAKEN => "log in to that account with: login --as NAME --phone-number …",
        Code::USER_NOT_FOUND => "check the user id; list the local profiles with: profiles",
        Code::NOT_A_MEMBER => "list your groups with: group list",
        Code::GROUP_NOT_FOUND => "check the group's id; list your groups with: group list",
        Code::OWNER_STAYS => "make another member the owner first: group hand-over GROUP ID",
        Code::NOT_IN_ROOM => "enter the room with: chat --room ID",
        Code::NOT_FRIENDS => "become friends first with: friend add ID",
        _ => return None,
    })
}

impl From<ApiError> for CommandError {
    fn from(error: ApiError) -> Self {
        match &error {
            ApiError::Unreachable { url, source } => Self::unreachable(url, innermost(source)),
            ApiError::Refused(failure) => {
                Self::refused(error.code(), format!("the server refused: {}", failure.message))
            }
            other => Self::Other(anyhow::anyhow!("{other}; check that the URL is the HTTP API of Wigwag")),
        }
    }
}

impl From<SendError> for CommandError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Refused { .. } => Self::refused(error.code(), format!("not sent: {error}")),
            SendError::ContentEmpty | SendError::ContentTooLarge { .. } => Self::Usage(format!("not sent: {error}")),
            other => Self::Other(other.into()),
        }
    }
}

impl From<RequestError> for CommandError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused { code, .. } => Self::refused(Code::from_number(code), error),
            RequestError::NotConnected | RequestError::Interrupted(_) | RequestError::TimedOut => {
                Self::Unreachable(error.to_string())
            }
            other => Self::Other(other.into()),
        }
    }
}

impl From<StopReason> for CommandError {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::SignIn(message) => Self::refused(
                Some(Code::TOKEN_INVALID),
                format!("the server does not accept the login: {message}"),
            ),
            StopReason::CursorBeyondEnd { .. } => Self::refused(
                Some(Code::CURSOR_BEYOND_END),
                format!("{reason}\nto start again from the beginning: wigwag tail --as NAME --from 0"),
            ),
            StopReason::Handshake { .. } | StopReason::Refused { .. } => Self::refused(None, reason),
            StopReason::Options(message) => Self::Usage(message),
            other => Self::Other(anyhow::anyhow!("{other}")),
        }
    }
}

impl CommandError {
    /// A failed first connection to `ws_url`.
    pub(crate) fn connecting(ws_url: &str, error: ConnectError) -> Self {
        match error {
            ConnectError::Final(reason) => reason.into(),
            other => Self::unreachable(ws_url, other),
        }
    }

    /// A failure to write to standard output.
    pub(crate) fn printing(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Other(anyhow::Error::new(error).context("cannot write to standard output")),
        }
    }
}

/// The innermost cause, such as "connection refused" instead of "error sending request".
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_client::http;

    #[test]
    fn a_refusal_says_what_to_do() {
        let failure = CommandError::from(ApiError::Refused(http::Failure {
            code: Code::WRONG_CREDENTIALS.number(),
            message: "WRONG_CREDENTIALS: phone number or password is wrong".to_owned(),
            retryable: false,
            retry_after_s: None,
        }));
        let text = failure.to_string();
        assert!(
            text.contains("WRONG_CREDENTIALS") && text.contains("create an account with: register"),
            "{text}"
        );
        assert_eq!(failure.exit_code(), 3);
    }

    #[test]
    fn every_kind_of_failure_has_its_exit_code() {
        let code = |failure: CommandError| failure.exit_code();
        assert_eq!(code(anyhow::anyhow!("x").into()), 1);
        assert_eq!(code(SendError::ContentEmpty.into()), 2);
        assert_eq!(code(StopReason::SignIn("no".to_owned()).into()), 3);
        assert_eq!(
            code(CommandError::connecting(
                "ws://x",
                ConnectError::Unreachable("no".to_owned())
            )),
            4
        );
        assert_eq!(code(CommandError::Interrupted), 130);
        assert_eq!(code(CommandError::printing(io::ErrorKind::BrokenPipe.into())), 0);
    }
}
