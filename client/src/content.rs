//! The content of a message.

use crate::error::{RequestError, SendError};
use wigwag_protocol::Code;
use wigwag_protocol::limits::CONTENT_BYTES;
use wigwag_protocol::pb::MessageType;

/// The content of a message and its type.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    pub(crate) kind: MessageType,
    pub(crate) bytes: Vec<u8>,
}

impl Content {
    /// Content of any type, 1 byte to 16 KB. The server does not interpret it.
    pub fn new(kind: MessageType, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { kind, bytes }
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(MessageType::Text, text.into())
    }

    /// Checks content that is relayed without being stored. Returns the refusal that the server
    /// would send; a frame that is too long would close the connection.
    pub(crate) fn check_relayed(&self) -> Result<(), RequestError> {
        let code = match self.bytes.len() {
            0 => Code::CONTENT_EMPTY,
            1..=CONTENT_BYTES => return Ok(()),
            _ => Code::CONTENT_TOO_LARGE,
        };
        Err(RequestError::Refused {
            code: code.number(),
            message: code.text().to_owned(),
            retryable: false,
        })
    }

    pub(crate) fn check(&self) -> Result<(), SendError> {
        match self.bytes.len() {
            0 => Err(SendError::ContentEmpty),
            bytes if bytes > CONTENT_BYTES => Err(SendError::ContentTooLarge { bytes }),
            _ => Ok(()),
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content {{ kind: {:?}, {} bytes }}", self.kind, self.bytes.len())
    }
}
