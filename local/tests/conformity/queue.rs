//! Queues that the suite itself reads. Their messages are taken out and kept, and cases wait for
//! them.
//!
//! Many cases run at once and share these queues, so each case waits for messages with its own tag,
//! connection or message id. Messages of an earlier run have other tags.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::target::{AwsServices, DEADLINE};

/// A queue whose messages are taken out all the time.
pub(crate) struct Drained {
    messages: Arc<Mutex<Vec<Value>>>,
    changed: watch::Receiver<usize>,
    draining: AbortHandle,
}

impl Drained {
    /// Starts taking messages out.
    pub(crate) fn start(services: AwsServices, url: String) -> Self {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let (sender, changed) = watch::channel(0);
        let kept = Arc::clone(&messages);
        let draining = tokio::spawn(async move {
            loop {
                match drain(&services, &url).await {
                    Ok(taken) if taken.is_empty() => {}
                    Ok(taken) => {
                        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        kept.extend(taken);
                        sender.send_replace(kept.len());
                    }
                    Err(error) => {
                        eprintln!("cannot read {url}: {error:#}");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        });
        Self {
            messages,
            changed,
            draining: draining.abort_handle(),
        }
    }

    /// Stops: new messages stay in the queue.
    pub(crate) fn stop(&self) {
        self.draining.abort();
    }

    /// All messages so far that match, as `ReceiveMessage` returns them.
    pub(crate) fn all(&self, is_meant: impl Fn(&Value) -> bool) -> Vec<Value> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().filter(|message| is_meant(message)).cloned().collect()
    }

    /// Waits until `count` messages match.
    pub(crate) async fn wait(&self, what: &str, count: usize, is_meant: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        self.wait_for(DEADLINE, what, count, is_meant).await
    }

    /// Like [`Drained::wait`], but at most for `limit`.
    pub(crate) async fn wait_for(
        &self,
        limit: Duration,
        what: &str,
        count: usize,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>> {
        let mut changed = self.changed.clone();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                let found = self.all(&is_meant);
                if found.len() >= count {
                    return found;
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(found) => Ok(found),
            Err(_) => bail!("{what} never came: {} of {count}", self.all(&is_meant).len()),
        }
    }
}

/// Takes out the messages that are there; waits if there are none.
async fn drain(services: &AwsServices, url: &str) -> Result<Vec<Value>> {
    let request = json!({
        "QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 2, "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
    });
    let answer = services.sqs("ReceiveMessage", &request).await?;
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    if messages.is_empty() {
        return Ok(messages);
    }
    let entry = |(number, message): (usize, &Value)| json!({"Id": number.to_string(), "ReceiptHandle": message["ReceiptHandle"]});
    let entries: Vec<Value> = messages.iter().enumerate().map(entry).collect();
    let request = json!({"QueueUrl": url, "Entries": entries});
    services
        .sqs("DeleteMessageBatch", &request)
        .await
        .context("delete what was taken")?;
    Ok(messages)
}
