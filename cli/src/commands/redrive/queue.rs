//! The two queues, in the terms of SQS.

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

/// Most messages that one call takes.
const BATCH: i32 = 10;

/// For how long what is looked at is out of sight, in seconds, if it cannot be made visible again.
const OUT_OF_SIGHT_S: i32 = 60;

/// How long a call waits for messages, in seconds: with none, it may look into a part of the queue alone.
const WAIT_S: i32 = 1;

/// How far a move is.
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
    /// Otherwise, and how.
    Ended(String),
}

/// A queue and its dead-letter queue.
#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    /// URL of the dead-letter queue.
    pub(super) dead: String,
    dead_arn: String,
    /// The queue that the workers read, where it is known.
    live: Option<WorkQueue>,
}

/// The queue that the workers read.
#[derive(Debug)]
struct WorkQueue {
    url: String,
    arn: String,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It stays.
    Keep,
    /// It goes to the workers.
    SendBack,
    /// It is no more.
    Discard,
}

impl Queues {
    /// From the URL of either.
    pub(super) async fn find(args: &RedriveArgs) -> Result<Self, CommandError> {
        let client = sqs::client(args)?;
        let url = args.queue_url.as_str().to_owned();
        let attributes = attributes(&client, &url).await?;
        let arn = required(&attributes, &Attribute::QueueArn)?;
        let Some(policy) = attributes.get(&Attribute::RedrivePolicy) else {
            let live = source(&client, &url).await?;
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
        let dead = found.queue_url.context("SQS gave no URL of the dead-letter queue")?;
        Ok(Self {
            client,
            dead,
            dead_arn,
            live: Some(WorkQueue { url, arn }),
        })
    }

    /// About how many messages there are.
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
            .visibility_timeout(OUT_OF_SIGHT_S)
            .wait_time_seconds(WAIT_S)
            .message_system_attribute_names(System::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(failed)?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Receives everything that can be seen, once, and does with each message what `judge` says; what stays is made visible again.
    /// Answers with how many did not stay, also where something failed.
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
                // What was out of sight for its time comes again.
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

    /// Does with a message what is to become of it. Answers whether it is gone.
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

    /// Gives the workers a message again. Its id here is what the queue knows it by: a second attempt at the same is dropped there, and
    /// what comes here again is another one.
    async fn send_back(&self, letter: &DeadLetter) -> Result<(), CommandError> {
        self.client
            .send_message()
            .queue_url(&self.live()?.url)
            .message_body(&letter.body)
            .message_group_id(&letter.ordering)
            .message_deduplication_id(&letter.id)
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    fn live(&self) -> Result<&WorkQueue, CommandError> {
        self.live.as_ref().ok_or_else(|| {
            CommandError::usage("which queue is it the dead-letter queue of? give that queue's URL with --queue-url")
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
                .set_entries(Some(entries.context("a message cannot be named")?))
                .send()
                .await
                .map_err(failed)?;
            if !outcome.failed().is_empty() {
                let count = outcome.failed().len();
                eprintln!("wigwag: {count} messages are out of sight for up to {OUT_OF_SIGHT_S} s");
            }
        }
        Ok(())
    }

    /// Begins to move everything to where the workers read. The workers put what they cannot read here themselves, and SQS does
    /// not know where that came from: so the destination is named.
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

    /// How far the latest move is.
    pub(super) async fn look_at_move(&self) -> Result<MoveProgress, CommandError> {
        let call = self.client.list_message_move_tasks().source_arn(&self.dead_arn);
        let tasks = call.max_results(1).send().await.map_err(failed)?;
        let task = tasks.results().first().context("SQS does not know of the move")?;
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

/// The only queue that this is the dead-letter queue of.
async fn source(client: &Client, url: &str) -> Result<Option<WorkQueue>, CommandError> {
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
