//! `Debug` for messages that carry content or tokens. It shows sizes and never the bytes, so no log
//! line can show them.

use crate::pb::{GroupChange, Input, LoginMsg, Message, Output, OutputBatch, SignalMsg};
use std::fmt;

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("session_type", &self.session_type)
            .field("receiver_id", &self.receiver_id)
            .field("sender_id", &self.sender_id)
            .field("message_type", &self.message_type)
            .field("content", &format_args!("{} bytes", self.content.len()))
            .field("seq", &self.seq)
            .field("send_time", &self.send_time)
            .field("conversation_seq", &self.conversation_seq)
            .field("client_id", &self.client_id)
            .field("session", &self.session)
            .field("group_change", &self.group_change)
            .finish()
    }
}

impl fmt::Debug for GroupChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupChange")
            .field("type", &self.r#type)
            .field("users", &self.user_ids.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SignalMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalMsg")
            .field("session_type", &self.session_type)
            .field("receiver_id", &self.receiver_id)
            .field("sender_id", &self.sender_id)
            .field("signal_type", &self.signal_type)
            .field("content", &format_args!("{} bytes", self.content.len()))
            .field("send_time", &self.send_time)
            .finish()
    }
}

impl fmt::Debug for LoginMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginMsg { token: *** }")
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("type", &self.r#type)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("type", &self.r#type)
            .field("code", &self.code)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OutputBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutputBatch {{ {} outputs }}", self.outputs.len())
    }
}
