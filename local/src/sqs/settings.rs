//! The settings of a queue: the attributes of `CreateQueue` and `SetQueueAttributes`, which are
//! also those of `AWS::SQS::Queue`.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>

mod policy;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::{SqsError, SqsErrorCode};
use super::message::MESSAGE_LIMIT_BYTES;
use policy::{redrive, redrive_allow};

pub use policy::{Redrive, RedriveAllow};

/// Attributes by name, as the API accepts and returns them.
pub type QueueAttributes = BTreeMap<String, String>;

/// The suffix of the names of FIFO queues.
pub const FIFO_SUFFIX: &str = ".fifo";

/// Accepted and returned, but without effect here: access and encryption.
const KEPT: [&str; 4] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "SqsManagedSseEnabled",
];

/// The values of `DeduplicationScope`.
const SCOPES: [&str; 2] = ["queue", "messageGroup"];

/// The values of `FifoThroughputLimit`.
const LIMITS: [&str; 2] = ["perQueue", "perMessageGroupId"];

/// The settings of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `CreatedTimestamp`, in milliseconds since the epoch.
    #[serde(default)]
    pub created_ms: u64,
    /// `LastModifiedTimestamp`, in milliseconds since the epoch.
    #[serde(default)]
    pub modified_ms: u64,
    /// Whether it keeps the order of each message group and drops repeated messages.
    pub is_fifo: bool,
    /// How long a received message stays hidden, in seconds.
    pub visibility_timeout_s: u32,
    /// How long a message is kept, in seconds.
    pub retention_s: u32,
    /// How long a new message stays hidden, in seconds.
    pub delay_s: u32,
    /// How long a receive waits by default, in seconds.
    pub receive_wait_s: u32,
    /// Largest message, in bytes.
    pub maximum_bytes: usize,
    /// Whether a message without a deduplication id gets the digest of its body.
    pub content_based_deduplication: bool,
    /// `DeduplicationScope`: whether deduplication ids are unique per queue or per group.
    pub deduplication_scope: Per,
    /// `FifoThroughputLimit`: whether the limit is per queue or per group.
    pub throughput_limit: Per,
    /// The dead-letter queue, if there is one.
    pub redrive: Option<Redrive>,
    /// Which queues may name this one as their dead-letter queue.
    pub redrive_allow: RedriveAllow,
    /// Attributes without effect.
    pub kept: QueueAttributes,
}

/// The scope of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Per {
    /// The whole queue.
    Queue,
    /// Each message group.
    Group,
}

impl Settings {
    /// Creates the settings of a new queue.
    ///
    /// # Errors
    /// If an attribute does not exist or has an invalid value, or the name does not match
    /// `FifoQueue`.
    pub fn new(name: &str, attributes: &QueueAttributes) -> Result<Self, SqsError> {
        let is_fifo = match attributes.get("FifoQueue") {
            Some(value) => flag("FifoQueue", value)?,
            None => false,
        };
        check_name(name, is_fifo)?;
        let mut settings = Self {
            created_ms: 0,
            modified_ms: 0,
            is_fifo,
            visibility_timeout_s: 30,
            retention_s: 345_600,
            delay_s: 0,
            receive_wait_s: 0,
            maximum_bytes: MESSAGE_LIMIT_BYTES,
            content_based_deduplication: false,
            deduplication_scope: Per::Queue,
            throughput_limit: Per::Queue,
            redrive: None,
            redrive_allow: RedriveAllow::All,
            kept: QueueAttributes::new(),
        };
        let rest = attributes.iter().filter(|(name, _)| *name != "FifoQueue");
        settings.change(&rest.map(|(name, value)| (name.clone(), value.clone())).collect())?;
        Ok(settings)
    }

    /// Sets these attributes; on an error, none of them.
    ///
    /// # Errors
    /// If an attribute does not exist, cannot change, or has an invalid value.
    pub fn change(&mut self, attributes: &QueueAttributes) -> Result<(), SqsError> {
        let mut changed = self.clone();
        for (name, value) in attributes {
            changed.set(name, value)?;
        }
        if (changed.throughput_limit, changed.deduplication_scope) == (Per::Group, Per::Queue) {
            let reason =
                "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.";
            return Err(SqsError::invalid("FifoThroughputLimit", "perMessageGroupId", reason));
        }
        *self = changed;
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SqsError> {
        match name {
            "VisibilityTimeout" => self.visibility_timeout_s = number(name, value, 0..=43_200)?,
            "MessageRetentionPeriod" => self.retention_s = number(name, value, 60..=1_209_600)?,
            "DelaySeconds" => self.delay_s = number(name, value, 0..=900)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_wait_s = number(name, value, 0..=20)?,
            "MaximumMessageSize" => {
                let bytes = number(
                    name,
                    value,
                    1024..=u32::try_from(MESSAGE_LIMIT_BYTES).unwrap_or(u32::MAX),
                )?;
                self.maximum_bytes = usize::try_from(bytes).unwrap_or(MESSAGE_LIMIT_BYTES);
            }
            "RedrivePolicy" => self.redrive = redrive(value)?,
            "RedriveAllowPolicy" => self.redrive_allow = redrive_allow(value)?,
            "FifoQueue" if flag(name, value)? == self.is_fifo => {}
            "FifoQueue" => return Err(invalid(name, value, "it cannot be changed")),
            "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit" if !self.is_fifo => {
                let message = format!("You can specify the {name} only when FifoQueue is set to true.");
                return Err(SqsError::new(SqsErrorCode::InvalidAttributeName, message));
            }
            "ContentBasedDeduplication" => self.content_based_deduplication = flag(name, value)?,
            "DeduplicationScope" => self.deduplication_scope = per(name, value, SCOPES)?,
            "FifoThroughputLimit" => self.throughput_limit = per(name, value, LIMITS)?,
            _ if KEPT.contains(&name) => {
                check_kept(name, value)?;
                self.kept.insert(name.to_owned(), value.to_owned());
            }
            _ => {
                return Err(SqsError::new(
                    SqsErrorCode::InvalidAttributeName,
                    format!("Unknown Attribute {name}."),
                ));
            }
        }
        Ok(())
    }

    /// The attributes as the API returns them.
    pub(super) fn shown(&self) -> QueueAttributes {
        let text = |name: &str, value: String| (name.to_owned(), value);
        let mut shown = QueueAttributes::from([
            text("VisibilityTimeout", self.visibility_timeout_s.to_string()),
            text("MessageRetentionPeriod", self.retention_s.to_string()),
            text("DelaySeconds", self.delay_s.to_string()),
            text("ReceiveMessageWaitTimeSeconds", self.receive_wait_s.to_string()),
            text("MaximumMessageSize", self.maximum_bytes.to_string()),
            text("SqsManagedSseEnabled", "true".to_owned()),
        ]);
        if self.is_fifo {
            let word = |per: Per, words: [&str; 2]| words[usize::from(per == Per::Group)].to_owned();
            shown.extend([
                text("FifoQueue", "true".to_owned()),
                text(
                    "ContentBasedDeduplication",
                    self.content_based_deduplication.to_string(),
                ),
                text("DeduplicationScope", word(self.deduplication_scope, SCOPES)),
                text("FifoThroughputLimit", word(self.throughput_limit, LIMITS)),
            ]);
        }
        shown.extend(self.redrive.as_ref().map(|redrive| {
            let policy =
                json!({"deadLetterTargetArn": redrive.target_arn, "maxReceiveCount": redrive.max_receive_count});
            text("RedrivePolicy", policy.to_string())
        }));
        let allow = match &self.redrive_allow {
            RedriveAllow::All => None,
            RedriveAllow::None => Some(json!({"redrivePermission": "denyAll"})),
            RedriveAllow::Queues(arns) => Some(json!({"redrivePermission": "byQueue", "sourceQueueArns": arns})),
        };
        shown.extend(allow.map(|allow| text("RedriveAllowPolicy", allow.to_string())));
        shown.extend(self.kept.clone());
        shown
    }
}

/// Refuses values that AWS could not parse, even if they have no effect here.
fn check_kept(name: &str, value: &str) -> Result<(), SqsError> {
    match name {
        "KmsDataKeyReusePeriodSeconds" => number(name, value, 60..=86_400).map(drop),
        "SqsManagedSseEnabled" => flag(name, value).map(drop),
        "Policy" if !value.is_empty() && serde_json::from_str::<Map<String, Value>>(value).is_err() => {
            Err(invalid(name, value, "it must be a JSON object"))
        }
        _ => Ok(()),
    }
}

fn check_name(name: &str, is_fifo: bool) -> Result<(), SqsError> {
    let stem = name.strip_suffix(FIFO_SUFFIX);
    let plain = stem.unwrap_or(name);
    let is_name = (1..=80).contains(&name.len())
        && !plain.is_empty()
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let refuse = |reason: &str| Err(SqsError::new(SqsErrorCode::InvalidParameterValue, reason));
    match (is_fifo, stem) {
        (true, Some(_)) | (false, None) if is_name => Ok(()),
        (true, _) => refuse(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
        ),
        (false, _) => refuse(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length; only the names of FIFO queues end with .fifo.",
        ),
    }
}

fn invalid(name: &str, value: &str, reason: &str) -> SqsError {
    let message = format!("Invalid value {value} for the parameter {name}: {reason}.");
    SqsError::new(SqsErrorCode::InvalidAttributeValue, message)
}

fn number(name: &str, value: &str, range: RangeInclusive<u32>) -> Result<u32, SqsError> {
    let parsed = value.parse().ok().filter(|number| range.contains(number));
    parsed.ok_or_else(|| {
        let (from, to) = range.into_inner();
        invalid(name, value, &format!("it must be from {from} to {to}"))
    })
}

fn flag(name: &str, value: &str) -> Result<bool, SqsError> {
    choice(name, &value.to_ascii_lowercase(), ["false", "true"])
}

fn per(name: &str, value: &str, words: [&str; 2]) -> Result<Per, SqsError> {
    choice(name, value, words).map(|per_group| if per_group { Per::Group } else { Per::Queue })
}

/// Whether the value is the second of two words.
fn choice(name: &str, value: &str, words: [&str; 2]) -> Result<bool, SqsError> {
    match words.iter().position(|word| *word == value) {
        Some(index) => Ok(index == 1),
        None => Err(invalid(name, value, &format!("it must be {}", words.join(" or ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, attributes: &[(&str, &str)]) -> Result<Settings, SqsErrorCode> {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::new(name, &attributes.collect()).map_err(|error| error.code)
    }

    #[test]
    fn the_defaults_are_those_of_sqs() {
        let shown = settings("q", &[]).unwrap().shown();
        for (name, value) in [
            ("VisibilityTimeout", "30"),
            ("MessageRetentionPeriod", "345600"),
            ("DelaySeconds", "0"),
            ("ReceiveMessageWaitTimeSeconds", "0"),
            ("MaximumMessageSize", "1048576"),
        ] {
            assert_eq!(shown[name], value, "{name}");
        }
        assert!(!shown.contains_key("FifoQueue"));
    }

    #[test]
    fn settings_can_be_read_back() {
        let attributes = [
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "true"),
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perMessageGroupId"),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:0:d.fifo","maxReceiveCount":"5"}"#,
            ),
            (
                "RedriveAllowPolicy",
                r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#,
            ),
            ("KmsMasterKeyId", "alias/aws/sqs"),
        ];
        let set = settings("q.fifo", &attributes).unwrap();
        assert_eq!(set.redrive.as_ref().unwrap().max_receive_count, 5);
        assert_eq!(Settings::new("q.fifo", &set.shown()).unwrap().shown(), set.shown());
    }

    #[test]
    fn the_name_must_match_the_type() {
        assert!(settings("q.fifo", &[]).is_err());
        assert!(settings("q", &[("FifoQueue", "true")]).is_err());
        assert!(settings("q.q", &[]).is_err());
        assert!(settings(".fifo", &[("FifoQueue", "true")]).is_err());
        assert!(settings(&"q".repeat(81), &[]).is_err());
    }

    #[test]
    fn invalid_values_are_refused() {
        for (name, value, code) in [
            ("VisibilityTimeout", "43201", SqsErrorCode::InvalidAttributeValue),
            ("MessageRetentionPeriod", "59", SqsErrorCode::InvalidAttributeValue),
            ("DelaySeconds", "901", SqsErrorCode::InvalidAttributeValue),
            (
                "ReceiveMessageWaitTimeSeconds",
                "21",
                SqsErrorCode::InvalidAttributeValue,
            ),
            ("MaximumMessageSize", "1048577", SqsErrorCode::InvalidAttributeValue),
            ("Policy", "no", SqsErrorCode::InvalidAttributeValue),
            ("Policy", "[]", SqsErrorCode::InvalidAttributeValue),
            (
                "KmsDataKeyReusePeriodSeconds",
                "abc",
                SqsErrorCode::InvalidAttributeValue,
            ),
            (
                "KmsDataKeyReusePeriodSeconds",
                "59",
                SqsErrorCode::InvalidAttributeValue,
            ),
            ("SqsManagedSseEnabled", "maybe", SqsErrorCode::InvalidAttributeValue),
            (
                "RedriveAllowPolicy",
                r#"{"redrivePermission":"byQueue","sourceQueueArns":[1]}"#,
                SqsErrorCode::InvalidParameterValue,
            ),
            ("Colour", "blue", SqsErrorCode::InvalidAttributeName),
            ("ContentBasedDeduplication", "true", SqsErrorCode::InvalidAttributeName),
            ("RedrivePolicy", "no", SqsErrorCode::InvalidParameterValue),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"a","maxReceiveCount":0}"#,
                SqsErrorCode::InvalidParameterValue,
            ),
        ] {
            assert_eq!(settings("q", &[(name, value)]), Err(code), "{name}={value}");
        }
    }

    #[test]
    fn a_limit_per_group_needs_deduplication_per_group() {
        let limit = [("FifoQueue", "true"), ("FifoThroughputLimit", "perMessageGroupId")];
        assert_eq!(settings("q.fifo", &limit), Err(SqsErrorCode::InvalidParameterValue));
    }
}
