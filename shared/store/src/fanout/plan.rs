//! Plans: which seq each member's copy of a message takes.
//!
//! There is one per message and shard, put before the first copy, on the condition that there is none: whoever carries
//! the task out again, or at the same time, follows the plan that stands, so that nobody gets two copies. A member for
//! whom no seq could be reserved stands in it as [`OWED`] one, so that nobody forgets them. The seq that takes the place
//! of that, or of one that a reader sealed, is swapped in, on the condition that the plan is the one known.

use super::bulk::Bulk;
use crate::Store;
use crate::error::StoreError;
use crate::ids::{GroupId, TimelineId, UserId};
use crate::item::{Item, bytes, condition_item, corrupt, get_bytes, get_number};
use crate::schema::timelines as attr;
use crate::timeline::key;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The share of a member whose copy has no seq yet.
pub(super) const OWED: u64 = 0;

/// How often a swap is tried while those of other workers come between: more than there are workers at one message.
const SWAPS: u32 = 20;

/// Which seq each member's copy takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    shares: BTreeMap<UserId, u64>,
}

/// A seq that is to take the place of another in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Swap {
    pub(super) user: UserId,
    /// What the plan is known to say.
    pub(super) from: u64,
    /// What it is to say.
    pub(super) to: u64,
}

impl Plan {
    /// The members with their seqs, or [`OWED`].
    pub(super) fn shares(&self) -> impl Iterator<Item = (UserId, u64)> {
        self.shares.iter().map(|(&user, &seq)| (user, seq))
    }

    pub(super) fn share(&self, user: UserId) -> Option<u64> {
        self.shares.get(&user).copied()
    }

    pub(super) fn set(&mut self, user: UserId, seq: u64) {
        self.shares.insert(user, seq);
    }

    /// The plan with those of the swaps made whose share it still says.
    fn with(&self, swaps: &[Swap]) -> Self {
        let mut plan = self.clone();
        for swap in swaps {
            if self.share(swap.user) == Some(swap.from) {
                plan.set(swap.user, swap.to);
            }
        }
        plan
    }

    /// Pairs of varints, ascending by member: the distance to the member before, and the seq.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut before = 0;
        for (&user, &seq) in &self.shares {
            prost::encoding::encode_varint(user - before, &mut bytes);
            prost::encoding::encode_varint(seq, &mut bytes);
            before = user;
        }
        bytes
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut plan = Self::default();
        let mut user: UserId = 0;
        while !bytes.is_empty() {
            user = user.checked_add(prost::encoding::decode_varint(&mut bytes).ok()?)?;
            plan.set(user, prost::encoding::decode_varint(&mut bytes).ok()?);
        }
        Some(plan)
    }

    fn to_item(&self, plans: &TimelineId, conversation_seq: u64) -> Item {
        let mut item = key(plans, conversation_seq);
        item.insert(attr::SHARES.to_owned(), bytes(self.to_bytes()));
        item
    }

    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let plan = get_bytes(item, attr::SHARES).and_then(Self::from_bytes);
        plan.ok_or_else(|| corrupt("timelines", "a plan cannot be read"))
    }
}

impl FromIterator<(UserId, u64)> for Plan {
    fn from_iter<I: IntoIterator<Item = (UserId, u64)>>(shares: I) -> Self {
        let shares = shares.into_iter().collect();
        Self { shares }
    }
}

/// Where the plans for a shard stand, or with `None` those for chosen users.
pub(super) fn place(group: GroupId, shard: Option<u32>) -> TimelineId {
    match shard {
        Some(shard) => TimelineId::from_key(&format!("g{group}.{shard}")),
        None => TimelineId::from_key(&format!("g{group}.users")),
    }
}

impl Store {
    /// The plans of these messages, by conversation seq; strongly consistent.
    pub(super) async fn plans(
        &self,
        plans: &TimelineId,
        messages: &BTreeSet<u64>,
    ) -> Result<BTreeMap<u64, Plan>, StoreError> {
        let keys = messages
            .iter()
            .map(|&conversation_seq| key(plans, conversation_seq))
            .collect();
        let items = self.items(&self.timelines, keys, true).await?;
        let read = |item: &Item| {
            let message = get_number(item, attr::SEQ).ok_or_else(|| corrupt("timelines", "a plan without a seq"))?;
            Ok((message, Plan::from_item(item)?))
        };
        items.iter().map(read).collect()
    }

    /// Puts the plans of messages where there is none, in one request for each 25. They settle as they are sorted.
    pub(super) async fn put_plans(&self, plans: &TimelineId, wanted: &BTreeMap<u64, Plan>, deadline: Instant) -> Bulk {
        let insertion = |(&message, plan): (&u64, &Plan)| self.insertion(plan.to_item(plans, message));
        self.bulk(wanted.iter().map(insertion).collect(), deadline).await
    }

    /// Swaps seqs in a message's plan, in one write however many they are; but not where another worker did. Answers with
    /// the plan that then stands.
    pub(super) async fn swap_shares(
        &self,
        plans: &TimelineId,
        message: u64,
        known: &Plan,
        swaps: &[Swap],
    ) -> Result<Plan, StoreError> {
        let mut standing = known.clone();
        for _ in 0..SWAPS {
            let wanted = standing.with(swaps);
            if wanted == standing {
                return Ok(standing);
            }
            let call = self
                .db
                .update_item()
                .table_name(&self.timelines)
                .set_key(Some(key(plans, message)))
                .update_expression("SET #p = :wanted")
                .condition_expression("#p = :standing")
                .expression_attribute_names("#p", attr::SHARES)
                .expression_attribute_values(":wanted", bytes(wanted.to_bytes()))
                .expression_attribute_values(":standing", bytes(standing.to_bytes()))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let Err(error) = call.send().await else {
                return Ok(wanted);
            };
            // Also a swap whose answer was lost meets itself here.
            let there = match condition_item(error.as_service_error()) {
                Some(there) => there.as_ref().map(Plan::from_item).transpose()?,
                None => return Err(StoreError::call("UpdateItem (swap shares)")(error)),
            };
            standing = there.ok_or_else(|| corrupt("timelines", format!("a plan of {plans} is gone")))?;
        }
        Err(StoreError::Throttled {
            operation: "UpdateItem (swap shares)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::size;
    use proptest::prelude::*;

    #[test]
    fn a_seq_is_swapped_where_the_plan_says_what_is_known() {
        let plan = Plan::from_iter([(7, 1), (8, OWED), (9, 4)]);
        let swap = |user, from, to| Swap { user, from, to };
        let swapped = plan.with(&[swap(7, 1, 2), swap(8, OWED, 5), swap(9, 3, 6), swap(10, OWED, 1)]);
        assert_eq!(swapped, Plan::from_iter([(7, 2), (8, 5), (9, 4)]));
    }

    /// Ids are drawn at random from 53 bits.
    #[test]
    fn the_plan_of_a_full_shard_takes_six_write_units() {
        let shares = (1..=crate::fanout::SHARD_MEMBERS).map(|n| (n * ((1 << 53) / 500), 1_000_000));
        let item = shares.collect::<Plan>().to_item(&place(1, Some(0)), 5);
        assert!(size(&item) <= 6 * 1024, "{} bytes", size(&item));
    }

    proptest! {
        #[test]
        fn a_plan_is_read_as_it_was_written(shares in proptest::collection::btree_map(1..=u64::MAX >> 11, 0..=u64::MAX >> 11, 0..50)) {
            let plan = Plan::from_iter(shares);
            prop_assert_eq!(Plan::from_item(&plan.to_item(&place(1, None), 2)).unwrap(), plan);
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = Plan::from_bytes(&bytes);
        }
    }
}
