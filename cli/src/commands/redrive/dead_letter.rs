//! A message of the dead-letter queue.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};

/// A message of the dead-letter queue.
#[derive(Debug, Clone)]
pub(super) struct DeadLetter {
    pub(super) id: String,
    pub(super) body: String,
    /// Its message group.
    pub(super) message_group: String,
    pub(super) sent_at_ms: i64,
    /// How often it was received.
    pub(super) received: u64,
    /// The reason that the worker gave. None if SQS moved the message after too many receives.
    pub(super) reason: Option<String>,
}

impl DeadLetter {
    /// The chat group in the name of its message group, which is `g<group>` and a part of it.
    pub(super) fn group(&self) -> Option<u64> {
        let named = self.message_group.strip_prefix('g')?;
        named.split('.').next()?.parse().ok()
    }

    /// Reads a message of SQS. Attributes that are missing or malformed become empty or 0.
    pub(super) fn from_message(message: Message) -> Self {
        let system = |name: System| message.attributes.as_ref().and_then(|all| all.get(&name));
        let number = |name| system(name).and_then(|text| text.parse().ok());
        let reason = message.message_attributes.as_ref().and_then(|all| all.get("reason"));
        Self {
            message_group: system(System::MessageGroupId).cloned().unwrap_or_default(),
            sent_at_ms: number(System::SentTimestamp).unwrap_or(0),
            received: number(System::ApproximateReceiveCount)
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or(0),
            reason: reason.and_then(|value| value.string_value.clone()),
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }
}
