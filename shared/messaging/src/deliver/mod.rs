//! Delivering: a batch of a group's messages goes to the inboxes of a shard's members.
//!
//! 1. query the shard: the members that it has after the task was received get what their rows
//!    entitle them to
//! 2. reserve in each member's inbox, once for all messages of the batch
//! 3. put the delivery plan of each message; if another worker was faster, follow its plan and seal
//!    what was reserved
//! 4. put the copies, message by message; if a seq was sealed, reserve again and swap the seq in
//!    the plan
//! 5. enqueue a task for the pending copies, if there are any
//!
//! A member whose inbox refuses a write keeps nobody waiting: their copy is pending in the plan,
//! and the task is done once another task, for the pending copies alone, is in the queue. See
//! `docs/adr/0020`.

mod batch;
mod copies;
mod delivery;
mod hand_over;
mod plan;
mod pushes;
mod swaps;

pub use delivery::{Delivered, Delivery, MemberPush};

use crate::queue::TaskQueue;
use batch::Batch;
use copies::copy_batch;
use hand_over::hand_over;
use plan::plan_batch;
use pushes::batch_pushes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag_domain::GroupId;
use wigwag_domain::delivery_plan::PlanSet;
use wigwag_domain::task::Audience;
use wigwag_store::Store;

/// Time that is kept to enqueue the task for pending copies: without it nothing is done.
const HANDING_OVER: Duration = Duration::from_millis(500);

/// Puts each message of a batch, in order, into the inbox of each member who is to have it, once.
/// Stops at `deadline` with what is done by then. Pending copies are left to tasks that go to
/// `queue`.
#[tracing::instrument(name = "deliver", skip_all, fields(group.id = group.0, messages = deliveries.len()))]
pub async fn deliver(
    store: &Store,
    queue: &impl TaskQueue,
    group: GroupId,
    audience: &Audience,
    deliveries: &[Delivery],
    deadline: Instant,
    now_ms: i64,
) -> Delivered {
    let mut batch = Batch {
        group,
        audience,
        deliveries,
        plan_set: PlanSet {
            group,
            shard: audience.shard(),
        },
        deadline: deadline.checked_sub(HANDING_OVER).unwrap_or(deadline),
        end: deadline,
        now_ms,
        plans: BTreeMap::new(),
        heads: BTreeMap::new(),
        copies_stored: BTreeMap::new(),
        pending: BTreeMap::new(),
        error: None,
    };
    if let Err(error) = plan_batch(store, &mut batch).await {
        batch.fail(error);
    }
    let tried = copy_batch(store, &mut batch).await;
    let done = hand_over(store, queue, &mut batch, tried).await;
    let pushes = batch_pushes(store, &batch).await;
    let mut error = batch.error.take().filter(|_| done < deliveries.len());
    if batch.is_late()
        && let Some(error) = error.take()
    {
        tracing::warn!(%error, "this took the time that there was");
    }
    Delivered { done, error, pushes }
}
