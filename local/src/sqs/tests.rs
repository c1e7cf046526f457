//! The queues as callers of the API see them, and after a restart.

mod limits;
mod messages;
mod moves;
mod queues;
mod restart;
mod waiting;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/";

/// Queues, and the clock that they read.
struct Account {
    sqs: Sqs,
    clock: Arc<AtomicU64>,
}

impl Account {
    fn new() -> Self {
        Self::kept_in(None)
    }

    fn kept_in(file: Option<&Path>) -> Self {
        let clock = Arc::new(AtomicU64::new(1_000_000));
        Self {
            sqs: Self::open(file, &clock),
            clock,
        }
    }

    fn open(file: Option<&Path>, clock: &Arc<AtomicU64>) -> Sqs {
        let read = Arc::clone(clock);
        let clock: Clock = Arc::new(move || read.load(Ordering::Relaxed));
        Sqs::start(file, &[], "us-east-1", "http://127.0.0.1:1", clock).unwrap()
    }

    fn wait(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    async fn call(&self, operation: &str, body: Value) -> Result<Value, SqsError> {
        self.sqs
            .call(operation, body.to_string().as_bytes(), "sender")
            .await
            .result
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        self.call(operation, body).await.unwrap()
    }

    async fn code(&self, operation: &str, body: Value) -> SqsErrorCode {
        self.call(operation, body).await.unwrap_err().code
    }

    async fn create(&self, name: &str, attributes: Value) {
        let answer = self
            .ok("CreateQueue", json!({"QueueName": name, "Attributes": attributes}))
            .await;
        assert_eq!(answer["QueueUrl"], format!("http://127.0.0.1:1/000000000000/{name}"));
    }

    async fn send(&self, name: &str, body: &str) -> Value {
        self.ok("SendMessage", json!({"QueueUrl": url(name), "MessageBody": body}))
            .await
    }

    async fn receive(&self, name: &str) -> Vec<Value> {
        let request = json!({
            "QueueUrl": url(name), "MaxNumberOfMessages": 10,
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        let answer = self.ok("ReceiveMessage", request).await;
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }
}

fn url(name: &str) -> String {
    format!("{URL}{name}")
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn redrive_to(name: &str, max_receive_count: u32) -> Value {
    let policy = json!({"deadLetterTargetArn": arn(name), "maxReceiveCount": max_receive_count});
    json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "1"})
}
