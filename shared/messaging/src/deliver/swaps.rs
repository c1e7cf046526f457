//! Other seqs for copies whose seq was sealed, or that had none yet.

use super::batch::{Batch, MemberCopy, counts, shares};
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeMap;
use wigwag_domain::UserId;
use wigwag_domain::delivery_plan::{DeliveryPlan, PlanSwap};
use wigwag_store::batch::AT_ONCE;
use wigwag_store::{Store, StoreError, delivery_plans, inboxes};

/// Gives copies other seqs, which all workers agree on. Answers with the copies that have one now.
pub(super) async fn swap_copies(store: &Store, batch: &mut Batch<'_>, sealed: Vec<MemberCopy>) -> Vec<MemberCopy> {
    if sealed.is_empty() {
        return sealed;
    }
    let mut wanted: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
    for copy in &sealed {
        wanted.entry(copy.user).or_default().push(copy.message);
    }
    let taken = inboxes::reserve_many(store, &counts(&wanted), batch.deadline, batch.now_ms).await;
    if let Some(error) = taken.error {
        batch.fail(error);
    }
    let again = shares(&wanted, &taken.heads);
    let mut swaps: BTreeMap<u64, Vec<PlanSwap>> = BTreeMap::new();
    for copy in sealed {
        let share = again.get(&copy.message).and_then(|plan| plan.share(copy.user));
        if let Some(to) = share {
            let (user, from) = (copy.user, copy.seq);
            swaps.entry(copy.message).or_default().push(PlanSwap { user, from, to });
        } else if taken.failed.contains(&copy.user) {
            batch.leave_pending(&[copy]);
        }
    }
    let swapped = swap_in_plans(store, batch, &swaps).await;
    let (mut copies, mut unused) = (Vec::new(), Vec::new());
    for ((message, swaps), agreed) in swaps.into_iter().zip(swapped) {
        let copy = |user, seq| MemberCopy { user, message, seq };
        let agreed = match agreed {
            Ok(agreed) => agreed,
            // They may be swapped, and then the plan names these seqs.
            Err(error) => {
                let pending: Vec<MemberCopy> = swaps.iter().map(|swap| copy(swap.user, swap.to)).collect();
                batch.leave_pending(&pending);
                batch.fail(error);
                continue;
            }
        };
        for swap in swaps {
            let seq = agreed.share(swap.user).unwrap_or(swap.to);
            if seq != swap.to {
                unused.push((swap.user, swap.to));
            }
            copies.push(copy(swap.user, seq));
        }
        batch.plans.insert(message, agreed);
    }
    inboxes::give_up_many(store, unused, batch.deadline, batch.now_ms).await;
    batch.heads.extend(taken.heads);
    copies
}

/// Swaps the seqs of each message in its plan. Answers with the plans that hold then, in the order
/// of the messages.
async fn swap_in_plans(
    store: &Store,
    batch: &Batch<'_>,
    swaps: &BTreeMap<u64, Vec<PlanSwap>>,
) -> Vec<Result<DeliveryPlan, StoreError>> {
    let swapping = swaps.iter().map(|(&message, swaps)| {
        let swapped = delivery_plans::swap(store, &batch.plan_set, message, &batch.plans[&message], swaps);
        store.by(batch.deadline, "UpdateItem (swap shares)", swapped)
    });
    stream::iter(swapping.collect::<Vec<_>>())
        .buffered(AT_ONCE)
        .collect()
        .await
}
