//! The handler of the fan-out worker, given batches by a test instead of the queue.

use crate::{Cluster, now_ms};
use anyhow::Result;
use aws_sdk_apigatewaymanagement::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wigwag_domain::task::Task;
use wigwag_edge::Pusher;
use wigwag_fanout::{Deadlines, State, handle};

impl Cluster {
    /// A worker on the stack's tables and queues.
    pub fn worker(&self) -> Result<State> {
        let credentials = Credentials::new("local", "local", None, None, "stories");
        let config = aws_sdk_apigatewaymanagement::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(wigwag_https::client())
            .endpoint_url(format!("{}/prod", self.stack.aws_endpoint_url));
        Ok(State {
            store: self.store(),
            pusher: Pusher::new(config),
            queue: self.fanout_queue()?,
            dead_letters: self.fanout_dead_letter_queue()?,
        })
    }
}

/// A record with a task, as the event source mapping passes it on.
pub fn record(id: &str, task: &Task, receives: u32) -> Value {
    record_with_body(id, &task.message_group(), receives, &task.to_body())
}

/// A record of a message group, as the event source mapping passes it on.
pub fn record_with_body(id: &str, message_group: &str, receives: u32, body: &str) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("receipt of {id}"),
        "body": body,
        "attributes": {
            "MessageGroupId": message_group,
            "ApproximateReceiveCount": receives.to_string(),
            "ApproximateFirstReceiveTimestamp": "1",
        },
    })
}

/// Gives a worker a batch; returns the ids of the records that it reports as failed.
pub async fn failed_records(worker: &State, records: &[Value]) -> Result<Vec<String>> {
    let event = serde_json::from_value(json!({ "Records": records }))?;
    let begun = Instant::now();
    let deadlines = Deadlines {
        work: begun + Duration::from_mins(1),
        pushes: begun + Duration::from_secs(61),
    };
    let response = handle(worker, event, deadlines, now_ms()).await;
    let response = response.map_err(anyhow::Error::from_boxed)?;
    let failures = response.batch_item_failures.into_iter();
    Ok(failures.map(|failure| failure.item_identifier).collect())
}
