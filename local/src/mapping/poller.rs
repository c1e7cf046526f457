//! One mapping: polls its queue, gathers batches, and invokes the function with each batch in its
//! own task.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::outcome::{self, BatchOutcome};
use super::scaling::Scaling;
use super::{CALLER, Invoke, MappingServices, event};
use crate::faults::BatchHarm;
use crate::lambda::{EVENT_LIMIT_BYTES, Lambda};
use crate::meter::{AwsCall, Permission, QueueCall};
use crate::sqs::{BATCH_LIMIT, Message, Receive, SqsError};
use crate::template::model::Mapping;

/// How long a poll waits for a message.
const POLL: Duration = Duration::from_secs(20);

/// Pause after a failed poll, for example because the queue was deleted.
const FAILED_POLL_PAUSE: Duration = Duration::from_secs(1);

/// Upper bound for the bytes of an event besides its records.
const ENVELOPE_BYTES: usize = 64;

/// One mapping.
#[derive(Debug)]
pub(super) struct Poller<L = Lambda> {
    mapping: Mapping,
    function_timeout: Duration,
    services: MappingServices<L>,
}

impl<L: Invoke> Poller<L> {
    pub(super) fn new(mapping: Mapping, function_timeout_s: u32, services: MappingServices<L>) -> Self {
        Self {
            mapping,
            function_timeout: Duration::from_secs(function_timeout_s.into()),
            services,
        }
    }

    /// Polls until `stop`, then waits for the running batches: at most as long as a function may
    /// take, and not after `kill`.
    pub(super) async fn run(self, stop: CancellationToken, kill: CancellationToken) {
        let poller = Arc::new(self);
        let mut running = JoinSet::new();
        stop.run_until_cancelled(Arc::clone(&poller).poll(&mut running)).await;
        let ending = async { while running.join_next().await.is_some() {} };
        tokio::select! {
            () = kill.cancelled() => {}
            ended = tokio::time::timeout(poller.function_timeout, ending) => if ended.is_err() {
                tracing::warn!(mapping = poller.mapping.logical_id, "a batch did not end in time; it is abandoned");
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
            let found = match self.has_next(Duration::ZERO).await {
                Ok(false) => {
                    scaling.drained(running.len());
                    self.has_next(POLL).await
                }
                found => found,
            };
            let collected = match found {
                // The slot comes before the messages. Otherwise they would be hidden while they
                // wait for it, come back, and count as received although no function has seen them.
                Ok(true) => {
                    let Ok(slot) = self.services.lambda.slot(&self.mapping.function).await else {
                        return;
                    };
                    self.collect().await.map(|messages| (messages, slot))
                }
                Ok(false) => {
                    self.count("ReceiveMessage", true, 0);
                    continue;
                }
                Err(error) => {
                    self.count("ReceiveMessage", false, 0);
                    Err(error)
                }
            };
            match collected {
                Ok((messages, _)) if messages.is_empty() => {}
                Ok((messages, slot)) => drop(running.spawn(Arc::clone(&self).process(messages, slot))),
                Err(error) => {
                    tracing::warn!(mapping = self.mapping.logical_id, %error, "could not poll");
                    tokio::time::sleep(FAILED_POLL_PAUSE).await;
                }
            }
        }
    }

    /// Waits until there is a message. Takes none.
    async fn has_next(&self, wait: Duration) -> Result<bool, SqsError> {
        self.services.sqs.has_next(&self.mapping.queue, wait).await
    }

    /// Takes the messages that are there. With a batching window it gathers until the batch is full
    /// or the window is over.
    async fn collect(&self) -> Result<Vec<Message>, SqsError> {
        let window = Duration::from_secs(self.mapping.window_s.into());
        let mut gathered = Gathered {
            poller: self,
            messages: self.receive(self.mapping.batch_size, Duration::ZERO).await?,
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

    /// Handles one batch to its end, including the faults that the plan injects.
    async fn process(self: Arc<Self>, messages: Vec<Message>, slot: L::Slot) {
        let (messages, event) = self.fitting(messages);
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
        let work = async {
            let result = self
                .services
                .lambda
                .invoke_in(slot, &self.mapping.function, &event)
                .await;
            let outcome = outcome::read(&messages, result, self.mapping.reports_failures);
            self.settle(&messages, outcome, &batch);
        };
        tokio::select! {
            () = work => {}
            () = visible_again => {}
        }
    }

    /// Deletes the messages that are done.
    fn settle(&self, messages: &[Message], outcome: BatchOutcome, fate: &BatchHarm) {
        let mapping = self.mapping.logical_id.as_str();
        let failed = match outcome {
            BatchOutcome::Failed(reason) => {
                tracing::warn!(mapping, messages = messages.len(), reason, "a batch failed");
                return;
            }
            BatchOutcome::Done { failed } => failed,
        };
        let staying = outcome::staying(messages, &failed, self.mapping.is_fifo);
        let unreported = staying.len() - failed.len();
        if unreported > 0 {
            let text = "a function reported a failure of a FIFO batch and not what follows it in its group; \
                        here that stays, AWS may delete it";
            tracing::error!(mapping, reported = failed.len(), unreported, text);
            self.services.meter.unreported_failures(unreported);
        }
        let done: Vec<&Message> = messages
            .iter()
            .filter(|message| !staying.contains(message.id.as_str()))
            .collect();
        if !done.is_empty() && fate.comes_again() {
            return;
        }
        for batch in done.chunks(BATCH_LIMIT) {
            self.delete(batch);
        }
    }

    fn delete(&self, batch: &[&Message]) {
        let handles: Vec<String> = batch.iter().map(|message| self.handle(message)).collect();
        let errors = self
            .services
            .sqs
            .delete(&self.mapping.queue, handles.iter().map(String::as_str));
        self.count("DeleteMessageBatch", true, handles.iter().map(String::len).sum());
        for error in errors {
            tracing::warn!(mapping = self.mapping.logical_id, %error, "could not delete a finished message");
        }
    }

    /// The messages that fit one event, and the event. The others go back to the queue: while they
    /// waited here, their visibility timeout could run out, and another function would get them too.
    fn fitting(&self, mut messages: Vec<Message>) -> (Vec<Message>, Value) {
        let Mapping { queue, queue_arn, .. } = &self.mapping;
        let mut records: Vec<Value> = Vec::new();
        let mut bytes = ENVELOPE_BYTES;
        for message in &messages {
            let record = event::record(message, &self.handle(message), queue_arn, &self.services.region);
            bytes += record.to_string().len() + 1;
            if bytes > EVENT_LIMIT_BYTES && !records.is_empty() {
                break;
            }
            records.push(record);
        }
        let rest = messages.split_off(records.len());
        if !rest.is_empty() {
            self.services.sqs.put_back(queue, &rest);
        }
        (messages, event::with_records(&records))
    }

    fn handle(&self, message: &Message) -> String {
        self.services.sqs.handle(&self.mapping.queue, message)
    }

    /// The permission that the function's role must grant, because Lambda calls with that role.
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

/// The messages of an incomplete batch. If the mapping is stopped meanwhile, they go back to the
/// queue.
struct Gathered<'a, L: Invoke> {
    poller: &'a Poller<L>,
    messages: Vec<Message>,
}

impl<L: Invoke> Drop for Gathered<'_, L> {
    fn drop(&mut self) {
        if !self.messages.is_empty() {
            self.poller
                .services
                .sqs
                .put_back(&self.poller.mapping.queue, &self.messages);
        }
    }
}
