//! Answers, before they are matched with their request.

use crate::fields::Wrong;
use wigwag_edge::Failure;
use wigwag_protocol::pb::CmdType;
use wigwag_protocol::{Code, OutputFrame, Payload};

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

/// The type that answers a request: an ACK if there is nothing else to tell. A type that clients
/// may not send is answered as a frame that cannot be read, never with a type that is otherwise a
/// push.
pub(crate) fn answer_type(request: CmdType) -> CmdType {
    match request {
        CmdType::Login | CmdType::Message | CmdType::Ack | CmdType::Signal => CmdType::Ack,
        CmdType::Heartbeat | CmdType::Sync | CmdType::Pull | CmdType::EnterRoom | CmdType::LeaveRoom => request,
        CmdType::Kick | CmdType::Unspecified => CmdType::Unspecified,
    }
}

/// The answer to a request that failed.
pub(crate) fn failed(request: CmdType, failure: &Failure) -> Reply {
    let code = failure.log(Some(request.as_str_name()));
    Reply::refused(answer_type(request), code)
}
