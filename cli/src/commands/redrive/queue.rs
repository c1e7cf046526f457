//! The work queue and its dead-letter queue in SQS.

use super::RedriveArgs;
use super::dead_letter::DeadLetter;
use super::sqs::{self, attributes, failed, required};
use crate::command_error::CommandError;
use anyhow::Context as _;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName as System,
    QueueAttributeName as Attribute,
};

/// Maximum number of messages per call.
const BATCH: i32 = 10;

/// How long a received message stays invisible, in seconds, if it cannot be made visible again.
const INVISIBLE_S: i32 = 60;

/// How long a call waits for messages, in seconds. With 0, SQS may look into only a part of the
/// queue.
const WAIT_S: i32 = 1;

/// The progress of a move.
#[derive(Debug)]
pub(super) struct MoveProgress {
    pub(super) status: MoveStatus,
    pub(super) moved: i64,
    pub(super) of: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum MoveStatus {
    Running,
    Completed,
    /// Ended in another way, with the reason.
    Ended(String),
}

/// A queue and its dead-letter queue.
#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    /// URL of the dead-letter queue.
    pub(super) dead: String,
    dead_arn: String,
    /// The queue that the workers read, if it is known.
    live: Option<WorkQueue>,
}

/// The queue that the workers read.
#[derive(Debug)]
struct WorkQueue {
    url: String,
    arn: String,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Leave it in the queue.
    Keep,
    /// Send it to the workers.
    SendBack,
    /// Delete it.
    Discard,
}

impl Queues {
    /// Finds both queues from the URL of either.
    pub(super) async fn find(args: &RedriveArgs) -> Result<Self, CommandError> {
        let client = sqs::client(args)?;
        let url = args.queue_url.as_str().to_owned();
        let attributes = attributes(&client, &url).await?;
        let arn = required(&attributes, &Attribute::QueueArn)?;
        let Some(policy) = attributes.get(&Attribute::RedrivePolicy) else {
            let live = find_source(&client, &url).await?;
            return Ok(Self {
                client,
                dead: url,
                dead_arn: arn,
                live,
            });
        };
        let policy: serde_json::Value =
            serde_json::from_str(policy).context("the redrive policy of the queue is not JSON")?;
        let dead_arn = policy["deadLetterTargetArn"]
            .as_str()
            .context("the redrive policy of the queue names no dead-letter queue")?
            .to_owned();
        let name = dead_arn.rsplit(':').next().unwrap_or_default();
        let found = client.get_queue_url().queue_name(name).send().await.map_err(failed)?;
        let dead = found
            .queue_url
            .context("SQS did not return the URL of the dead-letter queue")?;
        Ok(Self {
            client,
            dead,
            dead_arn,
            live: Some(WorkQueue { url, arn }),
        })
    }

    /// The approximate number of messages in the dead-letter queue.
    pub(super) async fn count(&self) -> Result<u64, CommandError> {
        let attributes = attributes(&self.client, &self.dead).await?;
        let number = |name| attributes.get(&name).and_then(|text| text.parse::<u64>().ok());
        let parts = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        Ok(parts.map(|name| number(name).unwrap_or(0)).iter().sum())
    }

    /// Receives up to `limit` messages and makes them visible again.
    pub(super) async fn look(&self, limit: usize) -> Result<Vec<DeadLetter>, CommandError> {
        let mut seen = Vec::new();
        let looked = self.receive_all(limit, &mut seen).await;
        let shown_again = self.make_visible(&seen).await;
        looked?;
        shown_again?;
        Ok(seen.into_iter().map(DeadLetter::from_message).collect())
    }

    async fn receive_all(&self, limit: usize, seen: &mut Vec<Message>) -> Result<(), CommandError> {
        while seen.len() < limit {
            let left = i32::try_from(limit - seen.len()).unwrap_or(BATCH);
            let received = self.receive(left.min(BATCH)).await?;
            if received.is_empty() {
                break;
            }
            seen.extend(received);
        }
        Ok(())
    }

    async fn receive(&self, most: i32) -> Result<Vec<Message>, CommandError> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.dead)
            .max_number_of_messages(most)
            .visibility_timeout(INVISIBLE_S)
            .wait_time_seconds(WAIT_S)
            .message_system_attribute_names(System::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(failed)?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Receives every visible message once and does with it what `judge` says. Messages that stay
    /// are made visible again.
    ///
    /// Returns how many did not stay, even after a failure.
    pub(super) async fn dispose(
        &self,
        mut judge: impl FnMut(&DeadLetter) -> Result<Disposition, CommandError>,
    ) -> (usize, Result<(), CommandError>) {
        let (mut kept, mut gone) = (Vec::new(), 0);
        let sorted = async {
            loop {
                let received = self.receive(BATCH).await?;
                let is_seen =
                    |message: &Message| kept.iter().any(|seen: &Message| seen.message_id == message.message_id);
                // Messages whose invisibility ended come again.
                if received.iter().all(is_seen) {
                    kept.extend(received);
                    return Ok(());
                }
                let mut received = received.into_iter();
                while let Some(message) = received.next() {
                    let settled = self.settle(&message, &mut judge).await;
                    if matches!(settled, Ok(true)) {
                        gone += 1;
                    } else {
                        kept.push(message);
                    }
                    if let Err(error) = settled {
                        kept.extend(received);
                        return Err(error);
                    }
                }
            }
        };
        let sorted: Result<(), CommandError> = sorted.await;
        let shown_again = self.make_visible(&kept).await;
        (gone, sorted.and(shown_again))
    }

    /// Does with a message what `judge` says. Returns whether it is gone.
    async fn settle(
        &self,
        message: &Message,
        judge: &mut impl FnMut(&DeadLetter) -> Result<Disposition, CommandError>,
    ) -> Result<bool, CommandError> {
        let letter = DeadLetter::from_message(message.clone());
        match judge(&letter)? {
            Disposition::Keep => return Ok(false),
            Disposition::SendBack => self.send_back(&letter).await?,
            Disposition::Discard => {}
        }
        let call = self.client.delete_message().queue_url(&self.dead);
        let receipt = message.receipt_handle().unwrap_or_default();
        call.receipt_handle(receipt).send().await.map_err(failed)?;
        Ok(true)
    }

    /// Sends a message to the workers again. Its id is the deduplication id: SQS drops a second
    /// attempt, while a task that fails again gets another id.
    async fn send_back(&self, letter: &DeadLetter) -> Result<(), CommandError> {
        self.client
            .send_message()
            .queue_url(&self.live()?.url)
            .message_body(&letter.body)
            .message_group_id(&letter.message_group)
            .message_deduplication_id(&letter.id)
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    fn live(&self) -> Result<&WorkQueue, CommandError> {
        self.live.as_ref().ok_or_else(|| {
            CommandError::usage(
                "cannot find the queue of this dead-letter queue; give the URL of that queue with --queue-url",
            )
        })
    }

    async fn make_visible(&self, seen: &[Message]) -> Result<(), CommandError> {
        for some in seen.chunks(10) {
            let entry = |(index, message): (usize, &Message)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .visibility_timeout(0)
                    .build()
            };
            let entries: Result<Vec<_>, _> = some.iter().enumerate().map(entry).collect();
            let call = self.client.change_message_visibility_batch().queue_url(&self.dead);
            let outcome = call
                .set_entries(Some(entries.context("cannot build the request")?))
                .send()
                .await
                .map_err(failed)?;
            if !outcome.failed().is_empty() {
                let count = outcome.failed().len();
                eprintln!("wigwag: {count} messages stay invisible for up to {INVISIBLE_S} s");
            }
        }
        Ok(())
    }

    /// Starts to move everything to the work queue. The destination must be named, because SQS does
    /// not know the source of messages that workers put here themselves.
    pub(super) async fn begin_move(&self) -> Result<(), CommandError> {
        let live = self.live()?;
        self.client
            .start_message_move_task()
            .source_arn(&self.dead_arn)
            .destination_arn(&live.arn)
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// The progress of the latest move.
    pub(super) async fn look_at_move(&self) -> Result<MoveProgress, CommandError> {
        let call = self.client.list_message_move_tasks().source_arn(&self.dead_arn);
        let tasks = call.max_results(1).send().await.map_err(failed)?;
        let task = tasks.results().first().context("SQS does not know the move task")?;
        let status = match task.status() {
            Some("RUNNING" | "CANCELLING") => MoveStatus::Running,
            Some("COMPLETED") => MoveStatus::Completed,
            other => {
                let why = task.failure_reason().or(other).unwrap_or("unknown");
                MoveStatus::Ended(why.to_owned())
            }
        };
        Ok(MoveProgress {
            status,
            moved: task.approximate_number_of_messages_moved(),
            of: task.approximate_number_of_messages_to_move().unwrap_or(0),
        })
    }
}

/// The only queue whose dead-letter queue this is. None if there are several.
async fn find_source(client: &Client, url: &str) -> Result<Option<WorkQueue>, CommandError> {
    let call = client.list_dead_letter_source_queues().queue_url(url);
    let output = call.send().await.map_err(failed)?;
    match output.queue_urls() {
        [live] => Ok(Some(WorkQueue {
            url: live.clone(),
            arn: required(&attributes(client, live).await?, &Attribute::QueueArn)?,
        })),
        _ => Ok(None),
    }
}
