//! Frames: what one WebSocket text message carries, in either encoding.

use crate::code::Code;
use crate::encoding::Encoding;
use crate::json;
use crate::pb::{
    self, AckMsg, CmdType, HeartbeatMsg, KickMsg, LoginMsg, PullInputMsg, PullOutputMsg, PushMsg, RoomMsg, SignalMsg,
    SyncInputMsg, SyncOutputMsg, UpMsg,
};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Standard alphabet; written with padding, read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    BASE64.decode(text)
}

/// The messages that frames carry, each with the type that tells which one it is: an enum of them and both codecs.
macro_rules! messages {
    ($(#[$attribute:meta])* $name:ident { $($cmd:ident => $variant:ident($message:ty)),+ $(,)? } and { $($empty:ident)? }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "the .proto file documents every message")]
        pub enum $name {
            $($empty,)?
            $($variant($message)),+
        }

        impl $name {
            /// `None`: no message goes with this type.
            fn from_protobuf(cmd: CmdType, data: &[u8]) -> Option<Result<Self, prost::DecodeError>> {
                match cmd {
                    $(CmdType::$cmd => Some(<$message>::decode(data).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// `None`: no message goes with this type.
            fn from_json(cmd: CmdType, data: Value) -> Option<Result<Self, serde_json::Error>> {
                match cmd {
                    $(CmdType::$cmd => Some(serde_json::from_value::<$message>(data).map(Self::$variant)),)+
                    _ => None,
                }
            }

            fn to_protobuf(&self) -> Vec<u8> {
                match self {
                    $(Self::$empty => Vec::new(),)?
                    $(Self::$variant(data) => data.encode_to_vec()),+
                }
            }

            fn to_json(&self) -> Value {
                match self {
                    $(Self::$empty => Value::Null,)?
                    $(Self::$variant(data) => to_value(data)),+
                }
            }
        }
    };
}

messages! {
    /// What a device asks for.
    Request {
        Login => Login(LoginMsg),
        Heartbeat => Heartbeat(HeartbeatMsg),
        Message => Message(UpMsg),
        Ack => Ack(AckMsg),
        Sync => Sync(SyncInputMsg),
        Pull => Pull(PullInputMsg),
        Signal => Signal(SignalMsg),
        EnterRoom => EnterRoom(RoomMsg),
        LeaveRoom => LeaveRoom(RoomMsg),
    } and {}
}

impl Request {
    /// The type that the request has on the wire.
    pub fn cmd(&self) -> CmdType {
        match self {
            Self::Login(_) => CmdType::Login,
            Self::Heartbeat(_) => CmdType::Heartbeat,
            Self::Message(_) => CmdType::Message,
            Self::Ack(_) => CmdType::Ack,
            Self::Sync(_) => CmdType::Sync,
            Self::Pull(_) => CmdType::Pull,
            Self::Signal(_) => CmdType::Signal,
            Self::EnterRoom(_) => CmdType::EnterRoom,
            Self::LeaveRoom(_) => CmdType::LeaveRoom,
        }
    }
}

/// A frame from a device.
#[derive(Debug, Clone, PartialEq)]
pub struct InputFrame {
    /// Echoed in the answer.
    pub request_id: u64,
    /// What it asks for.
    pub request: Request,
}

messages! {
    /// What an [`OutputFrame`] carries; which one follows from its type.
    Payload {
        Heartbeat => Heartbeat(HeartbeatMsg),
        Message => Push(PushMsg),
        Ack => Ack(AckMsg),
        Sync => Sync(SyncOutputMsg),
        Pull => Pull(PullOutputMsg),
        Kick => Kick(KickMsg),
        Signal => Signal(SignalMsg),
        EnterRoom => EnterRoom(RoomMsg),
        LeaveRoom => LeaveRoom(RoomMsg),
    } and { None }
}

/// One item of a frame from the server.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputFrame {
    /// What it is about.
    pub cmd: CmdType,
    /// Number of a [`Code`]; one that this build does not know is kept as it is.
    pub code: i32,
    /// The refusal in words.
    pub code_msg: String,
    /// Echo of the request; 0 where nobody asked.
    pub request_id: u64,
    /// Whether sending the same frame again can help.
    pub retryable: bool,
    /// The message inside.
    pub payload: Payload,
}

/// Why a frame could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct DecodeError {
    /// What to answer.
    pub code: Code,
    /// What the frame was about, as far as it could be read.
    pub cmd: CmdType,
    /// Its request id, as far as it could be read.
    pub request_id: u64,
    /// What was wrong, without the frame's content.
    pub detail: String,
}

impl DecodeError {
    fn malformed(cmd: CmdType, request_id: u64, detail: impl Into<String>) -> Self {
        Self {
            code: Code::MALFORMED_FRAME,
            cmd,
            request_id,
            detail: detail.into(),
        }
    }

    fn unknown(number: i32, request_id: u64) -> Self {
        let cmd = CmdType::try_from(number).unwrap_or_default();
        Self {
            code: Code::UNKNOWN_COMMAND,
            cmd,
            request_id,
            detail: format!("type {number} is not one that a client sends"),
        }
    }
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

/// `Output` in JSON: `data` is an object, and absent where there is none.
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

impl InputFrame {
    /// Reads a frame from a device, in whichever encoding it is.
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

impl OutputFrame {
    /// An answer that carries something.
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

    /// A message that nobody asked for just now.
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

    /// Reads a frame from the server, in whichever encoding it is.
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

fn to_value(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("our messages have string keys and finite numbers only")
}

fn to_text(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("our messages have string keys and finite numbers only")
}

/// `data` of a JSON frame: an object, or nothing, which stands for an empty one.
fn object_or_empty(data: Value) -> Option<Value> {
    match data {
        Value::Null => Some(Value::Object(serde_json::Map::new())),
        Value::Object(_) => Some(data),
        _ => None,
    }
}

/// Where a JSON text went wrong, without quoting it.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests;
