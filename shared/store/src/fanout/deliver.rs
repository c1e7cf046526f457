//! Delivering: a batch of a group's messages to the inboxes of a shard's members.
//!
//! 1. query the shard: whoever is found in it after the task was received is entitled to what their row covers
//! 2. reserve in each member's inbox, once for all messages of the batch
//! 3. put the plan of each message; follow the one that stands where another worker was faster, and seal what was
//!    reserved
//! 4. put the copies, message by message; where a seal stands, reserve again and swap the seq in the plan
//! 5. enqueue a task for the members who could not be given theirs, if there are any, for them alone
//!
//! For a full shard and one message that is a query, 20 requests for reservations, one for the plan, 20 for the copies.
//! A plan is looked for before that only where the queue says that the task was handed out before: else its put finds
//! out.
//!
//! A member whose inbox refuses what is written to it, for a moment or for long, keeps nobody waiting: the plan says that
//! they are owed a copy, all others get theirs, and the task is done once the one for whoever is left is in the queue. That one goes
//! by the same plan. It fails only if nobody of those it is for got anything; else it leaves the rest to another like it.

use super::bulk::{AT_ONCE, PER_REQUEST, Settled};
use super::plan::{self, OWED, Plan, Swap};
use super::{Audience, Logged, Task, TaskQueue};
use crate::error::StoreError;
use crate::groups::Stint;
use crate::head::Head;
use crate::ids::{GroupId, TimelineId, UserId};
use crate::item::{Item, corrupt, get_number, get_string};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use crate::timeline::{Content, Entry, INLINE_BYTES, Slot, key, slot_from_item};
use crate::{Store, left};
use futures_util::{StreamExt as _, stream};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// A message of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The message.
    pub logged: Logged,
    /// The sender, who has a copy already.
    pub skip: Option<UserId>,
    /// Whether another worker may have begun with it.
    pub redelivered: bool,
}

/// What a member is to be pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The member.
    pub user: UserId,
    /// The head of their inbox, with their devices, of which one at least may be online.
    pub head: Head,
    /// Their messages, ascending: the seq in their inbox (0 in a super group), and which of the batch it is.
    pub messages: Vec<(u64, usize)>,
}

/// How a delivery ended.
#[derive(Debug)]
pub struct Delivered {
    /// How many messages of the batch, from its first on, stand in the inbox of everyone who is to have them, or will by a
    /// task that was enqueued.
    pub done: usize,
    /// Why not all; `None` where they are, or where time ran out.
    pub error: Option<StoreError>,
    /// Whom to push what: all that stands, be it done or not.
    pub pushes: Vec<Inbound>,
}

/// Copies that are put before the clock is looked at again.
const COPIES_AT_ONCE: usize = PER_REQUEST * AT_ONCE;

/// Times that copies are given other seqs because seals stood there: more than a reader brings about by chance.
const REPLACEMENTS: u32 = 10;

/// What is kept of the time to put what was reserved: until that is done, members wait for it.
const PUTTING: Duration = Duration::from_secs(1);

/// What is kept of the time to hand over what could not be put: without that nothing is done.
const HANDING_OVER: Duration = Duration::from_millis(500);

/// A batch on its way.
struct Batch<'a> {
    group: GroupId,
    audience: &'a Audience,
    deliveries: &'a [Delivery],
    /// Where its plans stand.
    place: TimelineId,
    /// When nothing is put any more.
    deadline: Instant,
    /// When all has ended.
    end: Instant,
    now_ms: i64,
    /// By conversation seq.
    plans: BTreeMap<u64, Plan>,
    /// Of members in whose inboxes something was reserved.
    heads: BTreeMap<UserId, Head>,
    /// The copies that stand, by conversation seq.
    standing: BTreeMap<u64, BTreeMap<UserId, u64>>,
    /// Those of whose copies that is not known, by conversation seq.
    owed: BTreeMap<u64, BTreeSet<UserId>>,
    /// The first reason for that.
    error: Option<StoreError>,
}

/// A copy to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Copy {
    user: UserId,
    message: u64,
    /// [`OWED`]: it has none yet.
    seq: u64,
}

impl Store {
    /// Puts each message of a batch, in their order, into the inbox of each member entitled to it, once. Stops at
    /// `deadline` with what is done by then. Whoever could not be given theirs gets it by tasks that go to `queue`.
    #[tracing::instrument(name = "store.deliver", skip_all, fields(group.id = group, messages = deliveries.len()))]
    pub async fn deliver(
        &self,
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
            place: plan::place(group, audience.shard()),
            deadline: deadline.checked_sub(HANDING_OVER).unwrap_or(deadline),
            end: deadline,
            now_ms,
            plans: BTreeMap::new(),
            heads: BTreeMap::new(),
            standing: BTreeMap::new(),
            owed: BTreeMap::new(),
            error: None,
        };
        if let Err(error) = self.plan_batch(&mut batch).await {
            batch.fail(error);
        }
        let tried = self.copy_batch(&mut batch).await;
        let done = self.hand_over(queue, &mut batch, tried).await;
        let pushes = self.batch_pushes(&batch).await;
        let mut error = batch.error.take().filter(|_| done < deliveries.len());
        if batch.is_late()
            && let Some(error) = error.take()
        {
            tracing::warn!(%error, "this took the time that there was");
        }
        Delivered { done, error, pushes }
    }

    /// Steps 1 to 3: a plan for each message, or an error. A message without a plan then was not delivered to anybody.
    async fn plan_batch(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let is_owed = matches!(batch.audience, Audience::Owed { .. });
        let begun = batch
            .deliveries
            .iter()
            .filter(|delivery| is_owed || delivery.redelivered);
        let begun: BTreeSet<u64> = begun.map(Delivery::conversation_seq).collect();
        #[cfg(feature = "plant")]
        let begun = if plant::has(Bug::RedeliveryCopiesAgain) && !is_owed {
            BTreeSet::new()
        } else {
            begun
        };
        let plans = self.plans(&batch.place, &begun);
        batch.plans = self.by(batch.deadline, "BatchGetItem (plans)", plans).await?;
        if is_owed && batch.plans.len() < begun.len() {
            return Err(corrupt("timelines", format!("a plan of {} is gone", batch.place)));
        }
        if batch.is_planned() || batch.is_late() {
            return Ok(());
        }
        let stints = self.audience_stints(batch.group, batch.audience);
        let stints = self.by(batch.deadline, "Query (shard)", stints).await?;
        let Some(reserving) = batch.deadline.checked_sub(PUTTING).filter(|&by| !left(by).is_zero()) else {
            return Ok(());
        };
        let wanted = batch.wanted(&stints);
        let taken = self.reserve_many(&counts(&wanted), reserving, batch.now_ms).await;
        let mut mine = shares(&wanted, &taken.heads);
        for user in &taken.failed {
            for &message in &wanted[user] {
                mine.entry(message).or_default().set(*user, OWED);
            }
        }
        batch.heads.extend(taken.heads);
        let without = batch.deliveries.iter().map(Delivery::conversation_seq);
        let without: Vec<u64> = without.filter(|message| !mine.contains_key(message)).collect();
        let put = self.put_plans(&batch.place, &mine, batch.deadline).await;
        let (mut won, mut lost) = (BTreeMap::new(), BTreeMap::new());
        for ((message, plan), settled) in mine.into_iter().zip(put.settled) {
            match settled {
                Some(Settled::Done(_)) => drop(won.insert(message, plan)),
                #[cfg(feature = "plant")]
                Some(Settled::Exists) if plant::has(Bug::RedeliveryCopiesAgain) => drop(won.insert(message, plan)),
                Some(Settled::Exists | Settled::Missing) => drop(lost.insert(message, plan)),
                // It may stand, and then it names these seqs: whoever is handed the task next finds out.
                None => {}
            }
        }
        for (&message, plan) in &won {
            // They were tried just now.
            let owed = plan.shares().filter(|&(_, seq)| seq == OWED).map(|(user, _)| user);
            batch.owed.entry(message).or_default().extend(owed);
        }
        batch.plans.extend(won);
        for message in without {
            // Nobody is to have it.
            batch.plans.entry(message).or_default();
        }
        if let Some(error) = taken.error {
            batch.fail(error);
        }
        self.follow_plans(batch, lost).await?;
        put.error.map_or(Ok(()), Err)
    }

    /// Other plans stand: they are followed, and what was reserved in vain is sealed. A plan whose put lost its answer
    /// meets itself.
    async fn follow_plans(&self, batch: &mut Batch<'_>, lost: BTreeMap<u64, Plan>) -> Result<(), StoreError> {
        if lost.is_empty() {
            return Ok(());
        }
        let lost_messages = lost.keys().copied().collect();
        let standing = self.plans(&batch.place, &lost_messages);
        let standing = self.by(batch.deadline, "BatchGetItem (plans)", standing).await?;
        let in_vain = lost.iter().flat_map(|(message, plan)| {
            let standing = standing.get(message);
            let is_in_vain = move |&(user, seq): &(UserId, u64)| {
                seq != OWED && standing.and_then(|standing| standing.share(user)) != Some(seq)
            };
            plan.shares().filter(is_in_vain)
        });
        self.give_up_many(in_vain.collect(), batch.deadline, batch.now_ms).await;
        if standing.len() < lost.len() {
            return Err(corrupt("timelines", format!("a plan of {} is gone", batch.place)));
        }
        batch.plans.extend(standing);
        Ok(())
    }

    /// Step 4. Answers of how many messages all copies were tried. What was cut off where time ended counts for not tried: it refuses
    /// nothing, and its members are as many as before.
    async fn copy_batch(&self, batch: &mut Batch<'_>) -> usize {
        let (copies, planned) = batch.copies();
        for (slice, some) in copies.chunks(COPIES_AT_ONCE).enumerate() {
            if batch.is_late() {
                let next = copies[slice * COPIES_AT_ONCE];
                return batch.place_of(next.message);
            }
            self.put_copies(batch, some.to_vec()).await;
            let is_owed = |copy: &&Copy| {
                batch
                    .owed
                    .get(&copy.message)
                    .is_some_and(|owed| owed.contains(&copy.user))
            };
            if batch.is_late()
                && let Some(cut) = some.iter().find(is_owed)
            {
                return batch.place_of(cut.message);
            }
        }
        planned
    }

    /// Puts copies until each stands or is owed. Who was owed one by an earlier worker is left to a task of their own once more: it may not
    /// have come to be, and their refusing once more is not to take the time of the others.
    async fn put_copies(&self, batch: &mut Batch<'_>, copies: Vec<Copy>) {
        let (without, mut copies): (Vec<Copy>, Vec<Copy>) = copies.into_iter().partition(|copy| copy.seq == OWED);
        let mut meant = Vec::new();
        if matches!(batch.audience, Audience::Owed { .. }) {
            meant = without;
        } else {
            batch.owe(&without);
        }
        for _ in 0..REPLACEMENTS {
            let mut sealed = self.put_where_planned(batch, copies).await;
            sealed.append(&mut meant);
            copies = self.replace_copies(batch, sealed).await;
            if copies.is_empty() {
                return;
            }
        }
        batch.owe(&copies);
        batch.fail(StoreError::Throttled {
            operation: "BatchExecuteStatement (seals stood at every seq)",
        });
    }

    /// Puts copies at the seqs that they have. Answers with those in whose place a seal stands.
    async fn put_where_planned(&self, batch: &mut Batch<'_>, copies: Vec<Copy>) -> Vec<Copy> {
        let insertion = |copy: &Copy| {
            let entry = batch.entry(copy.message);
            self.entry_insertion(&TimelineId::inbox(copy.user), copy.seq, &entry)
        };
        let bulk = self.bulk(copies.iter().map(insertion).collect(), batch.deadline).await;
        if let Some(error) = bulk.error {
            batch.fail(error);
        }
        let mut met = Vec::new();
        for (copy, settled) in copies.into_iter().zip(bulk.settled) {
            match settled {
                Some(Settled::Done(_)) => batch.stands(copy),
                Some(Settled::Exists | Settled::Missing) => met.push(copy),
                None => batch.owe(&[copy]),
            }
        }
        self.sealed_copies(batch, met).await
    }

    /// Those of the copies in whose place a seal stands. In that of the others they stand themselves.
    async fn sealed_copies(&self, batch: &mut Batch<'_>, met: Vec<Copy>) -> Vec<Copy> {
        if met.is_empty() {
            return met;
        }
        let keys = met.iter().map(|copy| key(&TimelineId::inbox(copy.user), copy.seq));
        let items = self.items(&self.timelines, keys.collect(), true);
        let items = match self.by(batch.deadline, "BatchGetItem (copies)", items).await {
            Ok(items) => items,
            Err(error) => {
                batch.owe(&met);
                batch.fail(error);
                return Vec::new();
            }
        };
        let place = |item: &Item| {
            Some((
                get_string(item, attr::TIMELINE)?.to_owned(),
                get_number(item, attr::SEQ)?,
            ))
        };
        let there: HashMap<(String, u64), Item> = items
            .into_iter()
            .filter_map(|item| Some((place(&item)?, item)))
            .collect();
        let mut sealed = Vec::new();
        for copy in met {
            let inbox = TimelineId::inbox(copy.user);
            let item = there.get(&(inbox.as_str().to_owned(), copy.seq));
            match item.map(slot_from_item).transpose() {
                #[cfg(feature = "plant")]
                Ok(Some(Slot::Seal { .. })) if plant::has(Bug::SealIgnoresLateWriter) => {
                    match self.put(&inbox, copy.seq, &batch.entry(copy.message)).await {
                        Ok(_) => batch.stands(copy),
                        Err(error) => {
                            batch.owe(&[copy]);
                            batch.fail(error);
                        }
                    }
                }
                Ok(Some(Slot::Seal { .. })) => sealed.push(copy),
                Ok(Some(Slot::Entry(entry))) if entry.key == batch.delivery(copy.message).logged.key => {
                    batch.stands(copy);
                }
                Ok(_) => {
                    batch.owe(&[copy]);
                    batch.fail(corrupt("timelines", format!("two writers at {inbox} {}", copy.seq)));
                }
                Err(error) => {
                    batch.owe(&[copy]);
                    batch.fail(error);
                }
            }
        }
        sealed
    }

    /// Gives copies other seqs, which all workers agree on. Those are left that have one.
    async fn replace_copies(&self, batch: &mut Batch<'_>, sealed: Vec<Copy>) -> Vec<Copy> {
        if sealed.is_empty() {
            return sealed;
        }
        let mut wanted: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
        for copy in &sealed {
            wanted.entry(copy.user).or_default().push(copy.message);
        }
        let taken = self.reserve_many(&counts(&wanted), batch.deadline, batch.now_ms).await;
        if let Some(error) = taken.error {
            batch.fail(error);
        }
        let again = shares(&wanted, &taken.heads);
        let mut swaps: BTreeMap<u64, Vec<Swap>> = BTreeMap::new();
        for copy in sealed {
            let share = again.get(&copy.message).and_then(|plan| plan.share(copy.user));
            if let Some(to) = share {
                let (user, from) = (copy.user, copy.seq);
                swaps.entry(copy.message).or_default().push(Swap { user, from, to });
            } else if taken.failed.contains(&copy.user) {
                batch.owe(&[copy]);
            }
        }
        let (place, deadline) = (&batch.place, batch.deadline);
        let mut swapping = Vec::new();
        for (&message, swaps) in &swaps {
            let swapped = self.swap_shares(place, message, &batch.plans[&message], swaps);
            swapping.push(self.by(deadline, "UpdateItem (swap shares)", swapped));
        }
        let swapped: Vec<_> = stream::iter(swapping).buffered(AT_ONCE).collect().await;
        let (mut copies, mut in_vain) = (Vec::new(), Vec::new());
        for ((message, swaps), standing) in swaps.into_iter().zip(swapped) {
            let copy = |user, seq| Copy { user, message, seq };
            let standing = match standing {
                Ok(standing) => standing,
                // They may be swapped, and then the plan names these seqs.
                Err(error) => {
                    let owed: Vec<Copy> = swaps.iter().map(|swap| copy(swap.user, swap.to)).collect();
                    batch.owe(&owed);
                    batch.fail(error);
                    continue;
                }
            };
            for swap in swaps {
                let stands = standing.share(swap.user).unwrap_or(swap.to);
                if stands != swap.to {
                    in_vain.push((swap.user, swap.to));
                }
                copies.push(copy(swap.user, stands));
            }
            batch.plans.insert(message, standing);
        }
        self.give_up_many(in_vain, batch.deadline, batch.now_ms).await;
        batch.heads.extend(taken.heads);
        copies
    }

    /// Step 5, of so many messages. Answers how many are done: the others are to come again.
    async fn hand_over(&self, queue: &impl TaskQueue, batch: &mut Batch<'_>, tried: usize) -> usize {
        let (mut tasks, mut first, mut done) = (Vec::new(), None, tried);
        for (place, delivery) in batch.deliveries[..tried].iter().enumerate() {
            let Some(owed) = batch.owed.get(&delivery.conversation_seq()) else {
                continue;
            };
            if owed.is_empty() || batch.place_of(delivery.conversation_seq()) < place {
                continue;
            }
            let Some(task) = batch.task_for(delivery, owed) else {
                done = place;
                break;
            };
            first.get_or_insert(place);
            tasks.push(task);
        }
        let Some(first) = first else { return done };
        let enqueued = queue.enqueue(&tasks);
        if let Err(error) = self.by(batch.end, "SendMessageBatch", enqueued).await {
            batch.error = Some(error);
            return first;
        }
        let owed: usize = batch.owed.values().map(BTreeSet::len).sum();
        let error = batch.error.as_ref().map(tracing::field::display);
        tracing::warn!(
            owed,
            error,
            "copies that could not be put are left to a task of their own"
        );
        done
    }

    /// The ranges of who may be entitled.
    async fn audience_stints(&self, group: GroupId, audience: &Audience) -> Result<Vec<(UserId, Stint)>, StoreError> {
        match audience {
            Audience::Shard(shard) => {
                let members = self.shard(group, *shard).await?;
                Ok(members.into_iter().map(|member| (member.user, member.stint)).collect())
            }
            Audience::Users(users) | Audience::Owed { users, .. } => {
                let always = Stint {
                    joined_after: 0,
                    left: None,
                };
                Ok(users.iter().map(|&user| (user, always)).collect())
            }
        }
    }

    /// What stands, for everyone who may be online. The heads of those to whom it was delivered before are fetched; where
    /// that fails, their devices find the messages by themselves.
    async fn batch_pushes(&self, batch: &Batch<'_>) -> Vec<Inbound> {
        let mut messages: BTreeMap<UserId, Vec<(u64, usize)>> = BTreeMap::new();
        for (&message, copies) in &batch.standing {
            let place = batch.place_of(message);
            for (&user, &seq) in copies {
                messages.entry(user).or_default().push((seq, place));
            }
        }
        let without = messages.keys().filter(|user| !batch.heads.contains_key(user)).copied();
        let without = without.collect();
        let fetched = self.by(batch.end, "BatchGetItem (heads)", self.heads(&without));
        let mut fetched = fetched.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not look up who is online");
            HashMap::new()
        });
        let inbound = |(user, mut messages): (UserId, Vec<(u64, usize)>)| {
            messages.sort_unstable();
            let head = batch.heads.get(&user).cloned().or_else(|| fetched.remove(&user))?;
            let may_be_online = head.connections(batch.now_ms).next().is_some();
            may_be_online.then_some(Inbound { user, head, messages })
        };
        messages.into_iter().filter_map(inbound).collect()
    }
}

impl Delivery {
    fn conversation_seq(&self) -> u64 {
        self.logged.conversation_seq()
    }
}

impl Batch<'_> {
    fn is_late(&self) -> bool {
        left(self.deadline).is_zero()
    }

    fn is_planned(&self) -> bool {
        let mut messages = self.deliveries.iter().map(Delivery::conversation_seq);
        messages.all(|message| self.plans.contains_key(&message))
    }

    /// Where a message stands in the batch; a repeat stands where the first does.
    fn place_of(&self, message: u64) -> usize {
        let same = |delivery: &Delivery| delivery.conversation_seq() == message;
        self.deliveries.iter().position(same).unwrap_or(self.deliveries.len())
    }

    fn delivery(&self, message: u64) -> &Delivery {
        &self.deliveries[self.place_of(message)]
    }

    /// Takes note of a reason, unless there is one.
    fn fail(&mut self, error: StoreError) {
        self.error.get_or_insert(error);
    }

    fn stands(&mut self, copy: Copy) {
        self.standing
            .entry(copy.message)
            .or_default()
            .insert(copy.user, copy.seq);
    }

    fn owe(&mut self, copies: &[Copy]) {
        for copy in copies {
            self.owed.entry(copy.message).or_default().insert(copy.user);
        }
    }

    /// What brings a message to those who are owed it. `None`: the task at hand is that already.
    fn task_for(&self, delivery: &Delivery, owed: &BTreeSet<UserId>) -> Option<Task> {
        match self.audience {
            Audience::Owed { users, .. } if users.len() <= owed.len() => None,
            audience => Some(Task::Deliver {
                group: self.group,
                audience: Audience::Owed {
                    shard: audience.shard(),
                    users: owed.iter().copied().collect(),
                },
                logged: delivery.logged.clone(),
                skip: delivery.skip,
            }),
        }
    }

    /// Who is to have which of the messages that have no plan, in the order of the batch.
    fn wanted(&self, stints: &[(UserId, Stint)]) -> BTreeMap<UserId, Vec<u64>> {
        let mut wanted: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
        for delivery in self.deliveries {
            let message = delivery.conversation_seq();
            if self.plans.contains_key(&message) {
                continue;
            }
            for &(user, stint) in stints {
                let is_entitled = stint.covers(message);
                #[cfg(feature = "plant")]
                let is_entitled = is_entitled || (plant::has(Bug::CopyToRemoved) && stint.left.is_some());
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

    /// The copies of the first messages that have plans, but for those that are owed already; and how many messages that is.
    fn copies(&self) -> (Vec<Copy>, usize) {
        let is_for = |user: UserId| match self.audience {
            Audience::Owed { users, .. } => users.contains(&user),
            Audience::Shard(_) | Audience::Users(_) => true,
        };
        let mut copies = Vec::new();
        for (place, delivery) in self.deliveries.iter().enumerate() {
            let message = delivery.conversation_seq();
            let Some(plan) = self.plans.get(&message) else {
                return (copies, place);
            };
            if self.place_of(message) < place {
                continue;
            }
            let owed = self.owed.get(&message);
            let shares = plan.shares().filter(|&(user, _)| is_for(user));
            let shares = shares.filter(|(user, _)| owed.is_none_or(|owed| !owed.contains(user)));
            copies.extend(shares.map(|(user, seq)| Copy { user, message, seq }));
        }
        (copies, self.deliveries.len())
    }

    /// What is put. The worker's own time stands in for that of the reservation, which came no later.
    fn entry(&self, message: u64) -> Entry {
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

/// How many seqs each member is to have.
fn counts(wanted: &BTreeMap<UserId, Vec<u64>>) -> Vec<(UserId, u64)> {
    let counts = wanted.iter().map(|(&user, messages)| (user, messages.len() as u64));
    counts.collect()
}

/// The seqs that were taken, message by message: for each member the last ones up to their head's.
fn shares(wanted: &BTreeMap<UserId, Vec<u64>>, heads: &BTreeMap<UserId, Head>) -> BTreeMap<u64, Plan> {
    let mut shares: BTreeMap<u64, Plan> = BTreeMap::new();
    for (user, messages) in wanted {
        let Some(head) = heads.get(user) else { continue };
        for (seq, &message) in (1..=head.seq).rev().zip(messages.iter().rev()) {
            shares.entry(message).or_default().set(*user, seq);
        }
    }
    shares
}
