//! Frames from the server.

use super::decode_error::DecodeError;
use super::json_text::{object_or_empty, to_text};
use super::payload::Payload;
use crate::base64_text::{from_base64, to_base64};
use crate::code::Code;
use crate::encoding::Encoding;
use crate::json;
use crate::pb::{self, CmdType, PushMsg};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One item of a frame from the server.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputFrame {
    /// The type, which tells how to read the payload.
    pub cmd: CmdType,
    /// Number of a [`Code`]. Numbers that this build does not know are kept.
    pub code: i32,
    /// The refusal in words; empty on success.
    pub code_msg: String,
    /// Request id of the request; 0 if this is no answer.
    pub request_id: u64,
    /// Whether sending the same frame again can help.
    pub retryable: bool,
    /// The message inside.
    pub payload: Payload,
}

/// `Output` in JSON: `data` is an object, or absent.
#[derive(Serialize, Deserialize)]
struct JsonOutput {
    #[serde(rename = "type", with = "json::cmd_type", default)]
    cmd: i32,
    #[serde(default)]
    code: i32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    code_msg: String,
    #[serde(default)]
    request_id: u64,
    #[serde(default)]
    retryable: bool,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    data: Value,
}

#[derive(Serialize, Deserialize)]
struct JsonOutputBatch {
    outputs: Vec<JsonOutput>,
}

impl OutputFrame {
    /// A successful answer.
    pub fn new(cmd: CmdType, request_id: u64, payload: Payload) -> Self {
        Self {
            cmd,
            code: Code::OK.number(),
            code_msg: String::new(),
            request_id,
            retryable: false,
            payload,
        }
    }

    /// A refusal.
    pub fn refusal(cmd: CmdType, request_id: u64, code: Code, payload: Payload) -> Self {
        Self {
            cmd,
            code: code.number(),
            code_msg: code.text().to_owned(),
            request_id,
            retryable: code.is_retryable(),
            payload,
        }
    }

    /// A message that is pushed.
    pub fn push(message: pb::Message) -> Self {
        Self::new(CmdType::Message, 0, Payload::Push(PushMsg { msg: Some(message) }))
    }

    /// Whether it is a success.
    pub fn is_ok(&self) -> bool {
        self.code == Code::OK.number()
    }

    /// Writes a batch as one frame.
    pub fn encode_batch(outputs: &[Self], encoding: Encoding) -> String {
        match encoding {
            Encoding::Json => to_text(&JsonOutputBatch {
                outputs: outputs.iter().map(Self::to_json).collect(),
            }),
            Encoding::Protobuf => {
                let outputs = outputs
                    .iter()
                    .map(|output| output.to_protobuf().encode_to_vec())
                    .collect();
                to_base64(&pb::OutputBatch { outputs }.encode_to_vec())
            }
        }
    }

    /// Reads a frame from the server, in either encoding.
    pub fn decode_batch(text: &str) -> Result<Vec<Self>, DecodeError> {
        let malformed = |detail: &str| DecodeError::malformed(CmdType::Unspecified, 0, detail);
        match Encoding::of_frame(text) {
            Encoding::Json => {
                let batch: JsonOutputBatch = serde_json::from_str(text).map_err(|_| malformed("not a JSON batch"))?;
                batch.outputs.into_iter().map(Self::from_json).collect()
            }
            Encoding::Protobuf => {
                let bytes = from_base64(text.trim()).map_err(|_| malformed("not base64"))?;
                let batch = pb::OutputBatch::decode(bytes.as_slice()).map_err(|_| malformed("not an OutputBatch"))?;
                batch.outputs.iter().map(|output| Self::from_protobuf(output)).collect()
            }
        }
    }

    fn to_protobuf(&self) -> pb::Output {
        pb::Output {
            r#type: self.cmd.into(),
            code: self.code,
            code_msg: self.code_msg.clone(),
            data: self.payload.to_protobuf(),
            request_id: self.request_id,
            retryable: self.retryable,
        }
    }

    fn from_protobuf(bytes: &[u8]) -> Result<Self, DecodeError> {
        let none = CmdType::Unspecified;
        let output = pb::Output::decode(bytes).map_err(|_| DecodeError::malformed(none, 0, "not an Output"))?;
        let cmd =
            CmdType::try_from(output.r#type).map_err(|_| DecodeError::unknown(output.r#type, output.request_id))?;
        let payload = Payload::from_protobuf(cmd, &output.data)
            .unwrap_or(Ok(Payload::None))
            .map_err(|_| DecodeError::malformed(cmd, output.request_id, "data does not fit the type"))?;
        Ok(Self {
            cmd,
            code: output.code,
            code_msg: output.code_msg,
            request_id: output.request_id,
            retryable: output.retryable,
            payload,
        })
    }

    fn to_json(&self) -> JsonOutput {
        JsonOutput {
            cmd: self.cmd.into(),
            code: self.code,
            code_msg: self.code_msg.clone(),
            request_id: self.request_id,
            retryable: self.retryable,
            data: self.payload.to_json(),
        }
    }

    fn from_json(output: JsonOutput) -> Result<Self, DecodeError> {
        let cmd = CmdType::try_from(output.cmd).map_err(|_| DecodeError::unknown(output.cmd, output.request_id))?;
        let data = object_or_empty(output.data)
            .ok_or_else(|| DecodeError::malformed(cmd, output.request_id, "data is not an object"))?;
        let payload = Payload::from_json(cmd, data)
            .unwrap_or(Ok(Payload::None))
            .map_err(|_| DecodeError::malformed(cmd, output.request_id, "data does not fit the type"))?;
        Ok(Self {
            cmd,
            code: output.code,
            code_msg: output.code_msg,
            request_id: output.request_id,
            retryable: output.retryable,
            payload,
        })
    }
}
