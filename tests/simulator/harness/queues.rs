//! Task queues for tests: one that keeps what it gets, and others that fail.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use wigwag_domain::task::Task;
use wigwag_messaging::TaskQueue;
use wigwag_messaging::finish_change::Finished;
use wigwag_store::{Store, StoreError};

/// A queue that keeps every task it gets, in order, repeats included. Tasks that finish changes are
/// kept apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collected {
    deliveries: Arc<Mutex<Vec<Task>>>,
    finishes: Arc<Mutex<Vec<Task>>>,
}

impl Collected {
    /// The tasks since the last time, without those that finish changes.
    pub(crate) fn take(&self) -> Vec<Task> {
        std::mem::take(&mut self.deliveries.lock().unwrap())
    }

    /// The tasks since the last time that finish changes.
    pub(crate) fn take_finishes(&self) -> Vec<Task> {
        std::mem::take(&mut self.finishes.lock().unwrap())
    }

    /// Carries out the tasks that finish changes, and keeps those that came too early.
    pub(crate) async fn finish(&self, store: &Store, now_ms: i64) {
        for task in self.take_finishes() {
            let Task::Finish { group, version, at_ms } = task else {
                panic!("{task:?}")
            };
            let finished = wigwag_messaging::finish_left_change(store, self, group, version, at_ms, now_ms).await;
            if finished.unwrap() != Finished::Yes {
                self.finishes.lock().unwrap().push(task);
            }
        }
    }
}

impl TaskQueue for Collected {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        let is_finish = |task: &&Task| matches!(task, Task::Finish { .. });
        let (finishes, deliveries): (Vec<&Task>, Vec<&Task>) = tasks.iter().partition(is_finish);
        self.finishes.lock().unwrap().extend(finishes.into_iter().cloned());
        self.deliveries.lock().unwrap().extend(deliveries.into_iter().cloned());
        Ok(())
    }
}

/// A queue that cannot be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutOfReach;

impl TaskQueue for OutOfReach {
    async fn enqueue(&self, _: &[Task]) -> Result<(), StoreError> {
        Err(StoreError::Failed {
            operation: "SendMessageBatch",
            source: "nobody answers".into(),
        })
    }
}

/// A queue that fails every `every`th time, alternately before and after it took the tasks. With 0
/// it never fails.
#[derive(Debug, Clone)]
pub(crate) struct Flaky {
    pub(crate) queue: Collected,
    calls: Arc<AtomicU32>,
    pub(crate) every: u32,
}

impl Flaky {
    pub(crate) fn new(queue: Collected, every: u32) -> Self {
        Self {
            queue,
            calls: Arc::default(),
            every,
        }
    }
}

impl TaskQueue for Flaky {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let fails = self.every > 0 && call % self.every == self.every - 1;
        if !fails || call.is_multiple_of(2) {
            self.queue.enqueue(tasks).await?;
        }
        if fails {
            return Err(StoreError::Throttled {
                operation: "SendMessageBatch",
            });
        }
        Ok(())
    }
}
