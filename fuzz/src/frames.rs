//! Frames, both ways and in both encodings.

use super::text;
use wigwag_protocol::{Code, DecodeError, Encoding, InputFrame, OutputFrame, Request};

/// Most bytes of an error's detail: it is logged, and a frame must not choose how much.
const DETAIL_BYTES: usize = 120;

/// A frame from a device: what is read is written and read again as the same, in either encoding, and does not grow beyond a
/// small multiple of what came; a refusal has a code that clients know.
pub fn input_frame(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match InputFrame::decode(text) {
        Ok(frame) => {
            for encoding in [Encoding::of_frame(text), Encoding::Json, Encoding::Protobuf] {
                // JSON has no way to write a token that is not text, and no such token can be one.
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

/// A frame from the server, as the client reads it: the same.
pub fn output_batch(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match OutputFrame::decode_batch(text) {
        Ok(batch) => {
            // An output of nothing takes two bytes and a bit.
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
