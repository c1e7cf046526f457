//! The operations of the API, from JSON to JSON:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>

mod batch;
mod messages;
mod queue;
mod task;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use messages::system_attributes;

use super::Sqs;
use super::error::{SqsError, SqsErrorCode};
use crate::lambda::ACCOUNT_ID;

/// The answer to a call.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The body of the answer.
    pub result: Result<Value, SqsError>,
    /// Whether the call was to a FIFO queue, which has another price.
    pub is_fifo: bool,
}

impl Sqs {
    /// Answers one call of the API.
    pub async fn call(&self, operation: &str, body: &[u8], sender: &str) -> Reply {
        let body = if body.is_empty() { b"{}" } else { body };
        let parsed = serde_json::from_slice::<Value>(body).map_err(|error| malformed(&error));
        let request = match parsed {
            Ok(request) => without_nulls(request),
            Err(error) => {
                return Reply {
                    result: Err(error),
                    is_fifo: false,
                };
            }
        };
        let name = request["QueueUrl"].as_str().and_then(name_in);
        let is_fifo = name.is_some_and(|name| self.is_fifo(name));
        Reply {
            result: self.operate(operation, request, sender).await,
            is_fifo,
        }
    }

    async fn operate(&self, operation: &str, request: Value, sender: &str) -> Result<Value, SqsError> {
        match operation {
            "SendMessage" => self.send_message(&parse(request)?, sender),
            "SendMessageBatch" => self.send_message_batch(&parse(request)?, sender),
            "ReceiveMessage" => self.receive_message(parse(request)?).await,
            "DeleteMessage" => self.delete_message(&parse(request)?),
            "DeleteMessageBatch" => self.delete_message_batch(&parse(request)?),
            "ChangeMessageVisibility" => self.change_message_visibility(&parse(request)?),
            "ChangeMessageVisibilityBatch" => self.change_message_visibility_batch(&parse(request)?),
            "CreateQueue" => self.create_queue(&parse(request)?),
            "DeleteQueue" => self.delete_queue(&parse(request)?),
            "GetQueueUrl" => self.get_queue_url(&parse(request)?),
            "GetQueueAttributes" => self.get_queue_attributes(&parse(request)?),
            "SetQueueAttributes" => self.set_queue_attributes(&parse(request)?),
            "ListQueues" => self.list_queues(&parse(request)?),
            "PurgeQueue" => self.purge_queue(&parse(request)?),
            "ListDeadLetterSourceQueues" => self.list_dead_letter_source_queues(&parse(request)?),
            "StartMessageMoveTask" => self.start_message_move_task(&parse(request)?),
            "ListMessageMoveTasks" => self.list_message_move_tasks(&parse(request)?),
            "CancelMessageMoveTask" => self.cancel_message_move_task(&parse(request)?),
            other => Err(SqsError::new(
                SqsErrorCode::InvalidAction,
                format!("The action {other} is not valid for this endpoint: the local stack does not have it."),
            )),
        }
    }

    /// `QueueUrl` of the queue with this name.
    fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT_ID}/{name}", self.shared.endpoint_url)
    }
}

/// The queue name in a URL. The host does not matter; the path ends in an account and a name.
fn queue_name(url: &str) -> Result<&str, SqsError> {
    if url.is_empty() {
        return Err(SqsError::missing("QueueUrl"));
    }
    name_in(url).ok_or_else(|| {
        let message = format!("The address {url} is not valid for this endpoint.");
        SqsError::new(SqsErrorCode::InvalidAddress, message)
    })
}

fn name_in(url: &str) -> Option<&str> {
    let (before, name) = url.rsplit_once('/')?;
    (before.ends_with(&format!("/{ACCOUNT_ID}")) && !name.is_empty()).then_some(name)
}

fn parse<T: DeserializeOwned>(request: Value) -> Result<T, SqsError> {
    serde_json::from_value(request).map_err(|error| malformed(&error))
}

/// Removes members that are null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn malformed(error: &serde_json::Error) -> SqsError {
    SqsError::new(SqsErrorCode::Serialization, error.to_string())
}

/// Checks that a number is in its range.
fn within(name: &str, value: i64, from: u32, to: u32) -> Result<u32, SqsError> {
    let number = u32::try_from(value).ok().filter(|number| (from..=to).contains(number));
    number.ok_or_else(|| SqsError::invalid(name, value, &format!("Must be >= {from} and <= {to}, if provided.")))
}

/// Refuses an empty required parameter.
fn required<'a>(name: &str, value: &'a str) -> Result<&'a str, SqsError> {
    if value.is_empty() {
        return Err(SqsError::missing(name));
    }
    Ok(value)
}
