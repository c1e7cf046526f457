//! The queue to the fan-out workers: FIFO, and a task that is sent twice within five minutes comes
//! out once.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue,
    SendMessageBatchRequestEntry,
};
use futures_util::{TryStreamExt as _, stream};
use std::time::Duration;
use wigwag_domain::task::Task;
use wigwag_messaging::TaskQueue;
use wigwag_store::StoreError;

/// The most tasks of one request. Ten of the largest take under 256 KB, a quarter of the limit;
/// under half of it if each names a whole shard of users.
const BATCH: usize = 10;

/// Requests that run at once.
const CONCURRENCY: usize = 4;

/// Longest wait for one attempt of one request.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);

/// Longest wait for all attempts of one request: within the functions' own timeout (5 s), with time
/// to answer.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);

/// Waits before tasks that the queue did not take are sent again. After the last, it is an error.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// The message attribute with the reason why a message is in the dead-letter queue.
pub const REASON: &str = "reason";

/// The most bytes of a reason. It may quote the body, and both together must not exceed what the
/// queue of the body takes.
const REASON_BYTES: usize = 500;

/// A FIFO queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// Tasks of a batch that were not taken.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take {count} of the tasks: {code}")]
struct NotTaken {
    count: usize,
    /// The queue's reason for the first of them.
    code: String,
}

impl Queue {
    /// The queue at `url`, with the endpoint and credentials of `config`. The SDK may repeat
    /// requests: what is sent again is a duplicate.
    pub fn new(config: Builder, url: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = config
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts);
        Self {
            client: Client::from_conf(config.build()),
            url: url.into(),
        }
    }

    /// Puts a message into a dead-letter queue as it is, with the reason. `id`: the id of the
    /// message, so that it is there once, however often it is sent. A long reason is cut.
    pub async fn dead_letter(&self, body: &str, message_group: &str, id: &str, reason: &str) -> Result<(), StoreError> {
        let attribute = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(&reason[..reason.floor_char_boundary(REASON_BYTES)])
            .build()
            .map_err(failed("SendMessage"))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_group_id(message_group)
            .message_deduplication_id(id)
            .message_attributes(REASON, attribute)
            .send()
            .await
            .map_err(failed("SendMessage"))?;
        Ok(())
    }

    /// Makes received messages, at most ten, visible again after a while, in whole seconds: work on
    /// them has not begun, and they need not wait for the visibility timeout.
    pub async fn hand_back(&self, receipts: &[&str], wait: Duration) -> Result<(), StoreError> {
        let wait_s = i32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(*receipt)
                .visibility_timeout(wait_s)
                .build()
                .map_err(failed("ChangeMessageVisibilityBatch"))
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let call = self.client.change_message_visibility_batch().queue_url(&self.url);
        let output = call.set_entries(Some(entries)).send().await;
        let output = output.map_err(failed("ChangeMessageVisibilityBatch"))?;
        match output.failed().first() {
            None => Ok(()),
            Some(first) => Err(failed("ChangeMessageVisibilityBatch")(NotTaken {
                count: output.failed().len(),
                code: first.code().to_owned(),
            })),
        }
    }

    /// Sends up to ten tasks. Those that the queue did not take are sent again.
    async fn send(&self, tasks: &[Task]) -> Result<(), StoreError> {
        let mut entries = tasks
            .iter()
            .enumerate()
            .map(|(index, task)| entry(index, task))
            .collect::<Result<Vec<_>, _>>()?;
        for wait in BACKOFF.into_iter().map(Some).chain([None]) {
            let output = self.send_entries(entries.clone()).await?;
            let Some((left, error)) = not_taken(&entries, &output) else {
                return Ok(());
            };
            match wait {
                Some(wait) if !error.is_final => tokio::time::sleep(wait).await,
                _ => return Err(failed("SendMessageBatch")(error.cause)),
            }
            entries = left;
        }
        Ok(())
    }

    async fn send_entries(
        &self,
        entries: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<SendMessageBatchOutput, StoreError> {
        let call = self.client.send_message_batch().queue_url(&self.url);
        call.set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| match error.code() {
                Some("RequestThrottled" | "ThrottlingException") => StoreError::Throttled {
                    operation: "SendMessageBatch",
                },
                _ => failed("SendMessageBatch")(error),
            })
    }
}

impl TaskQueue for Queue {
    #[tracing::instrument(name = "queue.enqueue", skip_all, fields(tasks = tasks.len()))]
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        stream::iter(tasks.chunks(BATCH).map(Ok))
            .try_for_each_concurrent(CONCURRENCY, async |chunk| self.send(chunk).await)
            .await
    }
}

/// Why entries were not taken.
struct Refused {
    cause: NotTaken,
    /// Sending them again changes nothing.
    is_final: bool,
}

/// The entries that the queue did not take, and why; `None` if it took all. An entry that the
/// answer does not name counts as not taken: if it was, sending it again makes a duplicate, which
/// the queue drops.
fn not_taken(
    entries: &[SendMessageBatchRequestEntry],
    output: &SendMessageBatchOutput,
) -> Option<(Vec<SendMessageBatchRequestEntry>, Refused)> {
    let taken =
        |entry: &&SendMessageBatchRequestEntry| output.successful().iter().any(|taken| taken.id() == entry.id());
    let left: Vec<_> = entries.iter().filter(|entry| !taken(entry)).cloned().collect();
    if left.is_empty() {
        return None;
    }
    let cause = NotTaken {
        count: left.len(),
        code: output.failed().first().map_or_else(
            || "it said nothing of them".to_owned(),
            |failed| failed.code().to_owned(),
        ),
    };
    let is_final = output.failed().iter().any(BatchResultErrorEntry::sender_fault);
    Some((left, Refused { cause, is_final }))
}

fn entry(index: usize, task: &Task) -> Result<SendMessageBatchRequestEntry, StoreError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(task.to_body())
        .message_group_id(task.message_group())
        .message_deduplication_id(task.deduplication_id())
        .build()
        .map_err(failed("SendMessageBatch"))
}

fn failed<E: std::error::Error + Send + Sync + 'static>(operation: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| StoreError::Failed {
        operation,
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::SendMessageBatchResultEntry;
    use wigwag_domain::task::{Audience, Logged, SHARD_MEMBERS};
    use wigwag_domain::{GroupId, UserId};
    use wigwag_protocol::pb::Message;

    fn task(shard: u32) -> Task {
        let message = Message {
            conversation_seq: 9,
            ..Message::default()
        };
        Task::Deliver {
            group: GroupId(7),
            audience: Audience::Shard(shard),
            logged: Logged { key: vec![1], message },
            skip: None,
        }
    }

    fn entries() -> Vec<SendMessageBatchRequestEntry> {
        (0..3)
            .map(|index| entry(index, &task(u32::try_from(index).unwrap())).unwrap())
            .collect()
    }

    fn taken(id: &str) -> SendMessageBatchResultEntry {
        let entry = SendMessageBatchResultEntry::builder().id(id);
        entry.message_id("m").md5_of_message_body("d").build().unwrap()
    }

    fn refused(id: &str, sender_fault: bool) -> BatchResultErrorEntry {
        let entry = BatchResultErrorEntry::builder().id(id).code("InternalError");
        entry.sender_fault(sender_fault).build().unwrap()
    }

    fn answer(taken: Vec<SendMessageBatchResultEntry>, refused: Vec<BatchResultErrorEntry>) -> SendMessageBatchOutput {
        SendMessageBatchOutput::builder()
            .set_successful(Some(taken))
            .set_failed(Some(refused))
            .build()
            .unwrap()
    }

    fn ids(left: &[SendMessageBatchRequestEntry]) -> Vec<&str> {
        left.iter().map(SendMessageBatchRequestEntry::id).collect()
    }

    #[test]
    fn an_accepted_task_is_not_sent_again() {
        let all = answer(vec![taken("0"), taken("1"), taken("2")], vec![]);
        assert!(not_taken(&entries(), &all).is_none());
        let one_refused = answer(vec![taken("0"), taken("2")], vec![refused("1", false)]);
        let (left, error) = not_taken(&entries(), &one_refused).unwrap();
        assert_eq!((ids(&left), error.is_final), (vec!["1"], false));
    }

    #[test]
    fn a_task_that_the_answer_does_not_name_is_sent_again() {
        let (left, error) = not_taken(&entries(), &answer(vec![taken("1")], vec![])).unwrap();
        assert_eq!((ids(&left), error.is_final), (vec!["0", "2"], false));
    }

    #[test]
    fn a_task_that_the_queue_will_never_accept_is_not_sent_again() {
        let (_, error) = not_taken(&entries(), &answer(vec![], vec![refused("1", true)])).unwrap();
        assert!(error.is_final);
    }

    #[test]
    fn ten_of_the_largest_tasks_fit_a_request() {
        let message = Message {
            content: vec![0xff; wigwag_protocol::limits::CONTENT_BYTES],
            ..Message::default()
        };
        let logged = Logged {
            key: vec![1; 64],
            message,
        };
        let task = Task::Announce {
            group: GroupId(7),
            shards: 0..2,
            logged,
        };
        assert!(task.to_body().len() * BATCH < 256 * 1024);
        let Task::Announce { group, logged, .. } = task else {
            panic!("it is one")
        };
        let pending = Task::Deliver {
            group,
            audience: Audience::Pending {
                shard: Some(0),
                users: vec![UserId(u64::MAX >> 11); usize::try_from(SHARD_MEMBERS).unwrap()],
            },
            logged,
            skip: None,
        };
        assert!(pending.to_body().len() * BATCH < 1024 * 1024, "what SQS takes");
    }
}
