//! What can go wrong, by use case: sending, asking, connecting, staying connected.

use std::io;
use wigwag_protocol::Code;
use wigwag_protocol::limits::CONTENT_BYTES;

/// Any error of the app's own callbacks.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a message is not known to have been sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is nothing in it. Found before anything was sent.
    #[error("the content is empty")]
    ContentEmpty,
    /// Longer than the server takes. Found before anything was sent.
    #[error("the content has {bytes} bytes; {CONTENT_BYTES} is the most")]
    ContentTooLarge {
        /// Length of the content.
        bytes: usize,
    },
    /// The server refused it for good; it is in nobody's inbox.
    #[error("refused: {} ({code}): {message}", code_name(*.code))]
    Refused {
        /// Number of a [`Code`], possibly one that this build does not know.
        code: i32,
        /// The refusal in words.
        message: String,
    },
    /// The server's record of this device does not fit ours, and the message is not in the own inbox: it may or may not
    /// have been accepted. Look at the history before sending it again.
    #[error("the numbering of this device was lost: whether the message was accepted is not known")]
    StateLost,
    /// The app's [`SessionStore`](crate::SessionStore) failed, so the message was not sent.
    #[error("the message could not be saved before sending")]
    NotSaved(#[source] io::Error),
    /// The client stopped before the message was answered.
    #[error("the client has stopped{}", if *.transmitted { "; whether the message was accepted is not known" } else { " before the message was sent" })]
    Stopped {
        /// Whether the message was transmitted at least once. A saved [`Session`](crate::Session) still holds it then.
        transmitted: bool,
    },
}

impl SendError {
    /// The server's code, where it refused with one that is known here.
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

/// Why a question (PULL, HEARTBEAT, acknowledging the cursor) got no answer. All of them may be asked again, except
/// after [`RequestError::Refused`] without `retryable` and [`RequestError::Stopped`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no connection right now.
    #[error("not connected")]
    NotConnected,
    /// The connection was lost, or the server failed, while the question was open.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server said no.
    #[error("refused: {} ({code}): {message}", code_name(*.code))]
    Refused {
        /// Number of a [`Code`].
        code: i32,
        /// The refusal in words.
        message: String,
        /// Whether asking again can help.
        retryable: bool,
    },
    /// The answer is of another kind than the question.
    #[error("the answer does not fit the question")]
    Unexpected,
    /// The client has stopped.
    #[error("the client has stopped")]
    Stopped,
}

impl RequestError {
    /// Whether asking again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotConnected | Self::Interrupted(_) | Self::TimedOut => true,
            Self::Refused { retryable, .. } => *retryable,
            Self::Unexpected | Self::Stopped => false,
        }
    }
}

/// Why the client stopped, for good: it does not reconnect by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// [`Client::close`](crate::Client::close) was called, or every handle was dropped.
    #[error("closed")]
    Closed,
    /// The server closed the connection and asked not to come back: usually a newer connection took this one's place.
    #[error("another connection of this device took over")]
    Kicked,
    /// The token is not accepted, nor is a renewed one: log in again.
    #[error("signing in was refused: {0}; log in again")]
    SignIn(String),
    /// The handshake was answered with a status that trying again does not change.
    #[error("the server answered the handshake with status {status}: {message}")]
    Handshake {
        /// HTTP status.
        status: u16,
        /// What the answer said, as far as it is readable.
        message: String,
    },
    /// No WebSocket can be opened with this URL or these options.
    #[error("the options are not usable: {0}")]
    Options(String),
    /// The cursor is beyond what the server has: it belongs to another account, or the server lost its data.
    #[error(
        "the cursor {cursor} is beyond the newest seq {max_seq}: it is of another account, or the server lost its data"
    )]
    CursorBeyondEnd {
        /// What this device had.
        cursor: u64,
        /// What the server has.
        max_seq: u64,
    },
    /// The server refuses what every client must do (SYNC, HEARTBEAT): the two do not speak the same protocol.
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
    /// Trying again later can help: the server was not reached, or is too busy.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// Trying again does not help.
    #[error(transparent)]
    Final(#[from] StopReason),
}

/// Name of a code, or that it is unknown here.
pub(crate) fn code_name(code: i32) -> &'static str {
    Code::from_number(code).map_or("unknown code", Code::name)
}
