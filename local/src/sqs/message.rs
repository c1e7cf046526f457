//! Messages: what a sender sends, and what a queue keeps.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::{SqsError, SqsErrorCode};

/// Largest message, and largest sum of the messages of a batch, in bytes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
pub const MESSAGE_LIMIT_BYTES: usize = 1_048_576;

/// Longest type of an attribute, including its label.
const TYPE_LIMIT_BYTES: usize = 256;

/// Most attributes of a message.
const MAX_ATTRIBUTES: usize = 10;

const UNICODE: &str = "Invalid characters found. Valid unicode characters are \
                       #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

/// Message attributes, by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// One attribute of a message, as in the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, optionally followed by a dot and a label.
    #[serde(default)]
    pub data_type: String,
    /// The value of a `String` or `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a `Binary`, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// A message as its sender passes it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The text.
    pub body: String,
    /// The sender's own attributes.
    pub attributes: Attributes,
    /// `AWSTraceHeader`.
    pub trace_header: Option<String>,
    /// Seconds until it can be received; replaces the queue's delay.
    pub delay_s: Option<u32>,
    /// `MessageGroupId`.
    pub group: Option<String>,
    /// `MessageDeduplicationId`.
    pub deduplication_id: Option<String>,
    /// `SenderId`.
    pub sender: String,
}

/// A message as a queue keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `MessageId`: a UUID.
    pub id: String,
    /// Its position in the queue. A queue never uses a position twice.
    pub position: u64,
    /// The text.
    pub body: String,
    /// The sender's own attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: Attributes,
    /// `AWSTraceHeader`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    /// `SenderId`.
    pub sender: String,
    /// `MessageGroupId`; always present in a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `MessageDeduplicationId`, given or derived from the content; always present in a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplication_id: Option<String>,
    /// When it was sent, in milliseconds since the epoch.
    pub sent_ms: u64,
    /// `DeadLetterQueueSourceArn`: the queue that it came from, if this is a dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// The state of its delivery.
    pub delivery: Delivery,
}

/// The state of a message's delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it can be received, in milliseconds since the epoch.
    pub available_ms: u64,
    /// How often it was received.
    pub receives: u32,
    /// When it was first received, in milliseconds since the epoch.
    pub first_ms: Option<u64>,
    /// When it was received for the last time, in milliseconds since the epoch.
    pub latest_ms: Option<u64>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Draft")
            .field("body_bytes", &self.body.len())
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Message")
            .field("id", &self.id)
            .field("position", &self.position)
            .field("body_bytes", &self.body.len())
            .field("group", &self.group)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

impl Message {
    /// `SequenceNumber`: 20 digits that grow within a FIFO queue.
    pub fn sequence_number(&self) -> String {
        sequence_number(self.position)
    }
}

impl Draft {
    /// Bytes that count towards the limits: the body, and the names, types and values of
    /// attributes.
    pub fn size(&self) -> usize {
        let attribute = |(name, attribute): (&String, &Attribute)| {
            let value = attribute
                .string_value
                .as_ref()
                .map_or_else(|| attribute.binary().map_or(0, |bytes| bytes.len()), String::len);
            name.len() + attribute.data_type.len() + value
        };
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// Refuses messages that no queue accepts.
    pub(super) fn check(&self, limit_bytes: usize) -> Result<(), SqsError> {
        if self.body.is_empty() {
            return Err(SqsError::missing("MessageBody"));
        }
        if self.size() > limit_bytes {
            let reason = format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit_bytes} bytes."
            );
            return Err(SqsError::new(SqsErrorCode::InvalidParameterValue, reason));
        }
        if self.attributes.len() > MAX_ATTRIBUTES {
            let reason = format!(
                "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
                self.attributes.len()
            );
            return Err(SqsError::new(SqsErrorCode::InvalidParameterValue, reason));
        }
        check_characters(&self.body)?;
        self.attributes
            .iter()
            .try_for_each(|(name, attribute)| attribute.check(name))
    }
}

impl Attribute {
    /// The value of a `Binary`.
    pub fn binary(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.binary_value.as_deref()?).ok()
    }

    pub(super) fn is_binary(&self) -> bool {
        self.kind() == "Binary"
    }

    fn kind(&self) -> &str {
        self.data_type.split('.').next().unwrap_or_default()
    }

    fn check(&self, name: &str) -> Result<(), SqsError> {
        let refuse = |text: String| Err(SqsError::new(SqsErrorCode::InvalidParameterValue, text));
        if !is_attribute_name(name) {
            return refuse(format!(
                "Message (user) attribute name '{name}' is invalid: it can have letters, digits, '_', '-' and '.', and not begin with AWS. or Amazon."
            ));
        }
        if self.data_type.len() > TYPE_LIMIT_BYTES {
            return refuse(format!(
                "The message attribute '{name}' has a type of {} characters: it can have {TYPE_LIMIT_BYTES}.",
                self.data_type.len()
            ));
        }
        let value = match self.kind() {
            "String" | "Number" => self.string_value.as_deref().map(str::len),
            "Binary" => self.binary().map(|bytes| bytes.len()),
            other => {
                return refuse(format!(
                    "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String. It has '{other}'."
                ));
            }
        };
        if value.is_none_or(|length| length == 0) {
            return refuse(format!(
                "The message attribute '{name}' must contain a non-empty value of its type {}.",
                self.data_type
            ));
        }
        let text = self.string_value.as_deref().unwrap_or_default();
        if self.kind() == "Number" && !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return refuse(format!(
                "Can't cast the value of message attribute '{name}' to a number."
            ));
        }
        check_characters(text)
    }
}

fn is_attribute_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

/// Checks that the text contains only characters of XML 1.0:
/// <https://www.w3.org/TR/REC-xml/#charsets>
fn check_characters(text: &str) -> Result<(), SqsError> {
    let is_valid = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(is_valid) {
        Ok(())
    } else {
        Err(SqsError::new(SqsErrorCode::InvalidMessageContents, UNICODE))
    }
}

/// `SequenceNumber` of the message at this position.
pub(super) fn sequence_number(position: u64) -> String {
    format!("188{position:017}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(body: &str) -> Draft {
        Draft {
            body: body.to_owned(),
            ..Draft::default()
        }
    }

    fn attribute(data_type: &str, value: &str) -> Attribute {
        let (string_value, binary_value) = if data_type.starts_with("Binary") {
            (None, Some(STANDARD.encode(value)))
        } else {
            (Some(value.to_owned()), None)
        };
        Attribute {
            data_type: data_type.to_owned(),
            string_value,
            binary_value,
        }
    }

    #[test]
    fn a_body_can_contain_only_characters_of_xml() {
        for body in ["\t\n\r ~", "\u{d7ff}\u{e000}\u{fffd}\u{10ffff}", "å∂ 日本 🎉"] {
            assert_eq!(draft(body).check(1024), Ok(()), "{body:?}");
        }
        for body in ["\u{0}", "a\u{1b}", "\u{fffe}", "\u{ffff}"] {
            let error = draft(body).check(1024).unwrap_err();
            assert_eq!(error.code, SqsErrorCode::InvalidMessageContents, "{body:?}");
        }
    }

    #[test]
    fn attributes_count_towards_the_size() {
        let mut message = draft("1234");
        message
            .attributes
            .insert("name".to_owned(), attribute("String", "value"));
        message.attributes.insert("b".to_owned(), attribute("Binary", "12"));
        assert_eq!(message.size(), 4 + (4 + 6 + 5) + (1 + 6 + 2));
        assert_eq!(message.check(28), Ok(()));
        let error = message.check(27).unwrap_err();
        assert!(
            error.message.contains("Message must be shorter than 27 bytes"),
            "{error}"
        );
    }

    #[test]
    fn malformed_attributes_are_refused() {
        for (name, bad) in [
            ("a", attribute("Text", "a")),
            ("a", attribute("String", "")),
            ("a", attribute("Number", "four")),
            ("a", attribute("Number", "NaN")),
            ("a", attribute("Number", "-inf")),
            ("a", attribute("Number", "1e400")),
            ("a", attribute(&format!("String.{}", "x".repeat(250)), "a")),
            ("AWS.a", attribute("String", "a")),
            (".a", attribute("String", "a")),
            ("a b", attribute("String", "a")),
            (
                "a",
                Attribute {
                    binary_value: Some("?".to_owned()),
                    ..attribute("Binary", "a")
                },
            ),
        ] {
            let mut message = draft("a");
            message.attributes.insert(name.to_owned(), bad);
            assert_eq!(
                message.check(1024).unwrap_err().code,
                SqsErrorCode::InvalidParameterValue
            );
        }
    }

    #[test]
    fn sequence_numbers_have_twenty_digits_and_grow() {
        assert_eq!(sequence_number(1).len(), 20);
        assert!(sequence_number(99) < sequence_number(100));
    }
}
