//! The state of a batch while it is delivered.

use super::delivery::Delivery;
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use wigwag_domain::delivery_plan::{DeliveryPlan, PlanSet};
use wigwag_domain::groups::membership::MembershipInterval;
use wigwag_domain::head::InboxHead;
use wigwag_domain::task::{Audience, Task};
use wigwag_domain::timeline::{Content, Entry, INLINE_BYTES};
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_store::{StoreError, left};

/// A batch that is being delivered.
pub(super) struct Batch<'a> {
    pub(super) group: GroupId,
    pub(super) audience: &'a Audience,
    pub(super) deliveries: &'a [Delivery],
    /// Its delivery plans in the table.
    pub(super) plan_set: PlanSet,
    /// When the last copy must have been put.
    pub(super) deadline: Instant,
    /// When everything must have ended.
    pub(super) end: Instant,
    pub(super) now_ms: i64,
    /// The delivery plans, by conversation seq.
    pub(super) plans: BTreeMap<u64, DeliveryPlan>,
    /// The heads of members for whom something was reserved.
    pub(super) heads: BTreeMap<UserId, InboxHead>,
    /// The copies that are stored, by conversation seq: member and inbox seq.
    pub(super) copies_stored: BTreeMap<u64, BTreeMap<UserId, u64>>,
    /// The members with a pending copy, by conversation seq.
    pub(super) pending: BTreeMap<u64, BTreeSet<UserId>>,
    /// The first reason for a pending copy.
    pub(super) error: Option<StoreError>,
}

/// A copy to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemberCopy {
    pub(super) user: UserId,
    pub(super) message: u64,
    /// Its seq in the member's inbox; [`PENDING`](wigwag_domain::delivery_plan::PENDING): it has
    /// none yet.
    pub(super) seq: u64,
}

impl Batch<'_> {
    pub(super) fn is_late(&self) -> bool {
        left(self.deadline).is_zero()
    }

    pub(super) fn is_planned(&self) -> bool {
        let mut messages = self.deliveries.iter().map(Delivery::conversation_seq);
        messages.all(|message| self.plans.contains_key(&message))
    }

    /// The index of a message in the batch; of a repeat, that of the first.
    pub(super) fn index_of(&self, message: u64) -> usize {
        let same = |delivery: &Delivery| delivery.conversation_seq() == message;
        self.deliveries.iter().position(same).unwrap_or(self.deliveries.len())
    }

    pub(super) fn delivery(&self, message: u64) -> &Delivery {
        &self.deliveries[self.index_of(message)]
    }

    /// Records the reason, unless there is one already.
    pub(super) fn fail(&mut self, error: StoreError) {
        self.error.get_or_insert(error);
    }

    pub(super) fn stored(&mut self, copy: MemberCopy) {
        self.copies_stored
            .entry(copy.message)
            .or_default()
            .insert(copy.user, copy.seq);
    }

    pub(super) fn leave_pending(&mut self, copies: &[MemberCopy]) {
        for copy in copies {
            self.pending.entry(copy.message).or_default().insert(copy.user);
        }
    }

    /// The task for the pending copies of a message; `None` if the task at hand is already that.
    pub(super) fn task_for(&self, delivery: &Delivery, pending: &BTreeSet<UserId>) -> Option<Task> {
        match self.audience {
            Audience::Pending { users, .. } if users.len() <= pending.len() => None,
            audience => Some(Task::Deliver {
                group: self.group,
                audience: Audience::Pending {
                    shard: audience.shard(),
                    users: pending.iter().copied().collect(),
                },
                logged: delivery.logged.clone(),
                skip: delivery.skip,
            }),
        }
    }

    /// The messages without a plan that each member is to have, in the order of the batch.
    pub(super) fn wanted(&self, intervals: &[(UserId, MembershipInterval)]) -> BTreeMap<UserId, Vec<u64>> {
        let mut wanted: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
        for delivery in self.deliveries {
            let message = delivery.conversation_seq();
            if self.plans.contains_key(&message) {
                continue;
            }
            for &(user, interval) in intervals {
                let is_entitled = interval.covers(message);
                if is_entitled && delivery.skip != Some(user) {
                    let messages = wanted.entry(user).or_default();
                    if !messages.contains(&message) {
                        messages.push(message);
                    }
                }
            }
        }
        wanted
    }

    /// The copies of the first messages, as far as they have plans, without those that are pending
    /// already; and how many messages that is.
    pub(super) fn copies(&self) -> (Vec<MemberCopy>, usize) {
        let is_for = |user: UserId| match self.audience {
            Audience::Pending { users, .. } => users.contains(&user),
            Audience::Shard(_) | Audience::Users(_) => true,
        };
        let mut copies = Vec::new();
        for (index, delivery) in self.deliveries.iter().enumerate() {
            let message = delivery.conversation_seq();
            let Some(plan) = self.plans.get(&message) else {
                return (copies, index);
            };
            if self.index_of(message) < index {
                continue;
            }
            let pending = self.pending.get(&message);
            let shares = plan.shares().filter(|&(user, _)| is_for(user));
            let shares = shares.filter(|(user, _)| pending.is_none_or(|pending| !pending.contains(user)));
            copies.extend(shares.map(|(user, seq)| MemberCopy { user, message, seq }));
        }
        (copies, self.deliveries.len())
    }

    /// The entry to put. The worker's own time is used for that of the reservation, which was no
    /// later.
    pub(super) fn entry(&self, message: u64) -> Entry {
        let logged = &self.delivery(message).logged;
        let encoded = logged.message.encode_to_vec();
        let content = if encoded.len() > INLINE_BYTES {
            Content::Reference {
                log: TimelineId::group(self.group),
                seq: message,
                bytes: encoded.len(),
            }
        } else {
            Content::Inline(encoded)
        };
        Entry {
            key: logged.key.clone(),
            reserved_at_ms: self.now_ms,
            content,
        }
    }
}

/// How many seqs each member needs.
pub(super) fn counts(wanted: &BTreeMap<UserId, Vec<u64>>) -> Vec<(UserId, u64)> {
    let counts = wanted.iter().map(|(&user, messages)| (user, messages.len() as u64));
    counts.collect()
}

/// The seqs that were taken, by message: for each member the last ones up to the seq of their head.
pub(super) fn shares(
    wanted: &BTreeMap<UserId, Vec<u64>>,
    heads: &BTreeMap<UserId, InboxHead>,
) -> BTreeMap<u64, DeliveryPlan> {
    let mut shares: BTreeMap<u64, DeliveryPlan> = BTreeMap::new();
    for (user, messages) in wanted {
        let Some(head) = heads.get(user) else { continue };
        for (seq, &message) in (1..=head.seq).rev().zip(messages.iter().rev()) {
            shares.entry(message).or_default().set(*user, seq);
        }
    }
    shares
}
