//! Frames from a device.

use super::decode_error::DecodeError;
use super::json_text::{object_or_empty, to_text};
use super::payload::Request;
use crate::base64_text::{from_base64, to_base64};
use crate::encoding::Encoding;
use crate::json;
use crate::pb::{self, CmdType};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A frame from a device.
#[derive(Debug, Clone, PartialEq)]
pub struct InputFrame {
    /// Echoed in the answer.
    pub request_id: u64,
    /// The request.
    pub request: Request,
}

/// `Input` in JSON: `data` is an object.
#[derive(Serialize, Deserialize)]
struct JsonInput {
    #[serde(rename = "type", with = "json::cmd_type", default)]
    cmd: i32,
    #[serde(default)]
    request_id: u64,
    #[serde(default)]
    data: Value,
}

impl InputFrame {
    /// Reads a frame from a device, in either encoding.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        match Encoding::of_frame(text) {
            Encoding::Json => Self::decode_json(text),
            Encoding::Protobuf => Self::decode_protobuf(text),
        }
    }

    /// Writes the frame.
    pub fn encode(&self, encoding: Encoding) -> String {
        match encoding {
            Encoding::Json => self.encode_json(),
            Encoding::Protobuf => self.encode_protobuf(),
        }
    }

    fn decode_protobuf(text: &str) -> Result<Self, DecodeError> {
        let none = CmdType::Unspecified;
        let bytes = from_base64(text.trim()).map_err(|_| DecodeError::malformed(none, 0, "not base64"))?;
        let input = pb::Input::decode(bytes.as_slice()).map_err(|_| DecodeError::malformed(none, 0, "not an Input"))?;
        let cmd = CmdType::try_from(input.r#type).map_err(|_| DecodeError::unknown(input.r#type, input.request_id))?;
        let request = Request::from_protobuf(cmd, &input.data)
            .ok_or_else(|| DecodeError::unknown(input.r#type, input.request_id))?
            .map_err(|_| DecodeError::malformed(cmd, input.request_id, "data does not fit the type"))?;
        Ok(Self {
            request_id: input.request_id,
            request,
        })
    }

    fn decode_json(text: &str) -> Result<Self, DecodeError> {
        let input: JsonInput = serde_json::from_str(text).map_err(|error| {
            DecodeError::malformed(
                CmdType::Unspecified,
                0,
                format!("not a JSON frame ({})", position(&error)),
            )
        })?;
        let cmd = CmdType::try_from(input.cmd).map_err(|_| DecodeError::unknown(input.cmd, input.request_id))?;
        let data = object_or_empty(input.data)
            .ok_or_else(|| DecodeError::malformed(cmd, input.request_id, "data is not an object"))?;
        let request = Request::from_json(cmd, data)
            .ok_or_else(|| DecodeError::unknown(input.cmd, input.request_id))?
            .map_err(|_| DecodeError::malformed(cmd, input.request_id, "data does not fit the type"))?;
        Ok(Self {
            request_id: input.request_id,
            request,
        })
    }

    fn encode_protobuf(&self) -> String {
        to_base64(
            &pb::Input {
                r#type: self.request.cmd().into(),
                data: self.request.to_protobuf(),
                request_id: self.request_id,
            }
            .encode_to_vec(),
        )
    }

    fn encode_json(&self) -> String {
        to_text(&JsonInput {
            cmd: self.request.cmd().into(),
            request_id: self.request_id,
            data: self.request.to_json(),
        })
    }
}

/// The position of an error in a JSON text, without quoting the text.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}
