//! Answers, before they know which request they belong to.

use wigwag_edge::KeyError;
use wigwag_protocol::pb::CmdType;
use wigwag_protocol::{Code, OutputFrame, Payload};
use wigwag_store::StoreError;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    cmd: CmdType,
    code: Code,
    payload: Payload,
}

impl Reply {
    pub(crate) fn ok(cmd: CmdType, payload: Payload) -> Self {
        Self {
            cmd,
            code: Code::OK,
            payload,
        }
    }

    pub(crate) fn refused(cmd: CmdType, code: Code) -> Self {
        Self {
            cmd,
            code,
            payload: Payload::None,
        }
    }

    pub(crate) fn refused_with(cmd: CmdType, code: Code, payload: Payload) -> Self {
        Self { cmd, code, payload }
    }

    pub(crate) fn into_output(self, request_id: u64) -> OutputFrame {
        match self.code {
            Code::OK => OutputFrame::new(self.cmd, request_id, self.payload),
            code => OutputFrame::refusal(self.cmd, request_id, code, self.payload),
        }
    }
}

/// The type that answers a request: an ACK where there is nothing else to tell. What a client may not send is answered as what
/// cannot be read, never with a type that comes unasked.
pub(crate) fn answer_type(request: CmdType) -> CmdType {
    match request {
        CmdType::Login | CmdType::Message | CmdType::Ack | CmdType::Signal => CmdType::Ack,
        CmdType::Heartbeat | CmdType::Sync | CmdType::Pull | CmdType::EnterRoom | CmdType::LeaveRoom => request,
        CmdType::Kick | CmdType::Unspecified => CmdType::Unspecified,
    }
}

/// Something broke: the log learns what, the client that trying again can help.
pub(crate) fn failed(request: CmdType, error: &(dyn std::error::Error + 'static)) -> Reply {
    let is_throttled = matches!(error.downcast_ref(), Some(StoreError::Throttled { .. }));
    let is_early = matches!(error.downcast_ref(), Some(KeyError::NotYet));
    let code = if is_throttled || is_early {
        Code::BUSY
    } else {
        Code::INTERNAL
    };
    if code == Code::BUSY {
        tracing::warn!(cmd = request.as_str_name(), error, "a request met too many others");
    } else {
        tracing::error!(cmd = request.as_str_name(), error, "a request failed");
    }
    Reply::refused(answer_type(request), code)
}
