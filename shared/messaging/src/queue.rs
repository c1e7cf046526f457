//! The queue that tasks go to.

use wigwag_domain::task::Task;
use wigwag_store::StoreError;

/// The FIFO queue that tasks go to.
pub trait TaskQueue: Sync {
    /// Enqueues all of them, or fails. After a failure any of them may be in the queue: the caller
    /// enqueues them again, or reports the failure.
    fn enqueue(&self, tasks: &[Task]) -> impl Future<Output = Result<(), StoreError>> + Send;
}
