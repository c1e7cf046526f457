//! Plans: which seq each member's copy of a message takes.
//!
//! There is one per message and shard, put before the first copy, on the condition that there is none: whoever carries
//! the task out again, or at the same time, follows the plan that stands, so that nobody gets two copies. Where a
//! reader sealed a seq of it, the seq that takes its place is written into the plan, on the condition that the one
//! known still stands.

use super::bulk::Bulk;
use crate::Store;
use crate::error::StoreError;
use crate::ids::{GroupId, TimelineId, UserId};
use crate::item::{Item, bytes, condition_item, corrupt, get_bytes, get_number, number};
use crate::schema::timelines as attr;
use crate::timeline::key;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::collections::{BTreeMap, BTreeSet};

/// Which seq each member's copy takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// As it was put.
    shares: BTreeMap<UserId, u64>,
    /// What replaces some of them.
    replaced: BTreeMap<UserId, u64>,
}

impl Plan {
    pub(super) fn of(shares: BTreeMap<UserId, u64>) -> Self {
        let replaced = BTreeMap::new();
        Self { shares, replaced }
    }

    /// The members with their seqs.
    pub(super) fn seqs(&self) -> impl Iterator<Item = (UserId, u64)> {
        self.shares.keys().filter_map(|&user| Some((user, self.seq(user)?)))
    }

    pub(super) fn seq(&self, user: UserId) -> Option<u64> {
        self.replaced.get(&user).or_else(|| self.shares.get(&user)).copied()
    }

    /// Whether it says that the member's copy takes this seq.
    pub(super) fn names(&self, user: UserId, seq: u64) -> bool {
        self.seq(user) == Some(seq)
    }

    /// Takes note of what was replaced.
    pub(super) fn replace(&mut self, user: UserId, seq: u64) {
        if !self.names(user, seq) {
            self.replaced.insert(user, seq);
        }
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

    fn from_bytes(mut bytes: &[u8]) -> Option<BTreeMap<UserId, u64>> {
        let mut shares = BTreeMap::new();
        let mut user: UserId = 0;
        while !bytes.is_empty() {
            user = user.checked_add(prost::encoding::decode_varint(&mut bytes).ok()?)?;
            shares.insert(user, prost::encoding::decode_varint(&mut bytes).ok()?);
        }
        Some(shares)
    }

    fn to_item(&self, plans: &TimelineId, conversation_seq: u64) -> Item {
        let mut item = key(plans, conversation_seq);
        item.insert(attr::SHARES.to_owned(), bytes(self.to_bytes()));
        item
    }

    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let shares = get_bytes(item, attr::SHARES).and_then(Self::from_bytes);
        let shares = shares.ok_or_else(|| corrupt("timelines", "a plan cannot be read"))?;
        let replaced = item.keys().filter_map(|name| {
            let user = name.strip_prefix(attr::REPLACED)?.parse().ok()?;
            Some((user, get_number(item, name)?))
        });
        let replaced = replaced.collect();
        Ok(Self { shares, replaced })
    }
}

/// Where the plans for a shard stand.
pub(super) fn of_shard(group: GroupId, shard: u32) -> TimelineId {
    TimelineId::from_key(&format!("g{group}.{shard}"))
}

/// Where the plans for chosen users stand.
pub(super) fn of_users(group: GroupId) -> TimelineId {
    TimelineId::from_key(&format!("g{group}.users"))
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
    pub(super) async fn put_plans(&self, plans: &TimelineId, wanted: &BTreeMap<u64, Plan>) -> Bulk {
        let insertion = |(&message, plan): (&u64, &Plan)| self.insertion(plan.to_item(plans, message));
        self.bulk(wanted.iter().map(insertion).collect()).await
    }

    /// Replaces a member's seq in the plan that stands, unless another worker did. Answers with the seq that then
    /// stands.
    pub(super) async fn replace_share(
        &self,
        plans: &TimelineId,
        message: u64,
        known: &Plan,
        user: UserId,
        again: u64,
    ) -> Result<u64, StoreError> {
        let mut call = self
            .db
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(plans, message)))
            .update_expression("SET #r = :again")
            .expression_attribute_names("#r", format!("{}{user}", attr::REPLACED))
            .expression_attribute_values(":again", number(again))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        call = match known.replaced.get(&user) {
            Some(&known) => call
                .condition_expression("#r = :known")
                .expression_attribute_values(":known", number(known)),
            None => call
                .condition_expression("attribute_exists(#p) AND attribute_not_exists(#r)")
                .expression_attribute_names("#p", attr::SHARES),
        };
        match call.send().await {
            Ok(_) => Ok(again),
            Err(error) => match condition_item(error.as_service_error()) {
                Some(there) => {
                    let plan = there.as_ref().map(Plan::from_item).transpose()?;
                    let stands = plan.and_then(|plan| plan.seq(user));
                    stands.ok_or_else(|| corrupt("timelines", format!("a plan of {plans} is gone")))
                }
                None => Err(StoreError::call("UpdateItem (replace a share)")(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::size;
    use proptest::prelude::*;

    #[test]
    fn a_replaced_seq_takes_the_place_of_the_first() {
        let mut item = Plan::of(BTreeMap::from([(7, 1), (9, 4)])).to_item(&of_shard(1, 0), 5);
        item.insert(format!("{}9", attr::REPLACED), number(6));
        let plan = Plan::from_item(&item).unwrap();
        assert_eq!(plan.seqs().collect::<Vec<_>>(), [(7, 1), (9, 6)]);
        assert_eq!(plan.seq(8), None);
    }

    /// Ids are drawn at random from 53 bits.
    #[test]
    fn the_plan_of_a_full_shard_takes_six_write_units() {
        let shares = (1..=crate::fanout::SHARD_MEMBERS).map(|n| (n * ((1 << 53) / 500), 1_000_000));
        let item = Plan::of(shares.collect()).to_item(&of_shard(1, 0), 5);
        assert!(size(&item) <= 6 * 1024, "{} bytes", size(&item));
    }

    proptest! {
        #[test]
        fn a_plan_is_read_as_it_was_written(shares in proptest::collection::btree_map(1..=u64::MAX >> 11, 1..=u64::MAX >> 11, 0..50)) {
            let plan = Plan::of(shares);
            prop_assert_eq!(Plan::from_item(&plan.to_item(&of_users(1), 2)).unwrap(), plan);
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = Plan::from_bytes(&bytes);
        }
    }
}
