//! Errors by use case: sending, asking, connecting, staying connected, calling the HTTP API.

use crate::token::TokenError;
use std::io;
use wigwag_protocol::Code;
use wigwag_protocol::http::Failure;
use wigwag_protocol::limits::CONTENT_BYTES;

/// Any error of the app's callbacks.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the client does not know that a message was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The content is empty. Detected before sending.
    #[error("the content is empty")]
    ContentEmpty,
    /// The content is longer than the server accepts. Detected before sending.
    #[error("the content has {bytes} bytes; the maximum is {CONTENT_BYTES}")]
    ContentTooLarge {
        /// Length of the content.
        bytes: usize,
    },
    /// The server refused the message for good. It is in nobody's inbox.
    #[error("refused: {} ({code}): {message}", code_name(*.code))]
    Refused {
        /// Number of a [`Code`], which this version may not know.
        code: i32,
        /// The refusal in words.
        message: String,
    },
    /// The server's record of this device does not match the client's, and the message is not in
    /// the user's own inbox. It may or may not have been accepted. Check the history before sending
    /// it again.
    #[error(
        "the numbering of this device was lost, so it is unknown whether the message was accepted; check the history"
    )]
    StateLost,
    /// The app's [`SessionStore`](crate::SessionStore) failed, so the message was not sent.
    #[error("the message could not be saved before sending")]
    NotSaved(#[source] io::Error),
    /// The client stopped before the message was answered.
    #[error("the client has stopped{}", if *.transmitted { "; it is unknown whether the message was accepted" } else { " before the message was sent" })]
    Stopped {
        /// Whether the message was transmitted at least once. If so, a saved
        /// [`Session`](crate::Session) still holds it.
        transmitted: bool,
    },
}

impl SendError {
    /// The server's code, if it refused with one that this version knows.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Code::from_number(*code),
            _ => None,
        }
    }

    /// Whether the message may be in the conversation in spite of the error.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::StateLost | Self::Stopped { transmitted: true })
    }
}

/// Why a request (PULL, HEARTBEAT, rooms, signals …) got no answer.
///
/// Every request may be repeated except after [`RequestError::Stopped`] and a
/// [`RequestError::Refused`] that is not `retryable`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no connection right now.
    #[error("not connected")]
    NotConnected,
    /// The connection was lost or the server failed before the answer came.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server refused.
    #[error("refused: {} ({code}): {message}", code_name(*.code))]
    Refused {
        /// Number of a [`Code`].
        code: i32,
        /// The refusal in words.
        message: String,
        /// Whether repeating the request can help.
        retryable: bool,
    },
    /// The answer does not match the request.
    #[error("the answer does not match the request")]
    Unexpected,
    /// The client has stopped.
    #[error("the client has stopped")]
    Stopped,
}

impl RequestError {
    /// Whether repeating the request can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotConnected | Self::Interrupted(_) | Self::TimedOut => true,
            Self::Refused { retryable, .. } => *retryable,
            Self::Unexpected | Self::Stopped => false,
        }
    }
}

/// Why the client stopped for good. It does not reconnect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// [`Client::close`](crate::Client::close) was called, or every handle was dropped.
    #[error("closed")]
    Closed,
    /// The server closed the connection and asked not to reconnect. Usually a newer connection of
    /// the same device replaced this one.
    #[error("another connection of this device took over")]
    Kicked,
    /// The server accepts neither the token nor a renewed one. Log in again.
    #[error("signing in was refused: {0}; log in again")]
    SignIn(String),
    /// The handshake was answered with a status that retrying does not change.
    #[error("the server answered the handshake with status {status}: {message}")]
    Handshake {
        /// HTTP status.
        status: u16,
        /// The text of the answer, if it is readable.
        message: String,
    },
    /// These options or this URL cannot open a WebSocket.
    #[error("cannot connect with these options: {0}")]
    Options(String),
    /// The cursor is beyond the server's newest seq. It belongs to another account, or the server
    /// lost its data.
    #[error(
        "the cursor {cursor} is beyond the newest seq {max_seq}: it belongs to another account, or the server lost its data"
    )]
    CursorBeyondEnd {
        /// The cursor of this device.
        cursor: u64,
        /// The newest seq of the server.
        max_seq: u64,
    },
    /// The server refuses SYNC or HEARTBEAT, which every client must send. The two do not speak the
    /// same protocol.
    #[error("refused: {} ({code}): {message}", code_name(*.code))]
    Refused {
        /// Number of a [`Code`].
        code: i32,
        /// The refusal in words.
        message: String,
    },
}

/// Why [`Client::connect`](crate::Client::connect) gave up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server could not be reached or is too busy. Trying later can help.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// Trying again does not help.
    #[error(transparent)]
    Final(#[from] StopReason),
}

/// Why a call to the HTTP API failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The server could not be reached or did not answer in time.
    #[error("cannot reach {url}")]
    Unreachable {
        /// The API's base URL.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server refused.
    #[error("{} ({})", .0.message, .0.code)]
    Refused(Failure),
    /// The answer does not come from this API. Another service may answer at that URL, or a proxy
    /// in between.
    #[error("unexpected answer with status {status}")]
    Unexpected {
        /// HTTP status.
        status: u16,
    },
}

impl ApiError {
    /// The server's code, if it refused with one that this version knows.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(failure) => Code::from_number(failure.code),
            Self::Unreachable { .. } | Self::Unexpected { .. } => None,
        }
    }

    /// Whether the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(failure) => failure.retryable,
            Self::Unexpected { status } => *status == 429 || *status >= 500,
        }
    }
}

impl From<ApiError> for TokenError {
    fn from(error: ApiError) -> Self {
        if error.is_retryable() {
            Self::Unavailable(error.into())
        } else {
            Self::Refused(error.into())
        }
    }
}

/// Name of a code, or "unknown code".
pub(crate) fn code_name(code: i32) -> &'static str {
    Code::from_number(code).map_or("unknown code", Code::name)
}
