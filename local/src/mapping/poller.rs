//! One mapping: asks its queue, gathers batches, and has each invoked in a task of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::outcome::{self, Outcome};
use super::scaling::Scaling;
use super::{CALLER, Services, event};
use crate::faults::Batch;
use crate::lambda::EVENT_LIMIT_BYTES;
use crate::meter::{AwsCall, Permission, QueueCall};
use crate::sqs::{BATCH_LIMIT, Message, Receive, SqsError};
use crate::template::model::Mapping;

/// How long a poll waits for a message.
const POLL: Duration = Duration::from_secs(20);

/// Pause after a failed poll, for example of a queue that was deleted.
const FAILED_POLL_PAUSE: Duration = Duration::from_secs(1);

/// What an event has beside its records, in bytes, and more.
const ENVELOPE_BYTES: usize = 64;

/// One mapping.
#[derive(Debug)]
pub(super) struct Poller {
    mapping: Mapping,
    function_timeout: Duration,
    services: Services,
}

impl Poller {
    pub(super) fn new(mapping: Mapping, function_timeout_s: u32, services: Services) -> Self {
        Self {
            mapping,
            function_timeout: Duration::from_secs(function_timeout_s.into()),
            services,
        }
    }

    /// Polls until `stop`, and then waits for the batches that run: no longer than a function may take, and not after `kill`.
    pub(super) async fn run(self, stop: CancellationToken, kill: CancellationToken) {
        let poller = Arc::new(self);
        let mut running = JoinSet::new();
        stop.run_until_cancelled(Arc::clone(&poller).poll(&mut running)).await;
        let ending = async { while running.join_next().await.is_some() {} };
        tokio::select! {
            () = kill.cancelled() => {}
            ended = tokio::time::timeout(poller.function_timeout, ending) => if ended.is_err() {
                tracing::warn!(mapping = poller.mapping.logical_id, "a batch did not end in time and is given up");
            }
        }
    }

    async fn poll(self: Arc<Self>, running: &mut JoinSet<()>) {
        let began = Instant::now();
        let maximum = self.mapping.maximum_concurrency;
        let mut scaling = if self.mapping.is_fifo {
            Scaling::fifo(maximum)
        } else {
            Scaling::standard(maximum)
        };
        loop {
            while running.try_join_next().is_some() {}
            while !scaling.has_room(running.len(), began.elapsed()) {
                let raised = scaling.next_raise().map(|raise| began + raise);
                tokio::select! {
                    _ = running.join_next() => {}
                    () = tokio::time::sleep_until(raised.unwrap_or_else(Instant::now)), if raised.is_some() => {}
                }
            }
            match self.collect().await {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => drop(running.spawn(Arc::clone(&self).process(messages))),
                Err(error) => {
                    tracing::warn!(mapping = self.mapping.logical_id, %error, "could not poll");
                    tokio::time::sleep(FAILED_POLL_PAUSE).await;
                }
            }
        }
    }

    /// Waits for messages; and with a batching window gathers more, until the batch is full or the window over.
    async fn collect(&self) -> Result<Vec<Message>, SqsError> {
        let window = Duration::from_secs(self.mapping.window_s.into());
        let mut gathered = Gathered {
            poller: self,
            messages: self.receive(self.mapping.batch_size, POLL).await?,
        };
        let until = Instant::now() + window;
        let mut bytes: usize = gathered.messages.iter().map(|message| message.body.len()).sum();
        while !window.is_zero() && !gathered.messages.is_empty() && bytes < EVENT_LIMIT_BYTES {
            let room = self.mapping.batch_size.saturating_sub(gathered.messages.len());
            let more = match room {
                0 => break,
                room => {
                    self.receive(room, until.saturating_duration_since(Instant::now()))
                        .await?
                }
            };
            if more.is_empty() {
                break;
            }
            bytes += more.iter().map(|message| message.body.len()).sum::<usize>();
            gathered.messages.extend(more);
        }
        Ok(std::mem::take(&mut gathered.messages))
    }

    async fn receive(&self, room: usize, wait: Duration) -> Result<Vec<Message>, SqsError> {
        let receive = Receive {
            max: room.min(BATCH_LIMIT),
            visibility_s: self.mapping.visibility_override_s,
            wait: Some(wait),
        };
        let messages = self.services.sqs.receive(&self.mapping.queue, receive).await;
        let received = messages.as_deref().unwrap_or_default();
        let bytes: usize = received.iter().map(|message| message.body.len()).sum();
        self.count("ReceiveMessage", messages.is_ok(), bytes);
        messages
    }

    /// Sees a batch through, with all that is to go wrong with it.
    async fn process(self: Arc<Self>, messages: Vec<Message>) {
        let Some(first) = messages.first() else { return };
        let (queue, faults) = (&self.mapping.queue, &self.services.faults);
        let batch = faults.batch(queue, first.position, first.delivery.receives);
        batch.begins().await;
        let handles: Vec<String> = messages.iter().map(|message| self.handle(message)).collect();
        let visible_again = async {
            batch.is_visible_again().await;
            self.services.sqs.release(queue, &handles);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.work_through(messages, &batch) => {}
            () = visible_again => {}
        }
    }

    /// Invokes the function with the messages: once, unless they are too large together for one event.
    async fn work_through(&self, messages: Vec<Message>, batch: &Batch) {
        let mut failed_groups = BTreeSet::new();
        for (chunk, records) in self.chunks(messages) {
            let follows_failed = |message: &Message| {
                self.mapping.is_fifo
                    && message
                        .group
                        .as_ref()
                        .is_some_and(|group| failed_groups.contains(group))
            };
            let (chunk, records): (Vec<Message>, Vec<Value>) = chunk
                .into_iter()
                .zip(records)
                .filter(|(message, _)| !follows_failed(message))
                .unzip();
            if chunk.is_empty() {
                continue;
            }
            let result = self
                .services
                .lambda
                .invoke(&self.mapping.function, &event::of(&records))
                .await;
            let outcome = outcome::read(&chunk, result, self.mapping.reports_failures);
            let staying = self.settle(&chunk, outcome, batch);
            failed_groups.extend(staying.into_iter().filter_map(|message| message.group.clone()));
        }
    }

    /// Deletes what is done; gives what stays.
    fn settle<'a>(&self, chunk: &'a [Message], outcome: Outcome, fate: &Batch) -> Vec<&'a Message> {
        let mapping = self.mapping.logical_id.as_str();
        let staying = match outcome {
            Outcome::Failed(reason) => {
                tracing::warn!(mapping, messages = chunk.len(), reason, "a batch failed");
                return chunk.iter().collect();
            }
            Outcome::Done { failed } => {
                let staying = outcome::staying(chunk, &failed, self.mapping.is_fifo);
                if staying.len() > failed.len() {
                    let text = "a function reported a failure of a FIFO batch and not what follows it in its group; \
                                here that stays, AWS may delete it";
                    tracing::warn!(mapping, reported = failed.len(), staying = staying.len(), text);
                }
                staying
            }
        };
        let (staying, done): (Vec<&Message>, Vec<&Message>) =
            chunk.iter().partition(|message| staying.contains(message.id.as_str()));
        if !done.is_empty() && fate.comes_again() {
            return staying;
        }
        for batch in done.chunks(BATCH_LIMIT) {
            self.delete(batch);
        }
        staying
    }

    fn delete(&self, batch: &[&Message]) {
        let handles: Vec<String> = batch.iter().map(|message| self.handle(message)).collect();
        let errors = self
            .services
            .sqs
            .delete(&self.mapping.queue, handles.iter().map(String::as_str));
        self.count("DeleteMessageBatch", true, handles.iter().map(String::len).sum());
        for error in errors {
            tracing::warn!(mapping = self.mapping.logical_id, %error, "could not delete a message that is done");
        }
    }

    /// The messages with their records, in as many parts as there have to be events.
    fn chunks(&self, messages: Vec<Message>) -> Vec<(Vec<Message>, Vec<Value>)> {
        let mut chunks: Vec<(Vec<Message>, Vec<Value>)> = Vec::new();
        let mut bytes = usize::MAX;
        for message in messages {
            let Mapping { queue_arn, .. } = &self.mapping;
            let record = event::record(&message, &self.handle(&message), queue_arn, &self.services.region);
            let size = record.to_string().len() + 1;
            if bytes.saturating_add(size) > EVENT_LIMIT_BYTES {
                chunks.push((Vec::new(), Vec::new()));
                bytes = ENVELOPE_BYTES;
            }
            bytes += size;
            if let Some((messages, records)) = chunks.last_mut() {
                messages.push(message);
                records.push(record);
            }
        }
        chunks
    }

    fn handle(&self, message: &Message) -> String {
        self.services.sqs.handle(&self.mapping.queue, message)
    }

    /// What the function's role must grant, as Lambda calls with that role.
    fn needs(&self, operation: &str) -> Permission {
        Permission {
            action: format!("sqs:{}", operation.strip_suffix("Batch").unwrap_or(operation)),
            resource: self.mapping.queue.clone(),
        }
    }

    fn count(&self, operation: &str, succeeded: bool, bytes: usize) {
        let payload_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.services.meter.aws_call(&AwsCall {
            service: "sqs",
            operation,
            caller: CALLER,
            status: if succeeded { 200 } else { 400 },
            read_units: 0.0,
            write_units: 0.0,
            request_bytes: 0,
            permissions: BTreeSet::from([self.needs(operation)]),
        });
        self.services.meter.queue_call(&QueueCall {
            is_fifo: self.mapping.is_fifo,
            payload_bytes,
        });
    }
}

/// Messages of a batch that is not complete. If the mapping is stopped meanwhile, they are visible again at once.
struct Gathered<'a> {
    poller: &'a Poller,
    messages: Vec<Message>,
}

impl Drop for Gathered<'_> {
    fn drop(&mut self) {
        let handles: Vec<String> = self
            .messages
            .iter()
            .map(|message| self.poller.handle(message))
            .collect();
        self.poller.services.sqs.release(&self.poller.mapping.queue, &handles);
    }
}
