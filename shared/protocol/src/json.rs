//! The JSON form of enums, tokens and contents: enums by name, content as text if it is text.

use crate::pb;
use serde::de::Unexpected;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enum's value as clients may write it: the full name (`CMD_TYPE_SYNC`), the name without its
/// prefix (`SYNC`), or the number.
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

// An unknown command becomes an unknown number, so that the rest of the frame is read and the
// refusal can name the request. Any other unknown name makes the frame malformed.
enum_codec!(cmd_type, crate::pb::CmdType, "CMD_TYPE_", Some(-1));
enum_codec!(ack_type, crate::pb::AckType, "ACK_TYPE_", None);
enum_codec!(session_type, crate::pb::SessionType, "SESSION_TYPE_", None);
enum_codec!(message_type, crate::pb::MessageType, "MESSAGE_TYPE_", None);
enum_codec!(kick_reason, crate::pb::KickReason, "KICK_REASON_", None);
enum_codec!(signal_type, crate::pb::SignalType, "SIGNAL_TYPE_", None);
enum_codec!(group_role, crate::pb::GroupRole, "GROUP_ROLE_", None);
enum_codec!(
    group_change_type,
    crate::pb::GroupChangeType,
    "GROUP_CHANGE_TYPE_",
    None
);

/// `LoginMsg` in JSON: the token is a string.
#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
struct JsonLogin {
    token: String,
}

impl Serialize for pb::LoginMsg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token = String::from_utf8_lossy(&self.token).into_owned();
        JsonLogin { token }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for pb::LoginMsg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let JsonLogin { token } = JsonLogin::deserialize(deserializer)?;
        Ok(Self {
            token: token.into_bytes(),
        })
    }
}

/// Content in JSON: `content` carries text. `content_base64` carries other bytes, and text that
/// would be longer when escaped.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct JsonContent {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

impl JsonContent {
    fn from_bytes(content: &[u8]) -> Self {
        match std::str::from_utf8(content).ok().filter(|text| !escapes_badly(text)) {
            Some(text) => Self {
                content: Some(text.to_owned()),
                content_base64: None,
            },
            None => Self {
                content: None,
                content_base64: Some(crate::base64_text::to_base64(content)),
            },
        }
    }

    fn into_bytes<E: serde::de::Error>(self) -> Result<Vec<u8>, E> {
        match (self.content, self.content_base64) {
            (Some(_), Some(_)) => Err(E::custom("content and content_base64 exclude each other")),
            (Some(text), None) => Ok(text.into_bytes()),
            (None, Some(encoded)) => {
                crate::base64_text::from_base64(&encoded).map_err(|_| E::custom("content_base64 is not base64"))
            }
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// `Message` in JSON.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct JsonMessage {
    #[serde(with = "session_type")]
    session_type: i32,
    receiver_id: u64,
    sender_id: u64,
    #[serde(with = "message_type")]
    message_type: i32,
    #[serde(flatten)]
    content: JsonContent,
    seq: u64,
    send_time: i64,
    conversation_seq: u64,
    client_id: u64,
    session: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_change: Option<pb::GroupChange>,
}

impl Serialize for pb::Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonMessage {
            session_type: self.session_type,
            receiver_id: self.receiver_id,
            sender_id: self.sender_id,
            message_type: self.message_type,
            content: JsonContent::from_bytes(&self.content),
            seq: self.seq,
            send_time: self.send_time,
            conversation_seq: self.conversation_seq,
            client_id: self.client_id,
            session: self.session,
            group_change: self.group_change.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for pb::Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = JsonMessage::deserialize(deserializer)?;
        Ok(Self {
            session_type: json.session_type,
            receiver_id: json.receiver_id,
            sender_id: json.sender_id,
            message_type: json.message_type,
            content: json.content.into_bytes()?,
            seq: json.seq,
            send_time: json.send_time,
            conversation_seq: json.conversation_seq,
            client_id: json.client_id,
            session: json.session,
            group_change: json.group_change,
        })
    }
}

/// `SignalMsg` in JSON.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct JsonSignal {
    #[serde(with = "session_type")]
    session_type: i32,
    receiver_id: u64,
    sender_id: u64,
    #[serde(with = "signal_type")]
    signal_type: i32,
    #[serde(flatten)]
    content: JsonContent,
    send_time: i64,
}

impl Serialize for pb::SignalMsg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonSignal {
            session_type: self.session_type,
            receiver_id: self.receiver_id,
            sender_id: self.sender_id,
            signal_type: self.signal_type,
            content: JsonContent::from_bytes(&self.content),
            send_time: self.send_time,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for pb::SignalMsg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = JsonSignal::deserialize(deserializer)?;
        Ok(Self {
            session_type: json.session_type,
            receiver_id: json.receiver_id,
            sender_id: json.sender_id,
            signal_type: json.signal_type,
            content: json.content.into_bytes()?,
            send_time: json.send_time,
        })
    }
}

/// Whether base64 is shorter than this text escaped. A control character takes six bytes escaped,
/// so content within its limit could otherwise be too large for a frame.
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
