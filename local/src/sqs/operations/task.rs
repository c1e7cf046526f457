//! The operations on message move tasks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Sqs;
use super::super::error::{SqsError, SqsErrorCode};
use super::super::moves::{MoveStatus, MoveTask};
use super::{required, within};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Start {
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct List {
    source_arn: String,
    max_results: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Cancel {
    task_handle: String,
}

impl Sqs {
    pub(super) fn start_message_move_task(&self, request: &Start) -> Result<Value, SqsError> {
        let source = required("SourceArn", &request.source_arn)?;
        let rate = request
            .max_number_of_messages_per_second
            .map(|rate| within("MaxNumberOfMessagesPerSecond", rate, 1, 500))
            .transpose()?;
        let destination = request.destination_arn.as_deref();
        let handle = self.with(|queues, now_ms| queues.start_move(source, destination, rate, now_ms))?;
        self.keep_moving();
        Ok(json!({"TaskHandle": handle}))
    }

    pub(super) fn list_message_move_tasks(&self, request: &List) -> Result<Value, SqsError> {
        let arn = required("SourceArn", &request.source_arn)?;
        let max = within("MaxResults", request.max_results.unwrap_or(1), 1, 10)?;
        self.with(|queues, now_ms| {
            let source = queues.name_of(arn).ok_or_else(|| {
                let message = "The resource that you specified for the SourceArn parameter doesn't exist.";
                SqsError::new(SqsErrorCode::ResourceNotFound, message)
            })?;
            let tasks: Vec<MoveTask> = queues.moves_of(source, now_ms).cloned().collect();
            let tasks = tasks.iter().take(usize::try_from(max).unwrap_or(10));
            let results: Vec<Value> = tasks
                .map(|task| shown(task, arn, task.destination.as_deref().map(|name| queues.arn(name))))
                .collect();
            Ok(json!({"Results": results}))
        })
    }

    pub(super) fn cancel_message_move_task(&self, request: &Cancel) -> Result<Value, SqsError> {
        let handle = required("TaskHandle", &request.task_handle)?;
        let moved = self.with(|queues, now_ms| queues.cancel_move(handle, now_ms))?;
        Ok(json!({"ApproximateNumberOfMessagesMoved": moved}))
    }
}

fn shown(task: &MoveTask, source_arn: &str, destination_arn: Option<String>) -> Value {
    let mut shown = json!({
        "Status": task.status.name(),
        "SourceArn": source_arn,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "StartedTimestamp": task.started_ms,
    });
    let optional = [
        (
            "TaskHandle",
            (task.status == MoveStatus::Running).then(|| json!(task.handle(source_arn))),
        ),
        ("DestinationArn", destination_arn.map(Value::from)),
        ("MaxNumberOfMessagesPerSecond", task.rate.map(Value::from)),
        ("FailureReason", task.failure.clone().map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}
