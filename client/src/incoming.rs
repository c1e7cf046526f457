//! Frames from the server, and notices that API Gateway sends itself.

use serde::Deserialize;
use wigwag_protocol::{DecodeError, OutputFrame};

/// An incoming frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Incoming {
    /// From the server.
    Batch(Vec<OutputFrame>),
    /// From API Gateway, if a function failed or a limit was reached. It does not name the request.
    Notice(Notice),
}

/// `{"message": "Internal server error", "connectionId":"…", "requestId":"…"}`
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notice {
    /// `Internal server error`, `Forbidden`, `Too Many Requests`, …
    pub(crate) message: String,
    /// API Gateway's id of the failed request, for support.
    #[serde(default)]
    pub(crate) request_id: String,
}

impl Incoming {
    /// Reads a text frame.
    pub(crate) fn decode(text: &str) -> Result<Self, DecodeError> {
        let error = match OutputFrame::decode_batch(text) {
            Ok(outputs) => return Ok(Self::Batch(outputs)),
            Err(error) => error,
        };
        serde_json::from_str(text).map(Self::Notice).map_err(|_| error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_protocol::pb::{CmdType, HeartbeatMsg};
    use wigwag_protocol::{Encoding, Payload};

    #[test]
    fn a_gateway_notice_is_distinguished_from_a_batch() {
        let text = r#"{"message": "Internal server error", "connectionId":"Qyi07eCbtjMCJKw=", "requestId":"Qyi3UG41tjMFlUg="}"#;
        let Ok(Incoming::Notice(notice)) = Incoming::decode(text) else {
            panic!("not read as a notice");
        };
        assert_eq!(notice.message, "Internal server error");
        assert_eq!(notice.request_id, "Qyi3UG41tjMFlUg=");
    }

    #[test]
    fn batches_are_decoded_in_both_encodings() {
        let output = OutputFrame::new(CmdType::Heartbeat, 7, Payload::Heartbeat(HeartbeatMsg::default()));
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let text = OutputFrame::encode_batch(std::slice::from_ref(&output), encoding);
            assert_eq!(Incoming::decode(&text), Ok(Incoming::Batch(vec![output.clone()])));
        }
    }

    #[test]
    fn other_text_is_an_error() {
        for text in ["", "{}", "[]", "hello?", "{\"message\":5}"] {
            assert!(Incoming::decode(text).is_err() || text.is_empty(), "{text}");
        }
    }
}
