//! Frames that cannot be read.

use crate::code::Code;
use crate::pb::CmdType;

/// Why a frame could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct DecodeError {
    /// The code to answer with.
    pub code: Code,
    /// Type of the frame, as far as it could be read.
    pub cmd: CmdType,
    /// Request id of the frame, as far as it could be read.
    pub request_id: u64,
    /// What was wrong, without the frame's content.
    pub detail: String,
}

impl DecodeError {
    pub(super) fn malformed(cmd: CmdType, request_id: u64, detail: impl Into<String>) -> Self {
        Self {
            code: Code::MALFORMED_FRAME,
            cmd,
            request_id,
            detail: detail.into(),
        }
    }

    pub(super) fn unknown(number: i32, request_id: u64) -> Self {
        let cmd = CmdType::try_from(number).unwrap_or_default();
        Self {
            code: Code::UNKNOWN_COMMAND,
            cmd,
            request_id,
            detail: format!("type {number} is not one that a client sends"),
        }
    }
}
