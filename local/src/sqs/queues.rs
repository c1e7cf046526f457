//! All queues of the account: operations that involve several queues, and restoring queues from
//! disk.
//!
//! Synchronous, like [`QueueState`]: the caller passes the time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{SqsError, SqsErrorCode};
use super::message::{Draft, Message};
use super::moves::MoveTask;
use super::queue::{Change, QueueState, Sent};
use super::receipt::{self, Receipt};
use super::settings::{Per, QueueAttributes, RedriveAllow, Settings};
use super::throughput::{Action, Throughput};
use crate::lambda::ACCOUNT_ID;

/// Something that happened to a queue: one entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JournalEntry {
    /// Changes of the queue with this name. They create it if it does not exist.
    Changed(String, Vec<Change>),
    /// The queue with this name was deleted.
    Deleted(String),
    /// A message move task started or made progress.
    Task(MoveTask),
}

/// All queues.
#[derive(Debug)]
pub struct AllQueues {
    pub(super) by_name: BTreeMap<String, QueueState>,
    pub(super) tasks: Vec<MoveTask>,
    /// Tasks that started or made progress, for [`AllQueues::take_changes`].
    pub(super) advanced: Vec<MoveTask>,
    /// Generates message ids.
    pub(super) ids: fn() -> String,
    region: String,
    throughput: BTreeMap<String, Throughput>,
    deleted: Vec<String>,
}

impl AllQueues {
    /// Creates an empty account in this region.
    pub fn new(region: &str, ids: fn() -> String) -> Self {
        Self {
            by_name: BTreeMap::new(),
            tasks: Vec::new(),
            advanced: Vec::new(),
            ids,
            region: region.to_owned(),
            throughput: BTreeMap::new(),
            deleted: Vec::new(),
        }
    }

    /// `CreateQueue`. If the queue exists with the given attributes, nothing changes.
    ///
    /// # Errors
    /// If the attributes are invalid, or the queue exists with other attributes.
    pub fn create(&mut self, name: &str, attributes: &QueueAttributes, now_ms: u64) -> Result<(), SqsError> {
        let mut settings = Settings::new(name, attributes)?;
        if let Some(queue) = self.by_name.get(name) {
            let (shown, asked) = (queue.settings().shown(), settings.shown());
            let differs = attributes
                .keys()
                .find(|attribute| shown.get(*attribute) != asked.get(*attribute));
            return match differs {
                None => Ok(()),
                Some(attribute) => Err(SqsError::new(
                    SqsErrorCode::QueueNameExists,
                    format!(
                        "A queue already exists with the same name and a different value for attribute {attribute}"
                    ),
                )),
            };
        }
        self.check_redrive(name, &settings)?;
        (settings.created_ms, settings.modified_ms) = (now_ms, now_ms);
        self.by_name.insert(name.to_owned(), QueueState::new(settings));
        Ok(())
    }

    /// Creates the queue of a template, or updates the existing one.
    ///
    /// # Errors
    /// If the attributes are invalid, or would turn a standard queue into a FIFO queue or back.
    pub fn declare(&mut self, name: &str, attributes: &QueueAttributes, now_ms: u64) -> Result<(), SqsError> {
        let mut settings = Settings::new(name, attributes)?;
        settings.modified_ms = now_ms;
        if let Some(queue) = self.by_name.get_mut(name) {
            settings.created_ms = queue.settings().created_ms;
            settings.modified_ms = queue.settings().modified_ms;
            if *queue.settings() != settings {
                settings.modified_ms = now_ms;
                queue.set(settings);
            }
        } else {
            settings.created_ms = now_ms;
            self.by_name.insert(name.to_owned(), QueueState::new(settings));
        }
        Ok(())
    }

    /// `SetQueueAttributes`.
    ///
    /// # Errors
    /// If there is no such queue, or an attribute cannot have this value.
    pub fn set(&mut self, name: &str, attributes: &QueueAttributes, now_ms: u64) -> Result<(), SqsError> {
        let mut settings = self.queue(name)?.settings().clone();
        settings.change(attributes)?;
        settings.modified_ms = now_ms;
        if attributes.contains_key("RedrivePolicy") {
            self.check_redrive(name, &settings)?;
        }
        self.queue_mut(name)?.set(settings);
        Ok(())
    }

    /// `DeleteQueue`.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn delete_queue(&mut self, name: &str) -> Result<(), SqsError> {
        self.by_name.remove(name).ok_or_else(SqsError::no_queue)?;
        self.tasks.retain(|task| task.source != name);
        self.throughput.remove(name);
        self.deleted.push(name.to_owned());
        Ok(())
    }

    /// `PurgeQueue`.
    ///
    /// # Errors
    /// If there is no such queue, or it was purged within the last minute.
    pub fn purge(&mut self, name: &str, now_ms: u64) -> Result<(), SqsError> {
        self.queue_mut(name)?.purge(name, now_ms)
    }

    /// `SendMessage`.
    ///
    /// # Errors
    /// If there is no such queue, or it does not accept the message.
    pub fn send(&mut self, name: &str, draft: Draft, now_ms: u64) -> Result<Sent, SqsError> {
        let id = (self.ids)();
        self.queue_mut(name)?.send(draft, id, now_ms)
    }

    /// Receives messages and hides each for `visibility_s` seconds, or for the queue's own timeout.
    /// Messages that were received too often go to the dead-letter queue instead. If that queue
    /// does not exist, they stay and are delivered.
    ///
    /// # Errors
    /// If there is no such queue, or too many of its messages are in flight.
    pub fn receive(
        &mut self,
        name: &str,
        max: usize,
        visibility_s: Option<u32>,
        now_ms: u64,
    ) -> Result<Vec<Message>, SqsError> {
        let target = self.dead_letter_queue_of(self.queue(name)?);
        let source_arn = self.arn(name);
        let queue = self.queue_mut(name)?;
        let visibility_s = visibility_s.unwrap_or(queue.settings().visibility_timeout_s);
        let received = queue.receive(max, visibility_s, target.is_some(), now_ms)?;
        for message in received.given_up {
            let Some(target) = target.as_ref().and_then(|target| self.by_name.get_mut(target)) else {
                break;
            };
            // In a standard queue the message keeps its age. In a FIFO queue it counts as new, and
            // its id becomes its deduplication id.
            // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
            // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html>
            let is_fifo = target.settings().is_fifo;
            let given_up = Message {
                sent_ms: if is_fifo { now_ms } else { message.sent_ms },
                deduplication_id: is_fifo.then(|| message.id.clone()),
                source_arn: Some(source_arn.clone()),
                ..message
            };
            target.adopt(given_up, now_ms);
        }
        Ok(received.messages)
    }

    /// `DeleteMessage`.
    ///
    /// # Errors
    /// If there is no such queue, or the handle belongs to another queue or has expired.
    pub fn delete(&mut self, name: &str, handle: &str, now_ms: u64) -> Result<(), SqsError> {
        let queue = self.queue_mut(name)?;
        queue.delete(&receipt::decode(name, handle)?, handle, now_ms)
    }

    /// `ChangeMessageVisibility`.
    ///
    /// # Errors
    /// If there is no such queue, the handle belongs to another queue, or the message is not in
    /// flight.
    pub fn change_visibility(
        &mut self,
        name: &str,
        handle: &str,
        visibility_s: u32,
        now_ms: u64,
    ) -> Result<(), SqsError> {
        let queue = self.queue_mut(name)?;
        queue.change_visibility(&receipt::decode(name, handle)?, handle, visibility_s, now_ms)
    }

    /// Puts back a message that nobody has seen, as if it had not been received.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn put_back(&mut self, name: &str, message: &Message, now_ms: u64) -> Result<(), SqsError> {
        let receipt = Receipt::for_delivery(message);
        self.queue_mut(name)?.put_back(&receipt, now_ms);
        Ok(())
    }

    /// Whether a receive would return a message of this queue.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn has_next(&self, name: &str, now_ms: u64) -> Result<bool, SqsError> {
        let queue = self.queue(name)?;
        Ok(queue.has_next(self.dead_letter_queue_of(queue).is_some(), now_ms))
    }

    /// Counts a call against the throughput limit of a FIFO queue.
    ///
    /// # Errors
    /// If the call exceeds the limit, or there is no such queue.
    pub fn admit<'a>(
        &mut self,
        name: &str,
        action: Action,
        groups: impl IntoIterator<Item = &'a str>,
        now_ms: u64,
    ) -> Result<(), SqsError> {
        let settings = self.queue(name)?.settings();
        if !settings.is_fifo {
            return Ok(());
        }
        let per_group = settings.throughput_limit == Per::Group;
        let throughput = self.throughput.entry(name.to_owned()).or_default();
        let admitted = if per_group {
            throughput.admit_groups(action, groups, now_ms)
        } else {
            throughput.admit(action, now_ms)
        };
        admitted
            .then_some(())
            .ok_or_else(|| SqsError::new(SqsErrorCode::RequestThrottled, "Rate exceeded"))
    }

    /// The queue with this name.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn queue(&self, name: &str) -> Result<&QueueState, SqsError> {
        self.by_name.get(name).ok_or_else(SqsError::no_queue)
    }

    /// The queue with this name, mutable.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn queue_mut(&mut self, name: &str) -> Result<&mut QueueState, SqsError> {
        self.by_name.get_mut(name).ok_or_else(SqsError::no_queue)
    }

    /// Names of all queues that start with `prefix`.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.by_name
            .keys()
            .map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// Names of the queues that use this one as their dead-letter queue.
    pub fn sources_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let arn = self.arn(name);
        let names = move |queue: &QueueState| {
            queue
                .settings()
                .redrive
                .as_ref()
                .is_some_and(|redrive| redrive.target_arn == arn)
        };
        let sources = self.by_name.iter().filter(move |(_, queue)| names(queue));
        sources.map(|(name, _)| name.as_str())
    }

    /// The ARN of the queue with this name.
    pub fn arn(&self, name: &str) -> String {
        format!("{}{name}", self.arn_prefix())
    }

    /// The name of the queue with this ARN, if it exists.
    pub fn name_of<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let name = arn.strip_prefix(&self.arn_prefix())?;
        self.by_name.contains_key(name).then_some(name)
    }

    /// The changes since the last call of this function.
    pub fn take_changes(&mut self) -> Vec<JournalEntry> {
        let mut entries: Vec<JournalEntry> = self.deleted.drain(..).map(JournalEntry::Deleted).collect();
        for (name, queue) in &mut self.by_name {
            let changes = queue.take_changes();
            if !changes.is_empty() {
                entries.push(JournalEntry::Changed(name.clone(), changes));
            }
        }
        entries.extend(self.advanced.drain(..).map(JournalEntry::Task));
        entries
    }

    /// Entries that recreate all queues from nothing.
    pub fn snapshot(&self) -> Vec<JournalEntry> {
        let entry = |(name, queue): (&String, &QueueState)| JournalEntry::Changed(name.clone(), queue.snapshot());
        let tasks = self.tasks.iter().cloned().map(JournalEntry::Task);
        self.by_name.iter().map(entry).chain(tasks).collect()
    }

    /// Removes all queues, so that the journal can be applied again.
    pub fn forget(&mut self) {
        self.by_name.clear();
        self.tasks.clear();
        self.advanced.clear();
        self.deleted.clear();
    }

    /// Applies an entry of the journal.
    pub fn apply(&mut self, entry: &JournalEntry) {
        match entry {
            JournalEntry::Deleted(name) => {
                self.by_name.remove(name);
                self.tasks.retain(|task| task.source != *name);
            }
            JournalEntry::Task(task) => self.keep_task(task),
            JournalEntry::Changed(name, changes) => {
                if let Some(Change::Set(settings)) = changes.first()
                    && !self.by_name.contains_key(name)
                {
                    let mut queue = QueueState::new((**settings).clone());
                    queue.take_changes();
                    self.by_name.insert(name.clone(), queue);
                }
                if let Some(queue) = self.by_name.get_mut(name) {
                    for change in changes {
                        queue.apply(change);
                    }
                }
            }
        }
    }

    fn dead_letter_queue_of(&self, queue: &QueueState) -> Option<String> {
        let redrive = queue.settings().redrive.as_ref()?;
        self.name_of(&redrive.target_arn).map(str::to_owned)
    }

    fn arn_prefix(&self) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT_ID}:", self.region)
    }

    /// Refuses a redrive policy if its dead-letter queue does not exist, has the other type, or
    /// does not allow this source.
    fn check_redrive(&self, name: &str, settings: &Settings) -> Result<(), SqsError> {
        let Some(redrive) = &settings.redrive else {
            return Ok(());
        };
        let refuse = |reason: &str| Err(SqsError::invalid("RedrivePolicy", &redrive.target_arn, reason));
        let target = self
            .name_of(&redrive.target_arn)
            .and_then(|target| self.by_name.get(target));
        let Some(target) = target.map(QueueState::settings) else {
            return refuse("Dead letter target does not exist.");
        };
        if redrive.target_arn == self.arn(name) {
            return refuse("A queue cannot be its own dead-letter queue.");
        }
        if target.is_fifo != settings.is_fifo {
            return refuse("Dead-letter queue must be same type of queue as the source.");
        }
        let allowed = match &target.redrive_allow {
            RedriveAllow::All => true,
            RedriveAllow::None => false,
            RedriveAllow::Queues(arns) => arns.contains(&self.arn(name)),
        };
        if allowed {
            Ok(())
        } else {
            refuse("The dead-letter queue's RedriveAllowPolicy does not allow this source queue.")
        }
    }
}
