//! The JSON form of what protobuf leaves open: enums by name, content as text where it is text.

use crate::pb;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enum's value as clients may write it: its name in full (`CMD_TYPE_SYNC`), without its prefix (`SYNC`), or its number.
#[derive(Deserialize)]
#[serde(untagged)]
enum NameOrNumber {
    Number(i32),
    Name(String),
}

macro_rules! enum_codec {
    ($module:ident, $type:ty, $prefix:literal, $unknown:expr) => {
        pub(crate) mod $module {
            use super::{Deserialize, Deserializer, NameOrNumber, Serialize, Serializer, Unexpected};
            use serde::de::Error as _;
            pub(crate) fn serialize<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
                match <$type>::try_from(*value) {
                    Ok(known) => known.as_str_name().serialize(serializer),
                    Err(_) => value.serialize(serializer),
                }
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
                match NameOrNumber::deserialize(deserializer)? {
                    NameOrNumber::Number(number) => Ok(number),
                    NameOrNumber::Name(name) => <$type>::from_str_name(&name)
                        .or_else(|| <$type>::from_str_name(&format!("{}{name}", $prefix)))
                        .map(i32::from)
                        .or($unknown)
                        .ok_or_else(|| {
                            D::Error::invalid_value(Unexpected::Str(&name), &concat!("a name of ", $prefix, "*"))
                        }),
                }
            }
        }
    };
}

// A command that nobody knows is a number that nobody knows, so that the rest of its frame is read and the refusal can name the
// request. An unknown name anywhere else is malformed.
enum_codec!(cmd_type, crate::pb::CmdType, "CMD_TYPE_", Some(-1));
enum_codec!(ack_type, crate::pb::AckType, "ACK_TYPE_", None);
enum_codec!(session_type, crate::pb::SessionType, "SESSION_TYPE_", None);
enum_codec!(message_type, crate::pb::MessageType, "MESSAGE_TYPE_", None);
enum_codec!(kick_reason, crate::pb::KickReason, "KICK_REASON_", None);

/// `LoginMsg` in JSON: the token is a string.
#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(crate) struct JsonLogin {
    token: String,
}

impl From<JsonLogin> for pb::LoginMsg {
    fn from(login: JsonLogin) -> Self {
        Self {
            token: login.token.into_bytes(),
        }
    }
}

impl From<&pb::LoginMsg> for JsonLogin {
    fn from(login: &pb::LoginMsg) -> Self {
        Self {
            token: String::from_utf8_lossy(&login.token).into_owned(),
        }
    }
}

/// `Message` in JSON. `content` carries text, `content_base64` whatever is not text, or would be longer escaped.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct JsonMessage {
    #[serde(with = "session_type")]
    session_type: i32,
    receiver_id: u64,
    sender_id: u64,
    #[serde(with = "message_type")]
    message_type: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
    seq: u64,
    send_time: i64,
    conversation_seq: u64,
    client_id: u64,
    session: u64,
}

impl Serialize for pb::Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.content)
            .ok()
            .filter(|text| !escapes_badly(text));
        JsonMessage {
            session_type: self.session_type,
            receiver_id: self.receiver_id,
            sender_id: self.sender_id,
            message_type: self.message_type,
            content: text.map(str::to_owned),
            content_base64: if text.is_some() {
                None
            } else {
                Some(crate::frame::to_base64(&self.content))
            },
            seq: self.seq,
            send_time: self.send_time,
            conversation_seq: self.conversation_seq,
            client_id: self.client_id,
            session: self.session,
        }
        .serialize(serializer)
    }
}

/// Whether base64 is the shorter form of this text: a control character takes six bytes escaped, so that content
/// within its limit could otherwise outgrow a frame.
fn escapes_badly(text: &str) -> bool {
    let escaped: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0..=0x1f => 6,
            _ => 1,
        })
        .sum();
    escaped > text.len() * 4 / 3 + 4
}

impl<'de> Deserialize<'de> for pb::Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = JsonMessage::deserialize(deserializer)?;
        let content = match (json.content, json.content_base64) {
            (Some(_), Some(_)) => return Err(D::Error::custom("content and content_base64 exclude each other")),
            (Some(text), None) => text.into_bytes(),
            (None, Some(encoded)) => {
                crate::frame::from_base64(&encoded).map_err(|_| D::Error::custom("content_base64 is not base64"))?
            }
            (None, None) => Vec::new(),
        };
        Ok(Self {
            session_type: json.session_type,
            receiver_id: json.receiver_id,
            sender_id: json.sender_id,
            message_type: json.message_type,
            content,
            seq: json.seq,
            send_time: json.send_time,
            conversation_seq: json.conversation_seq,
            client_id: json.client_id,
            session: json.session,
        })
    }
}
