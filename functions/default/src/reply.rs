//! Answers, before they know which request they belong to.

use crate::fields::Wrong;
use wigwag_edge::KeyError;
use wigwag_protocol::pb::CmdType;
use wigwag_protocol::{Code, OutputFrame, Payload};
use wigwag_store::StoreError;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    cmd: CmdType,
    code: Code,
    /// The field that a refusal is about.
    field: Option<&'static str>,
    payload: Payload,
}

impl Reply {
    pub(crate) fn ok(cmd: CmdType, payload: Payload) -> Self {
        Self {
            cmd,
            code: Code::OK,
            field: None,
            payload,
        }
    }

    pub(crate) fn refused(cmd: CmdType, wrong: impl Into<Wrong>) -> Self {
        let Wrong { code, field } = wrong.into();
        Self::refused_with(cmd, code, Payload::None).about(field)
    }

    pub(crate) fn refused_with(cmd: CmdType, code: Code, payload: Payload) -> Self {
        Self {
            cmd,
            code,
            field: None,
            payload,
        }
    }

    /// A refusal that is about this field.
    pub(crate) fn about(self, field: Option<&'static str>) -> Self {
        Self { field, ..self }
    }

    pub(crate) fn into_output(self, request_id: u64) -> OutputFrame {
        if self.code == Code::OK {
            return OutputFrame::new(self.cmd, request_id, self.payload);
        }
        let mut output = OutputFrame::refusal(self.cmd, request_id, self.code, self.payload);
        if let Some(field) = self.field {
            output.code_msg = format!("{}: {field}", output.code_msg);
        }
        output
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
