//! Frames in both directions and both encodings.

use super::text;
use wigwag_protocol::{Code, DecodeError, Encoding, InputFrame, OutputFrame, Request};

/// Most bytes of an error's detail. It is logged, and a frame must not decide how much is logged.
const DETAIL_BYTES: usize = 120;

/// A frame from a device. If it can be decoded, encoding and decoding it again in either encoding
/// gives the same frame, and the size grows only by a small factor. A refusal has a code that
/// clients know.
pub fn input_frame(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match InputFrame::decode(text) {
        Ok(frame) => {
            for encoding in [Encoding::of_frame(text), Encoding::Json, Encoding::Protobuf] {
                // JSON cannot write a token that is not text. No valid token is like that.
                let is_written = |token: &[u8]| encoding == Encoding::Protobuf || str::from_utf8(token).is_ok();
                if !matches!(&frame.request, Request::Login(login) if !is_written(&login.token)) {
                    let written = frame.encode(encoding);
                    assert_eq!(InputFrame::decode(&written).as_ref(), Ok(&frame), "{written}");
                    assert!(
                        written.len() <= 4 * text.len() + 1024,
                        "{} of {}",
                        written.len(),
                        text.len()
                    );
                }
            }
            assert!(!format!("{frame:?}").is_empty());
        }
        Err(error) => check(&error),
    }
}

/// A frame from the server, as the client reads it. The same holds.
pub fn output_batch(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match OutputFrame::decode_batch(text) {
        Ok(batch) => {
            // Even an empty output takes more than two bytes.
            assert!(batch.len() <= text.len(), "{} of {}", batch.len(), text.len());
            for encoding in [Encoding::Json, Encoding::Protobuf] {
                let written = OutputFrame::encode_batch(&batch, encoding);
                assert_eq!(OutputFrame::decode_batch(&written).as_ref(), Ok(&batch), "{written}");
            }
        }
        Err(error) => check(&error),
    }
}

fn check(error: &DecodeError) {
    assert!(
        matches!(error.code, Code::MALFORMED_FRAME | Code::UNKNOWN_COMMAND),
        "{error}"
    );
    assert!(error.detail.len() <= DETAIL_BYTES, "{error}");
}
