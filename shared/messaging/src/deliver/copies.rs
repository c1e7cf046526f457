//! Step 4: the copies, each at the seq that its delivery plan names.

use super::batch::{Batch, MemberCopy};
use super::swaps::swap_copies;
use wigwag_domain::TimelineId;
use wigwag_domain::delivery_plan::PENDING;
use wigwag_domain::task::Audience;
use wigwag_domain::timeline::Row;
use wigwag_store::batch::{AT_ONCE, PER_REQUEST, StatementEnd};
use wigwag_store::{Store, StoreError, corrupt, inboxes, timelines};

/// Copies that are put before the clock is looked at again.
const COPIES_AT_ONCE: usize = PER_REQUEST * AT_ONCE;

/// How often copies are given other seqs because theirs were sealed: more often than readers seal
/// by chance.
const REPLACEMENTS: u32 = 10;

/// Step 4. Answers with the number of messages for which all copies were tried. A copy that was cut
/// off because time ran out counts as not tried: its member refused nothing.
pub(super) async fn copy_batch(store: &Store, batch: &mut Batch<'_>) -> usize {
    let (copies, planned) = batch.copies();
    for (slice, some) in copies.chunks(COPIES_AT_ONCE).enumerate() {
        if batch.is_late() {
            let next = copies[slice * COPIES_AT_ONCE];
            return batch.index_of(next.message);
        }
        put_copies(store, batch, some.to_vec()).await;
        let is_pending = |copy: &&MemberCopy| {
            batch
                .pending
                .get(&copy.message)
                .is_some_and(|pending| pending.contains(&copy.user))
        };
        if batch.is_late()
            && let Some(cut) = some.iter().find(is_pending)
        {
            return batch.index_of(cut.message);
        }
    }
    planned
}

/// Puts copies until each is stored or left pending. A copy that an earlier worker left pending is
/// left to a task of its own again: that task may not exist yet, and its member must not take the
/// time of the others.
async fn put_copies(store: &Store, batch: &mut Batch<'_>, copies: Vec<MemberCopy>) {
    let (without_seq, mut copies): (Vec<_>, Vec<_>) = copies.into_iter().partition(|copy| copy.seq == PENDING);
    let mut to_place = Vec::new();
    if matches!(batch.audience, Audience::Pending { .. }) {
        to_place = without_seq;
    } else {
        batch.leave_pending(&without_seq);
    }
    for _ in 0..REPLACEMENTS {
        let mut sealed = put_as_planned(store, batch, copies).await;
        sealed.append(&mut to_place);
        copies = swap_copies(store, batch, sealed).await;
        if copies.is_empty() {
            return;
        }
    }
    batch.leave_pending(&copies);
    batch.fail(StoreError::Throttled {
        operation: "BatchExecuteStatement (every seq was sealed)",
    });
}

/// Puts copies at their seqs. Answers with those whose seq was sealed.
async fn put_as_planned(store: &Store, batch: &mut Batch<'_>, copies: Vec<MemberCopy>) -> Vec<MemberCopy> {
    let entries = copies
        .iter()
        .map(|copy| (copy.user, copy.seq, batch.entry(copy.message)));
    let bulk = inboxes::put_entries(store, entries, batch.deadline).await;
    if let Some(error) = bulk.error {
        batch.fail(error);
    }
    let mut occupied = Vec::new();
    for (copy, end) in copies.into_iter().zip(bulk.settled) {
        match end {
            Some(StatementEnd::Done(_)) => batch.stored(copy),
            Some(StatementEnd::Exists | StatementEnd::Missing) => occupied.push(copy),
            None => batch.leave_pending(&[copy]),
        }
    }
    sealed_copies(store, batch, occupied).await
}

/// The copies whose seq is sealed, among those whose seq is occupied. The others are there already.
async fn sealed_copies(store: &Store, batch: &mut Batch<'_>, occupied: Vec<MemberCopy>) -> Vec<MemberCopy> {
    if occupied.is_empty() {
        return occupied;
    }
    let wanted = occupied.iter().map(|copy| (TimelineId::inbox(copy.user), copy.seq));
    let rows = timelines::rows_at(store, wanted);
    let mut rows = match store.by(batch.deadline, "BatchGetItem (copies)", rows).await {
        Ok(rows) => rows,
        Err(error) => {
            batch.leave_pending(&occupied);
            batch.fail(error);
            return Vec::new();
        }
    };
    let mut sealed = Vec::new();
    for copy in occupied {
        let inbox = TimelineId::inbox(copy.user);
        match rows.remove(&(inbox, copy.seq)).transpose() {
            Ok(Some(Row::Seal { .. })) => sealed.push(copy),
            Ok(Some(Row::Entry(entry))) if entry.key == batch.delivery(copy.message).logged.key => {
                batch.stored(copy);
            }
            Ok(_) => {
                batch.leave_pending(&[copy]);
                batch.fail(corrupt("timelines", format!("two writers at {inbox} {}", copy.seq)));
            }
            Err(error) => {
                batch.leave_pending(&[copy]);
                batch.fail(error);
            }
        }
    }
    sealed
}
