//! Delivery plans in the timelines table: one per message and shard.

use crate::Store;
use crate::batch::{self, Bulk};
use crate::error::StoreError;
use crate::item::{Item, bytes, corrupt, get_bytes, get_number, unmet};
use crate::read_many::read_many;
use crate::schema::timelines::{self as attr, plan_key};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use wigwag_domain::delivery_plan::{DeliveryPlan, PlanSet, PlanSwap};

/// How often a swap is tried if those of other workers interfere: more often than there are workers
/// at one message.
const SWAPS: u32 = 20;

/// The plans of these messages, by conversation seq; strongly consistent.
pub async fn read(
    store: &Store,
    plans: &PlanSet,
    messages: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, DeliveryPlan>, StoreError> {
    let keys = messages
        .iter()
        .map(|&conversation_seq| plan_key(plans, conversation_seq))
        .collect();
    let items = read_many(store, &store.timelines, keys, true).await?;
    let read = |item: &Item| {
        let message = get_number(item, attr::SEQ).ok_or_else(|| corrupt("timelines", "a plan without a seq"))?;
        Ok((message, plan_from_item(item)?))
    };
    items.iter().map(read).collect()
}

/// Puts plans, each unless there is one already; one request for each 25. The ends are in the order
/// of the map.
pub async fn put(store: &Store, plans: &PlanSet, wanted: &BTreeMap<u64, DeliveryPlan>, deadline: Instant) -> Bulk {
    let insertion = |(&message, plan): (&u64, &DeliveryPlan)| batch::insertion(store, plan_item(plans, message, plan));
    batch::run(store, wanted.iter().map(insertion).collect(), deadline).await
}

/// Swaps seqs in a message's plan, in one write. A seq that another worker swapped is left. Answers
/// with the plan that holds then.
pub async fn swap(
    store: &Store,
    plans: &PlanSet,
    message: u64,
    known: &DeliveryPlan,
    swaps: &[PlanSwap],
) -> Result<DeliveryPlan, StoreError> {
    let mut current = known.clone();
    for _ in 0..SWAPS {
        let wanted = current.with(swaps);
        if wanted == current {
            return Ok(current);
        }
        let call = store
            .db
            .update_item()
            .table_name(&store.timelines)
            .set_key(Some(plan_key(plans, message)))
            .update_expression("SET #p = :wanted")
            .condition_expression("#p = :current")
            .expression_attribute_names("#p", attr::SHARES)
            .expression_attribute_values(":wanted", bytes(wanted.to_bytes()))
            .expression_attribute_values(":current", bytes(current.to_bytes()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = call.send().await else {
            return Ok(wanted);
        };
        // A swap whose answer was lost also gets here.
        let there = match unmet(error.as_service_error()) {
            Some(there) => there.item().as_ref().map(plan_from_item).transpose()?,
            None => return Err(StoreError::call("UpdateItem (swap shares)")(error)),
        };
        current = there.ok_or_else(|| corrupt("timelines", format!("a plan of {plans} is gone")))?;
    }
    Err(StoreError::Throttled {
        operation: "UpdateItem (swap shares)",
    })
}

fn plan_item(plans: &PlanSet, conversation_seq: u64, plan: &DeliveryPlan) -> Item {
    let mut item = plan_key(plans, conversation_seq);
    item.insert(attr::SHARES.to_owned(), bytes(plan.to_bytes()));
    item
}

fn plan_from_item(item: &Item) -> Result<DeliveryPlan, StoreError> {
    let plan = get_bytes(item, attr::SHARES).and_then(DeliveryPlan::from_bytes);
    plan.ok_or_else(|| corrupt("timelines", "a plan cannot be read"))
}
