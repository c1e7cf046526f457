//! The operations on messages.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::digest::{md5_of_attributes, md5_of_body};
use super::super::error::{SqsError, SqsErrorCode};
use super::super::message::{Attribute, Attributes, Draft, Message};
use super::super::queue::VISIBILITY_LIMIT_S;
use super::super::queues::AllQueues;
use super::super::throughput::Action;
use super::super::{BATCH_LIMIT, MESSAGE_LIMIT_BYTES, Receive, Sqs, receipt};
use super::{batch, queue_name, required, within};

/// The only system attribute that senders can set.
const TRACE_HEADER: &str = "AWSTraceHeader";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Send {
    queue_url: String,
    #[serde(flatten)]
    entry: JournalEntry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct JournalEntry {
    id: String,
    message_body: String,
    delay_seconds: Option<i64>,
    message_attributes: Attributes,
    message_system_attributes: Attributes,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SendBatch {
    queue_url: String,
    entries: Vec<JournalEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    attribute_names: Vec<String>,
    message_system_attribute_names: Vec<String>,
    message_attribute_names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Handled {
    queue_url: String,
    id: String,
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HandledBatch {
    queue_url: String,
    entries: Vec<Handled>,
}

impl Sqs {
    pub(super) fn send_message(&self, request: &Send, sender: &str) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        let draft = request.entry.draft(sender)?;
        self.with(|queues, now_ms| {
            queues.admit(name, Action::Send, draft.group.as_deref(), now_ms)?;
            send(queues, name, draft, now_ms)
        })
    }

    pub(super) fn send_message_batch(&self, request: &SendBatch, sender: &str) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        let ids = request.entries.iter().map(|entry| entry.id.as_str());
        batch::check(ids, "SendMessageBatchRequestEntry")?;
        let drafts: Vec<_> = request
            .entries
            .iter()
            .map(|entry| (&entry.id, entry.draft(sender)))
            .collect();
        let sizes = drafts
            .iter()
            .filter_map(|(_, draft)| draft.as_ref().ok().map(Draft::size));
        let size: usize = sizes.sum();
        if size > MESSAGE_LIMIT_BYTES {
            let message = format!(
                "Batch requests cannot be longer than {MESSAGE_LIMIT_BYTES} bytes. You have sent {size} bytes."
            );
            return Err(SqsError::new(SqsErrorCode::BatchRequestTooLong, message));
        }
        self.with(|queues, now_ms| {
            let groups = request
                .entries
                .iter()
                .filter_map(|entry| entry.message_group_id.as_deref());
            queues.admit(name, Action::Send, groups, now_ms)?;
            let results = drafts.into_iter().map(|(id, draft)| {
                let sent = draft.and_then(|draft| send(queues, name, draft, now_ms));
                (id.clone(), sent)
            });
            Ok(batch::answer(results))
        })
    }

    pub(super) async fn receive_message(&self, request: ReceiveMessage) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        let limit = u32::try_from(BATCH_LIMIT).unwrap_or(u32::MAX);
        let max = within(
            "MaxNumberOfMessages",
            request.max_number_of_messages.unwrap_or(1),
            1,
            limit,
        )?;
        let visibility_s = request
            .visibility_timeout
            .map(|visibility| within("VisibilityTimeout", visibility, 0, VISIBILITY_LIMIT_S))
            .transpose()?;
        let wait = request
            .wait_time_seconds
            .map(|wait| within("WaitTimeSeconds", wait, 0, 20))
            .transpose()?;
        self.with(|queues, now_ms| queues.admit(name, Action::Receive, None, now_ms))?;
        let receive = Receive {
            max: usize::try_from(max).unwrap_or(BATCH_LIMIT),
            visibility_s,
            wait: wait.map(|wait| Duration::from_secs(wait.into())),
        };
        let messages = self.receive(name, receive).await?;
        if messages.is_empty() {
            return Ok(json!({}));
        }
        let messages: Vec<Value> = messages.iter().map(|message| request.shown(name, message)).collect();
        Ok(json!({"Messages": messages}))
    }

    pub(super) fn delete_message(&self, request: &Handled) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        self.with(|queues, now_ms| {
            queues.admit(name, Action::Delete, None, now_ms)?;
            request.delete(queues, name, now_ms)
        })
    }

    pub(super) fn delete_message_batch(&self, request: &HandledBatch) -> Result<Value, SqsError> {
        self.each(
            request,
            Action::Delete,
            "DeleteMessageBatchRequestEntry",
            Handled::delete,
        )
    }

    pub(super) fn change_message_visibility(&self, request: &Handled) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        self.with(|queues, now_ms| {
            queues.admit(name, Action::ChangeVisibility, None, now_ms)?;
            request.change_visibility(queues, name, now_ms)
        })
    }

    pub(super) fn change_message_visibility_batch(&self, request: &HandledBatch) -> Result<Value, SqsError> {
        let entry = "ChangeMessageVisibilityBatchRequestEntry";
        self.each(request, Action::ChangeVisibility, entry, Handled::change_visibility)
    }

    fn each(
        &self,
        request: &HandledBatch,
        action: Action,
        entry: &str,
        act: impl Fn(&Handled, &mut AllQueues, &str, u64) -> Result<Value, SqsError>,
    ) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        batch::check(request.entries.iter().map(|entry| entry.id.as_str()), entry)?;
        self.with(|queues, now_ms| {
            queues.admit(name, action, None, now_ms)?;
            let entries = request.entries.iter();
            let results = entries.map(|entry| (entry.id.clone(), act(entry, queues, name, now_ms)));
            Ok(batch::answer(results))
        })
    }
}

impl Handled {
    fn delete(&self, queues: &mut AllQueues, name: &str, now_ms: u64) -> Result<Value, SqsError> {
        let handle = required("ReceiptHandle", &self.receipt_handle)?;
        queues.delete(name, handle, now_ms).map(|()| json!({}))
    }

    fn change_visibility(&self, queues: &mut AllQueues, name: &str, now_ms: u64) -> Result<Value, SqsError> {
        let handle = required("ReceiptHandle", &self.receipt_handle)?;
        let visibility = self
            .visibility_timeout
            .ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
        let visibility_s = within("VisibilityTimeout", visibility, 0, VISIBILITY_LIMIT_S)?;
        queues
            .change_visibility(name, handle, visibility_s, now_ms)
            .map(|()| json!({}))
    }
}

impl JournalEntry {
    fn draft(&self, sender: &str) -> Result<Draft, SqsError> {
        if let Some(other) = self.message_system_attributes.keys().find(|name| *name != TRACE_HEADER) {
            let message = format!("Message system attribute name '{other}' is invalid.");
            return Err(SqsError::new(SqsErrorCode::InvalidParameterValue, message));
        }
        for (name, id) in [
            ("MessageGroupId", &self.message_group_id),
            ("MessageDeduplicationId", &self.message_deduplication_id),
        ] {
            check_id(name, id.as_deref())?;
        }
        let trace_header = self.message_system_attributes.get(TRACE_HEADER);
        Ok(Draft {
            body: self.message_body.clone(),
            attributes: self.message_attributes.clone(),
            trace_header: trace_header.and_then(|attribute| attribute.string_value.clone()),
            delay_s: self
                .delay_seconds
                .map(|delay| within("DelaySeconds", delay, 0, 900))
                .transpose()?,
            group: self.message_group_id.clone(),
            deduplication_id: self.message_deduplication_id.clone(),
            sender: sender.to_owned(),
        })
    }
}

/// Group and deduplication ids have 1 to 128 printable characters.
fn check_id(name: &str, id: Option<&str>) -> Result<(), SqsError> {
    let is_id = |id: &str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match id {
        Some(id) if !is_id(id) => {
            let reason =
                format!("{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
            Err(SqsError::invalid(name, id, &reason))
        }
        _ => Ok(()),
    }
}

fn send(queues: &mut AllQueues, name: &str, draft: Draft, now_ms: u64) -> Result<Value, SqsError> {
    let trace_header = draft.trace_header.as_ref().map(|header| {
        let attribute = Attribute {
            data_type: "String".to_owned(),
            string_value: Some(header.clone()),
            binary_value: None,
        };
        (TRACE_HEADER.to_owned(), attribute)
    });
    let mut answer = Map::from_iter([("MD5OfMessageBody".to_owned(), json!(md5_of_body(&draft.body)))]);
    let digests = [
        ("MD5OfMessageAttributes", md5_of_attributes(&draft.attributes)),
        (
            "MD5OfMessageSystemAttributes",
            md5_of_attributes(trace_header.as_ref().map(|(name, value)| (name, value))),
        ),
    ];
    let sent = queues.send(name, draft, now_ms)?;
    let rest = [("MessageId", Some(sent.id)), ("SequenceNumber", sent.sequence_number)];
    for (name, value) in digests.into_iter().chain(rest) {
        answer.extend(value.map(|value| (name.to_owned(), Value::String(value))));
    }
    Ok(Value::Object(answer))
}

impl ReceiveMessage {
    fn shown(&self, queue: &str, message: &Message) -> Value {
        let mut shown = json!({
            "MessageId": message.id,
            "ReceiptHandle": receipt::encode(queue, message),
            "MD5OfBody": md5_of_body(&message.body),
            "Body": message.body,
        });
        let mut system = system_attributes(message);
        system.retain(|name, _| self.wants_system(name));
        if !system.is_empty() {
            shown["Attributes"] = json!(system);
        }
        let own = message.attributes.iter().filter(|(name, _)| self.wants(name));
        let own: BTreeMap<_, _> = own.collect();
        if let Some(digest) = md5_of_attributes(own.iter().map(|(name, value)| (*name, *value))) {
            shown["MD5OfMessageAttributes"] = json!(digest);
            shown["MessageAttributes"] = json!(own);
        }
        shown
    }

    fn wants_system(&self, name: &str) -> bool {
        let mut wanted = self.attribute_names.iter().chain(&self.message_system_attribute_names);
        wanted.any(|wanted| wanted == "All" || wanted == name)
    }

    /// Whether an attribute was asked for: by name, or by `All`, `.*` or `prefix.*`.
    fn wants(&self, name: &str) -> bool {
        self.message_attribute_names.iter().any(|wanted| {
            let prefix = wanted.strip_suffix(".*");
            wanted == "All" || wanted == name || prefix.is_some_and(|prefix| name.starts_with(prefix))
        })
    }
}

/// The system attributes of a message, in the order of Lambda's events.
pub fn system_attributes(message: &Message) -> Map<String, Value> {
    let first_ms = message.delivery.first_ms.unwrap_or(message.sent_ms);
    let sequence_number = message.deduplication_id.is_some().then(|| message.sequence_number());
    let attributes = [
        ("ApproximateReceiveCount", Some(message.delivery.receives.to_string())),
        ("AWSTraceHeader", message.trace_header.clone()),
        ("SentTimestamp", Some(message.sent_ms.to_string())),
        ("SequenceNumber", sequence_number),
        ("MessageGroupId", message.group.clone()),
        ("SenderId", Some(message.sender.clone())),
        ("MessageDeduplicationId", message.deduplication_id.clone()),
        ("ApproximateFirstReceiveTimestamp", Some(first_ms.to_string())),
        ("DeadLetterQueueSourceArn", message.source_arn.clone()),
    ];
    let attributes = attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    attributes.collect()
}
