//! Step 5: pending copies are left to a task of their own.

use super::batch::Batch;
use crate::queue::TaskQueue;
use std::collections::BTreeSet;
use wigwag_store::Store;

/// Step 5, for the first `tried` messages. Answers with how many are done: the others are to come
/// again.
pub(super) async fn hand_over(store: &Store, queue: &impl TaskQueue, batch: &mut Batch<'_>, tried: usize) -> usize {
    let (mut tasks, mut first, mut done) = (Vec::new(), None, tried);
    for (index, delivery) in batch.deliveries[..tried].iter().enumerate() {
        let Some(pending) = batch.pending.get(&delivery.conversation_seq()) else {
            continue;
        };
        if pending.is_empty() || batch.index_of(delivery.conversation_seq()) < index {
            continue;
        }
        let Some(task) = batch.task_for(delivery, pending) else {
            done = index;
            break;
        };
        first.get_or_insert(index);
        tasks.push(task);
    }
    let Some(first) = first else { return done };
    let enqueued = queue.enqueue(&tasks);
    if let Err(error) = store.by(batch.end, "SendMessageBatch", enqueued).await {
        batch.error = Some(error);
        return first;
    }
    let pending: usize = batch.pending.values().map(BTreeSet::len).sum();
    let error = batch.error.as_ref().map(tracing::field::display);
    tracing::warn!(
        pending,
        error,
        "copies that could not be put are left to a task of their own"
    );
    done
}
