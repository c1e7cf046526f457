//! Tasks that are kept from the queue: a message is in a group's log, and nobody delivers it.

use crate::Cluster;
use anyhow::Result;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wigwag_domain::outgoing::Draft;
use wigwag_domain::task::Task;
use wigwag_domain::{DeviceKey, GroupId, MessageKey, UserId};
use wigwag_messaging::TaskQueue;
use wigwag_store::StoreError;

/// Keeps tasks instead of enqueueing them.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<Task>>);

impl Kept {
    /// Removes and returns the tasks that were kept since the last call.
    pub fn take(&self) -> Vec<Task> {
        std::mem::take(&mut *self.tasks())
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskQueue for Kept {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        self.tasks().extend_from_slice(tasks);
        Ok(())
    }
}

impl Cluster {
    /// Puts text messages into a group's log at a time (ms); returns their tasks, which are not
    /// enqueued. They come from a device of the sender that writes to this group alone.
    pub async fn log_undelivered(&self, sender: u64, group: u64, texts: &[&str], at_ms: i64) -> Result<Vec<Task>> {
        let (store, kept) = (&self.store(), Kept::default());
        for (client_id, text) in (1..).zip(texts) {
            let draft = Draft {
                key: MessageKey {
                    sender: UserId(sender),
                    device: DeviceKey::derive(1, &format!("by hand, in {group}")),
                    session: 1,
                    client_id,
                },
                message_type: 1,
                content: text.as_bytes().to_vec(),
            };
            wigwag_messaging::send_to_group(store, &kept, &draft, GroupId(group), at_ms).await?;
        }
        Ok(kept.take())
    }
}
