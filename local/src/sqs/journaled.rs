//! The queues together with their journal: what changes in one is written to the other.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

use super::error::{SqsError, SqsErrorCode};
use super::journal::Journal;
use super::queues::{AllQueues, JournalEntry};

pub(super) struct JournaledQueues {
    pub(super) queues: AllQueues,
    pub(super) journal: Option<Journal>,
    /// Wakes the receives that wait for a message, by queue name.
    pub(super) waiting: BTreeMap<String, Arc<Notify>>,
}

impl JournaledQueues {
    /// Writes these changes to the journal; undoes them if that fails.
    pub(super) fn record(&mut self, entries: &[JournalEntry]) -> Result<(), SqsError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let Err(error) = journal.append(entries, &self.queues) else {
            return Ok(());
        };
        tracing::error!(%error, "could not write a change of a queue to disk; the change is undone");
        // If this fails, calls are refused until it succeeds.
        let _ = self.mend();
        Err(not_written(&error))
    }

    /// Undoes changes that could not be written.
    pub(super) fn mend(&mut self) -> Result<(), SqsError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        journal.mend(&mut self.queues).map_err(|error| {
            tracing::error!(%error, "cannot read or write the file of the queues");
            not_written(&error)
        })
    }

    /// Wakes the receives that wait for one of these queues.
    pub(super) fn wake(&self, entries: &[JournalEntry]) {
        for entry in entries {
            let (JournalEntry::Changed(queue, _) | JournalEntry::Deleted(queue)) = entry else {
                continue;
            };
            if let Some(waiting) = self.waiting.get(queue) {
                waiting.notify_waiters();
            }
        }
    }
}

fn not_written(error: &io::Error) -> SqsError {
    let message = format!("The request had no effect, because it could not be written to disk: {error}.");
    SqsError::new(SqsErrorCode::InternalError, message)
}
