//! All queues of the account: what concerns more than one of them, and what is kept.
//!
//! Synchronous like [`Queue`]: every call says what time it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{Code, SqsError};
use super::message::{Draft, Message};
use super::moves::MoveTask;
use super::queue::{Change, Queue, Sent};
use super::receipt::{self, Receipt};
use super::settings::{Per, QueueAttributes, RedriveAllow, Settings};
use super::throughput::{Action, Throughput};
use crate::lambda::ACCOUNT_ID;

/// What happened to one queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Changes of the queue with this name, which is made by them if it is not there.
    Changed(String, Vec<Change>),
    /// The queue with this name was deleted.
    Deleted(String),
    /// A message move task began, or went on.
    Task(MoveTask),
}

/// All queues.
#[derive(Debug)]
pub struct Queues {
    pub(super) by_name: BTreeMap<String, Queue>,
    pub(super) tasks: Vec<MoveTask>,
    /// Those that began or went on, for [`Queues::take_changes`].
    pub(super) advanced: Vec<MoveTask>,
    /// Where message ids come from.
    pub(super) ids: fn() -> String,
    region: String,
    throughput: BTreeMap<String, Throughput>,
    deleted: Vec<String>,
}

impl Queues {
    /// No queues, in this region.
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

    /// `CreateQueue`. One that exists with the attributes that are given is as good as a new one.
    ///
    /// # Errors
    /// If the attributes are bad, or it exists with other ones.
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
                    Code::QueueNameExists,
                    format!(
                        "A queue already exists with the same name and a different value for attribute {attribute}"
                    ),
                )),
            };
        }
        self.check_redrive(name, &settings)?;
        (settings.created_ms, settings.modified_ms) = (now_ms, now_ms);
        self.by_name.insert(name.to_owned(), Queue::new(settings));
        Ok(())
    }

    /// Makes the queue as a template wants it, or sets the one that exists so.
    ///
    /// # Errors
    /// If the attributes are bad, or of the other kind of queue than the one that exists.
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
            self.by_name.insert(name.to_owned(), Queue::new(settings));
        }
        Ok(())
    }

    /// `SetQueueAttributes`.
    ///
    /// # Errors
    /// If there is no such queue, or an attribute cannot be set so.
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

    /// Takes a message for this queue.
    ///
    /// # Errors
    /// If there is no such queue, or the message is not one for it.
    pub fn send(&mut self, name: &str, draft: Draft, now_ms: u64) -> Result<Sent, SqsError> {
        let id = (self.ids)();
        self.queue_mut(name)?.send(draft, id, now_ms)
    }

    /// Receives messages, each hidden for `visibility_s` seconds, or for as long as the queue says. Messages that were received
    /// too often go to the dead-letter queue instead; where that does not exist, they stay and are delivered.
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
            // In a standard queue a message keeps its age; in a FIFO queue it is as new, and its own id is its deduplication id.
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
    /// If there is no such queue, or the handle is none of it, or has expired.
    pub fn delete(&mut self, name: &str, handle: &str, now_ms: u64) -> Result<(), SqsError> {
        let queue = self.queue_mut(name)?;
        queue.delete(&receipt::decode(name, handle)?, handle, now_ms)
    }

    /// `ChangeMessageVisibility`.
    ///
    /// # Errors
    /// If there is no such queue, the handle is none of it, or the message is not in flight.
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

    /// Puts a message back that was received in vain, as if it had not been.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn put_back(&mut self, name: &str, message: &Message, now_ms: u64) -> Result<(), SqsError> {
        let receipt = Receipt::of(message);
        self.queue_mut(name)?.put_back(&receipt, now_ms);
        Ok(())
    }

    /// Whether a receive would take something from this queue.
    ///
    /// # Errors
    /// If there is no such queue.
    pub fn has_next(&self, name: &str, now_ms: u64) -> Result<bool, SqsError> {
        let queue = self.queue(name)?;
        Ok(queue.has_next(self.dead_letter_queue_of(queue).is_some(), now_ms))
    }

    /// Refuses a call that is beyond the throughput of a FIFO queue.
    ///
    /// # Errors
    /// If it is, or there is no such queue.
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
            .ok_or_else(|| SqsError::new(Code::RequestThrottled, "Rate exceeded"))
    }

    /// The queue with this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn queue(&self, name: &str) -> Result<&Queue, SqsError> {
        self.by_name.get(name).ok_or_else(SqsError::no_queue)
    }

    /// The queue with this name, to be changed.
    ///
    /// # Errors
    /// If there is none.
    pub fn queue_mut(&mut self, name: &str) -> Result<&mut Queue, SqsError> {
        self.by_name.get_mut(name).ok_or_else(SqsError::no_queue)
    }

    /// Names of all queues that begin with this.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.by_name
            .keys()
            .map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// Names of the queues whose dead-letter queue this one is.
    pub fn sources_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let arn = self.arn(name);
        let names = move |queue: &Queue| {
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

    /// The name of the queue with this ARN, if there is one.
    pub fn name_of<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let name = arn.strip_prefix(&self.arn_prefix())?;
        self.by_name.contains_key(name).then_some(name)
    }

    /// What happened since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.deleted.drain(..).map(Entry::Deleted).collect();
        for (name, queue) in &mut self.by_name {
            let changes = queue.take_changes();
            if !changes.is_empty() {
                entries.push(Entry::Changed(name.clone(), changes));
            }
        }
        entries.extend(self.advanced.drain(..).map(Entry::Task));
        entries
    }

    /// What makes equal queues of none.
    pub fn snapshot(&self) -> Vec<Entry> {
        let entry = |(name, queue): (&String, &Queue)| Entry::Changed(name.clone(), queue.snapshot());
        let tasks = self.tasks.iter().cloned().map(Entry::Task);
        self.by_name.iter().map(entry).chain(tasks).collect()
    }

    /// Makes none of what is kept, so that what was written down can happen again.
    pub fn forget(&mut self) {
        self.by_name.clear();
        self.tasks.clear();
        self.advanced.clear();
        self.deleted.clear();
    }

    /// Lets happen what is known to have happened.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Deleted(name) => {
                self.by_name.remove(name);
                self.tasks.retain(|task| task.source != *name);
            }
            Entry::Task(task) => self.keep_task(task),
            Entry::Changed(name, changes) => {
                if let Some(Change::Set(settings)) = changes.first()
                    && !self.by_name.contains_key(name)
                {
                    let mut queue = Queue::new((**settings).clone());
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

    fn dead_letter_queue_of(&self, queue: &Queue) -> Option<String> {
        let redrive = queue.settings().redrive.as_ref()?;
        self.name_of(&redrive.target_arn).map(str::to_owned)
    }

    fn arn_prefix(&self) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT_ID}:", self.region)
    }

    /// Refuses a redrive policy whose dead-letter queue does not exist, is of the other kind, or does not want this source.
    fn check_redrive(&self, name: &str, settings: &Settings) -> Result<(), SqsError> {
        let Some(redrive) = &settings.redrive else {
            return Ok(());
        };
        let refuse = |reason: &str| Err(SqsError::invalid("RedrivePolicy", &redrive.target_arn, reason));
        let target = self
            .name_of(&redrive.target_arn)
            .and_then(|target| self.by_name.get(target));
        let Some(target) = target.map(Queue::settings) else {
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
