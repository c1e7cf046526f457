//! Message move tasks: they move the messages of a dead-letter queue back to their source, or to
//! another queue.
//!
//! A task moves all messages at once, or a limited number per second. Moved messages are new: they
//! get a new id and a new send time, and a FIFO queue does not deduplicate them. Hidden messages
//! stay. In a FIFO queue so do those behind them in their group, which would overtake them. Tasks
//! are stored like queues and continue after a restart.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::{SqsError, SqsErrorCode};
use super::message::Message;
use super::queues::AllQueues;

/// How many tasks of each queue are kept.
const KEPT: usize = 10;

/// The status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MoveStatus {
    /// The task is moving messages.
    Running,
    /// The task has moved all messages.
    Completed,
    /// The task was cancelled.
    Cancelled,
    /// The task could not continue.
    Failed,
}

/// A message move task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTask {
    /// Name of the dead-letter queue.
    pub source: String,
    /// Name of the destination; if `None`, each message goes back to its source.
    pub destination: Option<String>,
    /// Most messages per second.
    pub rate: Option<u32>,
    /// When it started, in milliseconds since the epoch.
    pub started_ms: u64,
    /// How many messages it has moved.
    pub moved: u64,
    /// How many messages there were at the start.
    pub to_move: u64,
    /// Its status.
    pub status: MoveStatus,
    /// Why it failed.
    pub failure: Option<String>,
    id: String,
}

impl MoveStatus {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

impl MoveTask {
    /// `TaskHandle`.
    pub fn handle(&self, source_arn: &str) -> String {
        STANDARD.encode(format!(r#"{{"taskId":"{}","sourceArn":"{source_arn}"}}"#, self.id))
    }

    fn due(&self, now_ms: u64) -> u64 {
        let elapsed_ms = now_ms.saturating_sub(self.started_ms);
        let due = self.rate.map(|rate| u64::from(rate) * (elapsed_ms / 1000 + 1));
        due.map_or(self.to_move, |due| due.min(self.to_move))
    }
}

impl AllQueues {
    /// `StartMessageMoveTask`; returns the task's handle.
    ///
    /// # Errors
    /// If the source does not exist or is not a dead-letter queue, the destination does not exist
    /// or has the other type, or a task of the source is running.
    pub fn start_move(
        &mut self,
        source_arn: &str,
        destination_arn: Option<&str>,
        rate: Option<u32>,
        now_ms: u64,
    ) -> Result<String, SqsError> {
        let name = |arn: &str| self.name_of(arn).map(str::to_owned);
        let not_found = || {
            let message = "The resource that you specified for the SourceArn parameter doesn't exist.";
            SqsError::new(SqsErrorCode::ResourceNotFound, message)
        };
        let source = name(source_arn).ok_or_else(not_found)?;
        if self.sources_of(&source).next().is_none() {
            let message = "Source queue must be configured as a Dead Letter Queue.";
            return Err(SqsError::new(SqsErrorCode::InvalidParameterValue, message));
        }
        let destination = match destination_arn {
            None => None,
            Some(arn) => Some(name(arn).ok_or_else(|| {
                let message = "The resource that you specified for the DestinationArn parameter doesn't exist.";
                SqsError::new(SqsErrorCode::ResourceNotFound, message)
            })?),
        };
        if destination.as_ref() == Some(&source) {
            let message = "Source queue arn and destination queue arn cannot be the same.";
            return Err(SqsError::new(SqsErrorCode::InvalidParameterValue, message));
        }
        let is_fifo = |name: &String| self.by_name.get(name).map(|queue| queue.settings().is_fifo);
        if destination
            .as_ref()
            .is_some_and(|destination| is_fifo(destination) != is_fifo(&source))
        {
            let message = "Source queue and destination queue must be of the same type: both standard, or both FIFO.";
            return Err(SqsError::new(SqsErrorCode::InvalidParameterValue, message));
        }
        self.advance_moves(now_ms);
        if self
            .tasks
            .iter()
            .any(|task| task.source == source && task.status == MoveStatus::Running)
        {
            let message = "There is already a task running. Only one active task is allowed for a source queue arn at a given time.";
            return Err(SqsError::new(SqsErrorCode::InvalidParameterValue, message));
        }
        let to_move = self.queue_mut(&source)?.counts(now_ms).visible;
        let task = MoveTask {
            id: (self.ids)(),
            source,
            destination,
            rate,
            started_ms: now_ms,
            moved: 0,
            to_move: u64::try_from(to_move).unwrap_or(u64::MAX),
            status: MoveStatus::Running,
            failure: None,
        };
        let handle = task.handle(source_arn);
        self.keep_task(&task);
        self.advanced.push(task);
        self.advance_moves(now_ms);
        Ok(handle)
    }

    /// `CancelMessageMoveTask`; returns the number of messages that were moved.
    ///
    /// # Errors
    /// If there is no such task, or it is not running.
    pub fn cancel_move(&mut self, handle: &str, now_ms: u64) -> Result<u64, SqsError> {
        self.advance_moves(now_ms);
        let arns: Vec<String> = self.tasks.iter().map(|task| self.arn(&task.source)).collect();
        let found = self
            .tasks
            .iter_mut()
            .zip(arns)
            .find(|(task, arn)| task.handle(arn) == handle);
        match found {
            Some((task, _)) if task.status == MoveStatus::Running => {
                task.status = MoveStatus::Cancelled;
                self.advanced.push(task.clone());
                Ok(task.moved)
            }
            Some(_) => Err(SqsError::new(
                SqsErrorCode::UnsupportedOperation,
                "Only active tasks can be cancelled.",
            )),
            None => Err(SqsError::new(SqsErrorCode::ResourceNotFound, "Task does not exist.")),
        }
    }

    /// The tasks of this queue, latest first.
    pub fn moves_of(&mut self, source: &str, now_ms: u64) -> impl Iterator<Item = &MoveTask> {
        self.advance_moves(now_ms);
        self.tasks.iter().rev().filter(move |task| task.source == source)
    }

    /// Adds or updates a task, and keeps only the latest tasks of its queue.
    pub(super) fn keep_task(&mut self, task: &MoveTask) {
        match self.tasks.iter_mut().find(|kept| kept.id == task.id) {
            Some(kept) => *kept = task.clone(),
            None => self.tasks.push(task.clone()),
        }
        let is_of_queue = |kept: &MoveTask| kept.source == task.source;
        if self.tasks.iter().filter(|kept| is_of_queue(kept)).count() > KEPT
            && let Some(oldest) = self.tasks.iter().position(is_of_queue)
        {
            self.tasks.remove(oldest);
        }
    }

    /// Moves the messages that are due; returns whether a task is still running.
    pub fn advance_moves(&mut self, now_ms: u64) -> bool {
        let mut tasks = std::mem::take(&mut self.tasks);
        for task in tasks.iter_mut().filter(|task| task.status == MoveStatus::Running) {
            let before = task.clone();
            self.advance(task, now_ms);
            if *task != before {
                self.advanced.push(task.clone());
            }
        }
        self.tasks = tasks;
        self.tasks.iter().any(|task| task.status == MoveStatus::Running)
    }

    fn advance(&mut self, task: &mut MoveTask, now_ms: u64) {
        while task.moved < task.due(now_ms) {
            match self.move_one(task, now_ms) {
                Ok(true) => task.moved += 1,
                Ok(false) => break,
                Err(failure) => {
                    task.status = MoveStatus::Failed;
                    task.failure = Some(failure.to_owned());
                    return;
                }
            }
        }
        let is_empty = self
            .by_name
            .get_mut(&task.source)
            .is_none_or(|queue| queue.first_visible(now_ms).is_none());
        if task.moved >= task.to_move || is_empty {
            task.status = MoveStatus::Completed;
        }
    }

    /// Moves the first visible message; returns `false` if there is none.
    fn move_one(&mut self, task: &MoveTask, now_ms: u64) -> Result<bool, &'static str> {
        let source = self
            .by_name
            .get_mut(&task.source)
            .ok_or("AWS.SimpleQueueService.NonExistentQueue")?;
        let Some(message) = source.first_visible(now_ms) else {
            return Ok(false);
        };
        let (position, came_from) = (message.position, message.source_arn.clone());
        let destination = match (&task.destination, came_from) {
            (Some(name), _) if self.by_name.contains_key(name) => name.clone(),
            (Some(_), _) => return Err("AWS.SimpleQueueService.NonExistentQueue"),
            (None, Some(arn)) => self
                .name_of(&arn)
                .ok_or("AWS.SimpleQueueService.NonExistentQueue")?
                .to_owned(),
            (None, None) => return Err("CouldNotDetermineMessageSource"),
        };
        let message = self
            .by_name
            .get_mut(&task.source)
            .and_then(|source| source.take(position));
        if let Some((message, destination)) = message.zip(self.by_name.get_mut(&destination)) {
            let id = (self.ids)();
            destination.adopt(
                Message {
                    id,
                    sent_ms: now_ms,
                    source_arn: None,
                    ..message
                },
                now_ms,
            );
        }
        Ok(true)
    }
}
