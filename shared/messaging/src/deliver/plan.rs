//! Steps 1 to 3: the members who are to get copies, their seqs, and the delivery plan of each
//! message.

use super::batch::{Batch, counts, shares};
use super::delivery::Delivery;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wigwag_domain::delivery_plan::{DeliveryPlan, PENDING};
use wigwag_domain::groups::membership::MembershipInterval;
use wigwag_domain::task::Audience;
use wigwag_domain::{GroupId, UserId};
use wigwag_store::batch::StatementEnd;
use wigwag_store::{Store, StoreError, corrupt, delivery_plans, groups, inboxes, left};

/// Time that is kept to put the copies: members wait for the seqs that were reserved.
const PUTTING: Duration = Duration::from_secs(1);

/// Steps 1 to 3: a delivery plan for each message, or an error. A message that has no plan then was
/// delivered to nobody.
pub(super) async fn plan_batch(store: &Store, batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let is_pending = matches!(batch.audience, Audience::Pending { .. });
    let begun = batch
        .deliveries
        .iter()
        .filter(|delivery| is_pending || delivery.redelivered);
    let begun: BTreeSet<u64> = begun.map(Delivery::conversation_seq).collect();
    let plans = delivery_plans::read(store, &batch.plan_set, &begun);
    batch.plans = store.by(batch.deadline, "BatchGetItem (plans)", plans).await?;
    if is_pending && batch.plans.len() < begun.len() {
        return Err(corrupt("timelines", format!("a plan of {} is gone", batch.plan_set)));
    }
    if batch.is_planned() || batch.is_late() {
        return Ok(());
    }
    let intervals = audience_intervals(store, batch.group, batch.audience);
    let intervals = store.by(batch.deadline, "Query (shard)", intervals).await?;
    let Some(reserving) = batch.deadline.checked_sub(PUTTING).filter(|&by| !left(by).is_zero()) else {
        return Ok(());
    };
    let wanted = batch.wanted(&intervals);
    let taken = inboxes::reserve_many(store, &counts(&wanted), reserving, batch.now_ms).await;
    let mut mine = shares(&wanted, &taken.heads);
    for user in &taken.failed {
        for &message in &wanted[user] {
            mine.entry(message).or_default().set(*user, PENDING);
        }
    }
    batch.heads.extend(taken.heads);
    let without = batch.deliveries.iter().map(Delivery::conversation_seq);
    let without: Vec<u64> = without.filter(|message| !mine.contains_key(message)).collect();
    let put = delivery_plans::put(store, &batch.plan_set, &mine, batch.deadline).await;
    let (mut won, mut lost) = (BTreeMap::new(), BTreeMap::new());
    for ((message, plan), settled) in mine.into_iter().zip(put.settled) {
        match settled {
            Some(StatementEnd::Done(_)) => drop(won.insert(message, plan)),
            Some(StatementEnd::Exists | StatementEnd::Missing) => drop(lost.insert(message, plan)),
            // The plan may have been put, and then it names these seqs: the next worker finds out.
            None => {}
        }
    }
    for (&message, plan) in &won {
        // These were tried just now.
        let pending = plan.shares().filter(|&(_, seq)| seq == PENDING).map(|(user, _)| user);
        batch.pending.entry(message).or_default().extend(pending);
    }
    batch.plans.extend(won);
    for message in without {
        // No member is to have it.
        batch.plans.entry(message).or_default();
    }
    if let Some(error) = taken.error {
        batch.fail(error);
    }
    follow_plans(store, batch, lost).await?;
    put.error.map_or(Ok(()), Err)
}

/// Follows the plans of other workers, and seals the seqs that were reserved in vain. A plan whose
/// put lost its answer is found here too.
async fn follow_plans(
    store: &Store,
    batch: &mut Batch<'_>,
    lost: BTreeMap<u64, DeliveryPlan>,
) -> Result<(), StoreError> {
    if lost.is_empty() {
        return Ok(());
    }
    let lost_messages = lost.keys().copied().collect();
    let stored = delivery_plans::read(store, &batch.plan_set, &lost_messages);
    let stored = store.by(batch.deadline, "BatchGetItem (plans)", stored).await?;
    let in_vain = lost.iter().flat_map(|(message, plan)| {
        let stored = stored.get(message);
        let is_in_vain = move |&(user, seq): &(UserId, u64)| {
            seq != PENDING && stored.and_then(|stored| stored.share(user)) != Some(seq)
        };
        plan.shares().filter(is_in_vain)
    });
    inboxes::give_up_many(store, in_vain.collect(), batch.deadline, batch.now_ms).await;
    if stored.len() < lost.len() {
        return Err(corrupt("timelines", format!("a plan of {} is gone", batch.plan_set)));
    }
    batch.plans.extend(stored);
    Ok(())
}

/// The intervals of the members who may get copies.
async fn audience_intervals(
    store: &Store,
    group: GroupId,
    audience: &Audience,
) -> Result<Vec<(UserId, MembershipInterval)>, StoreError> {
    match audience {
        Audience::Shard(shard) => {
            let members = groups::shard(store, group, *shard).await?;
            Ok(members
                .into_iter()
                .map(|member| (member.user, member.interval))
                .collect())
        }
        Audience::Users(users) | Audience::Pending { users, .. } => {
            let always = MembershipInterval {
                joined_after: 0,
                left: None,
            };
            Ok(users.iter().map(|&user| (user, always)).collect())
        }
    }
}
