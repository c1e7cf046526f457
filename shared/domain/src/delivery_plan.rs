//! Delivery plans: which seq each member's copy of a message takes.

use crate::ids::{GroupId, UserId};
use std::collections::BTreeMap;
use std::fmt;

/// The seq of a member whose copy has none yet: the copy is pending.
pub const PENDING: u64 = 0;

/// The delivery plans of one shard of a group, or those of chosen users: one for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanSet {
    /// The group.
    pub group: GroupId,
    /// The shard; `None` for chosen users.
    pub shard: Option<u32>,
}

impl fmt::Display for PlanSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard {
            Some(shard) => write!(f, "shard {shard} of group {}", self.group),
            None => write!(f, "chosen users of group {}", self.group),
        }
    }
}

/// Which seq each member's copy takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryPlan {
    shares: BTreeMap<UserId, u64>,
}

/// A seq that is to replace another one in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSwap {
    /// Whose copy it is about.
    pub user: UserId,
    /// The seq that the plan is known to have.
    pub from: u64,
    /// The seq that it is to have.
    pub to: u64,
}

impl DeliveryPlan {
    /// The members with their seqs, or [`PENDING`].
    pub fn shares(&self) -> impl Iterator<Item = (UserId, u64)> {
        self.shares.iter().map(|(&user, &seq)| (user, seq))
    }

    /// The seq of a member's copy.
    pub fn share(&self, user: UserId) -> Option<u64> {
        self.shares.get(&user).copied()
    }

    /// Sets the seq of a member's copy.
    pub fn set(&mut self, user: UserId, seq: u64) {
        self.shares.insert(user, seq);
    }

    /// The plan after these swaps. A swap is left out if the plan no longer has the seq that it is
    /// to replace.
    #[must_use]
    pub fn with(&self, swaps: &[PlanSwap]) -> Self {
        let mut plan = self.clone();
        for swap in swaps {
            if self.share(swap.user) == Some(swap.from) {
                plan.set(swap.user, swap.to);
            }
        }
        plan
    }

    /// The plan as it is stored: pairs of varints, ascending by member: the distance from the
    /// member before, and the seq.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut before = 0;
        for (&user, &seq) in &self.shares {
            prost::encoding::encode_varint(user.0 - before, &mut bytes);
            prost::encoding::encode_varint(seq, &mut bytes);
            before = user.0;
        }
        bytes
    }

    /// Reads them; `None` if they are not a plan.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut plan = Self::default();
        let mut user = 0_u64;
        while !bytes.is_empty() {
            user = user.checked_add(prost::encoding::decode_varint(&mut bytes).ok()?)?;
            plan.set(UserId(user), prost::encoding::decode_varint(&mut bytes).ok()?);
        }
        Some(plan)
    }
}

impl FromIterator<(UserId, u64)> for DeliveryPlan {
    fn from_iter<I: IntoIterator<Item = (UserId, u64)>>(shares: I) -> Self {
        let shares = shares.into_iter().collect();
        Self { shares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_seq_is_swapped_if_the_plan_still_says_what_is_known() {
        let plan = DeliveryPlan::from_iter([(UserId(7), 1), (UserId(8), PENDING), (UserId(9), 4)]);
        let swap = |user, from, to| PlanSwap {
            user: UserId(user),
            from,
            to,
        };
        let swapped = plan.with(&[swap(7, 1, 2), swap(8, PENDING, 5), swap(9, 3, 6), swap(10, PENDING, 1)]);
        assert_eq!(
            swapped,
            DeliveryPlan::from_iter([(UserId(7), 2), (UserId(8), 5), (UserId(9), 4)])
        );
    }

    /// Ids are drawn at random from 53 bits.
    #[test]
    fn the_plan_of_a_full_shard_takes_six_write_units() {
        let shares = (1..=crate::task::SHARD_MEMBERS).map(|n| (UserId(n * ((1 << 53) / 500)), 1_000_000));
        let bytes = shares.collect::<DeliveryPlan>().to_bytes().len();
        assert!(bytes + 100 <= 6 * 1024, "{bytes} bytes, and its key");
    }

    proptest! {
        #[test]
        fn a_plan_is_read_as_it_was_written(shares in proptest::collection::btree_map(1..=u64::MAX >> 11, 0..=u64::MAX >> 11, 0..50)) {
            let plan: DeliveryPlan = shares.into_iter().map(|(user, seq)| (UserId(user), seq)).collect();
            prop_assert_eq!(DeliveryPlan::from_bytes(&plan.to_bytes()), Some(plan));
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = DeliveryPlan::from_bytes(&bytes);
        }
    }
}
