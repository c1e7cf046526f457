//! Finishing a change of a group whose function died.

use crate::carry_out::carry_out;
use crate::queue::TaskQueue;
use wigwag_domain::GroupId;
use wigwag_domain::groups::until_left;
use wigwag_store::{Store, StoreError, groups};

/// How finishing a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It is finished, or was never begun.
    Yes,
    /// Its function may still be at work on it. To be asked again at this time, in ms.
    NotBefore(i64),
}

/// Finishes the unfinished change of a group, if there is one. Costs as much as the rest of the
/// change.
#[tracing::instrument(name = "finish_change", skip_all, fields(group.id = group.0))]
pub async fn finish_change(
    store: &Store,
    queue: &impl TaskQueue,
    group: GroupId,
    now_ms: i64,
) -> Result<(), StoreError> {
    match groups::record(store, group).await? {
        Some(record) => carry_out(store, queue, group, &record, None, now_ms).await,
        None => Ok(()),
    }
}

/// Finishes a change that was to begin at `at_ms`, unless its function may still be at work on it:
/// this carries out [`Finish`](wigwag_domain::task::Task::Finish). One read unit, and the cost of the rest of the change.
#[tracing::instrument(name = "finish_left_change", skip_all, fields(group.id = group.0, version))]
pub async fn finish_left_change(
    store: &Store,
    queue: &impl TaskQueue,
    group: GroupId,
    version: u64,
    at_ms: i64,
    now_ms: i64,
) -> Result<Finished, StoreError> {
    let record = groups::record(store, group).await?;
    let record = record.filter(|record| record.version >= version);
    let until_ms = match &record {
        // Not begun, or not yet.
        None => until_left(at_ms),
        Some(record) => match &record.change {
            Some(change) if record.version == version => until_left(change.at_ms),
            _ => return Ok(Finished::Yes),
        },
    };
    if now_ms <= until_ms {
        return Ok(Finished::NotBefore(until_ms + 1));
    }
    if let Some(record) = record {
        carry_out(store, queue, group, &record, None, now_ms).await?;
    }
    Ok(Finished::Yes)
}
