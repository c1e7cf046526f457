//! Delivering: a batch of a group's messages to the inboxes of a shard's members.
//!
//! 1. query the shard: whoever is found in it after the task was received is entitled to what their row covers
//! 2. reserve in each member's inbox, once for all messages of the batch
//! 3. put the plan of each message; follow the one that stands where another worker was faster, and seal what was
//!    reserved
//! 4. put the copies, message by message; where a seal stands, reserve again and replace the seq in the plan
//!
//! For a full shard and one message that is a query, 20 requests for reservations, one for the plan, 20 for the copies.
//! A plan is looked for before that only where the queue says that the task was handed out before: else its put finds
//! out.

use super::bulk::{AT_ONCE, PER_REQUEST, Settled};
use super::plan::{self, Plan};
use super::{Audience, Logged};
use crate::Store;
use crate::error::StoreError;
use crate::groups::Stint;
use crate::head::Head;
use crate::ids::{GroupId, TimelineId, UserId};
use crate::item::{Item, corrupt, get_number, get_string};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use crate::timeline::{Content, Entry, INLINE_BYTES, Slot, key, slot_from_item};
use futures_util::{StreamExt as _, stream};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

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
    /// How many messages of the batch, from its first on, stand in the inbox of everyone who is to have them.
    pub done: usize,
    /// Why not all; `None` where they are, or where time ran out.
    pub error: Option<StoreError>,
    /// Whom to push what.
    pub pushes: Vec<Inbound>,
}

/// Copies that are put before the clock is looked at again.
const COPIES_AT_ONCE: usize = PER_REQUEST * AT_ONCE;

/// Times that copies are given other seqs because seals stood there: more than a reader brings about by chance.
const REPLACEMENTS: u32 = 10;

/// A batch on its way.
struct Batch<'a> {
    group: GroupId,
    audience: &'a Audience,
    deliveries: &'a [Delivery],
    /// Where its plans stand.
    place: TimelineId,
    deadline: Instant,
    now_ms: i64,
    /// By conversation seq.
    plans: BTreeMap<u64, Plan>,
    /// Of members in whose inboxes something was reserved.
    heads: BTreeMap<UserId, Head>,
}

/// A copy to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Copy {
    user: UserId,
    message: u64,
    seq: u64,
}

impl Store {
    /// Puts each message of a batch, in their order, into the inbox of each member entitled to it, once. Stops at
    /// `deadline` with what is done by then.
    #[tracing::instrument(name = "store.deliver", skip_all, fields(group.id = group, messages = deliveries.len()))]
    pub async fn deliver(
        &self,
        group: GroupId,
        audience: &Audience,
        deliveries: &[Delivery],
        deadline: Instant,
        now_ms: i64,
    ) -> Delivered {
        let place = match audience {
            Audience::Shard(shard) => plan::of_shard(group, *shard),
            Audience::Users(_) => plan::of_users(group),
        };
        let mut batch = Batch {
            group,
            audience,
            deliveries,
            place,
            deadline,
            now_ms,
            plans: BTreeMap::new(),
            heads: BTreeMap::new(),
        };
        let planned = self.plan_batch(&mut batch).await;
        let copied = self.copy_batch(&mut batch).await;
        let (done, error) = match (planned, copied) {
            (Err(error), (done, _)) => (done, Some(error)),
            (Ok(()), (done, error)) => (done, error),
        };
        let pushes = self.batch_pushes(&batch, done).await;
        Delivered { done, error, pushes }
    }

    /// Steps 1 to 3: a plan for each message, or an error. A message without a plan then was not delivered to anybody.
    async fn plan_batch(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let redelivered = batch.deliveries.iter().filter(|delivery| delivery.redelivered);
        let redelivered: BTreeSet<u64> = redelivered.map(Delivery::conversation_seq).collect();
        #[cfg(feature = "plant")]
        let redelivered = if plant::has(Bug::RedeliveryCopiesAgain) {
            BTreeSet::new()
        } else {
            redelivered
        };
        batch.plans = self.plans(&batch.place, &redelivered).await?;
        if batch.is_planned() || batch.is_late() {
            return Ok(());
        }
        let stints = self.audience_stints(batch.group, batch.audience).await?;
        if batch.is_late() {
            // What is reserved must be put in time, or every member waits for it.
            return Ok(());
        }
        let wanted = batch.wanted(&stints);
        let counts: Vec<(UserId, u64)> = wanted
            .iter()
            .map(|(&user, messages)| (user, messages.len() as u64))
            .collect();
        let taken = self.reserve_many(&counts, batch.now_ms).await;
        let mine = shares(&wanted, &taken.heads);
        if let Some(error) = taken.error {
            let seqs = mine.values().flat_map(Plan::seqs).collect();
            self.give_up_many(seqs, batch.now_ms).await;
            return Err(error);
        }
        batch.heads.extend(taken.heads);
        let without = batch.deliveries.iter().map(Delivery::conversation_seq);
        let without: Vec<u64> = without.filter(|message| !mine.contains_key(message)).collect();
        let put = self.put_plans(&batch.place, &mine).await;
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
        batch.plans.extend(won);
        for message in without {
            // Nobody is to have it.
            batch.plans.entry(message).or_default();
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
        let standing = self.plans(&batch.place, &lost.keys().copied().collect()).await?;
        let in_vain = lost.iter().flat_map(|(message, plan)| {
            let standing = standing.get(message);
            plan.seqs()
                .filter(move |&(user, seq)| standing.is_none_or(|standing| !standing.names(user, seq)))
        });
        self.give_up_many(in_vain.collect(), batch.now_ms).await;
        if standing.len() < lost.len() {
            return Err(corrupt("timelines", format!("a plan of {} is gone", batch.place)));
        }
        batch.plans.extend(standing);
        Ok(())
    }

    /// Step 4. Answers how many messages stand everywhere, and why not all.
    async fn copy_batch(&self, batch: &mut Batch<'_>) -> (usize, Option<StoreError>) {
        let (copies, planned) = batch.copies();
        let (mut put, mut failed) = (0, None);
        for some in copies.chunks(COPIES_AT_ONCE) {
            if batch.is_late() {
                break;
            }
            if let Err(error) = self.put_copies(batch, some.to_vec()).await {
                failed = Some(error);
                break;
            }
            put += some.len();
        }
        let done = copies.get(put).map_or(planned, |next| batch.place_of(next.message));
        (done, failed)
    }

    /// Puts copies until all stand.
    async fn put_copies(&self, batch: &mut Batch<'_>, mut copies: Vec<Copy>) -> Result<(), StoreError> {
        for _ in 0..REPLACEMENTS {
            let insertion = |copy: &Copy| {
                let entry = batch.entry(copy.message);
                self.entry_insertion(&TimelineId::inbox(copy.user), copy.seq, &entry)
            };
            let bulk = self.bulk(copies.iter().map(insertion).collect()).await;
            if let Some(error) = bulk.error {
                return Err(error);
            }
            let met = copies.into_iter().zip(bulk.settled);
            let met = met.filter_map(|(copy, settled)| (!matches!(settled, Some(Settled::Done(_)))).then_some(copy));
            let sealed = self.sealed_copies(batch, met.collect()).await?;
            if sealed.is_empty() {
                return Ok(());
            }
            copies = self.replace_copies(batch, sealed).await?;
        }
        Err(StoreError::Throttled {
            operation: "BatchExecuteStatement (seals stood at every seq)",
        })
    }

    /// Those of the copies in whose place a seal stands. In that of the others they stand themselves.
    async fn sealed_copies(&self, batch: &Batch<'_>, met: Vec<Copy>) -> Result<Vec<Copy>, StoreError> {
        if met.is_empty() {
            return Ok(met);
        }
        let keys = met.iter().map(|copy| key(&TimelineId::inbox(copy.user), copy.seq));
        let items = self.items(&self.timelines, keys.collect(), true).await?;
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
            match item.map(slot_from_item).transpose()? {
                #[cfg(feature = "plant")]
                Some(Slot::Seal { .. }) if plant::has(Bug::SealIgnoresLateWriter) => {
                    self.put(&inbox, copy.seq, &batch.entry(copy.message)).await?;
                }
                Some(Slot::Seal { .. }) => sealed.push(copy),
                Some(Slot::Entry(entry)) if entry.key == batch.delivery(copy.message).logged.key => {}
                _ => return Err(corrupt("timelines", format!("two writers at {inbox} {}", copy.seq))),
            }
        }
        Ok(sealed)
    }

    /// Gives copies other seqs, which all workers agree on.
    async fn replace_copies(&self, batch: &mut Batch<'_>, sealed: Vec<Copy>) -> Result<Vec<Copy>, StoreError> {
        let mut wanted: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
        for copy in sealed {
            wanted.entry(copy.user).or_default().push(copy.message);
        }
        let counts: Vec<(UserId, u64)> = wanted
            .iter()
            .map(|(&user, messages)| (user, messages.len() as u64))
            .collect();
        let taken = self.reserve_many(&counts, batch.now_ms).await;
        let again = shares(&wanted, &taken.heads);
        let place = &batch.place;
        let mut replacements = Vec::new();
        for (&message, plan) in &again {
            let known = &batch.plans[&message];
            replacements.extend(plan.seqs().map(|(user, seq)| async move {
                let stands = self.replace_share(place, message, known, user, seq).await;
                (Copy { user, message, seq }, stands)
            }));
        }
        let replaced: Vec<_> = stream::iter(replacements).buffered(AT_ONCE).collect().await;
        let (mut copies, mut in_vain, mut error) = (Vec::new(), Vec::new(), taken.error);
        for (copy, stands) in replaced {
            match stands {
                Ok(stands) => {
                    if stands != copy.seq {
                        in_vain.push((copy.user, copy.seq));
                    }
                    let plan = batch.plans.entry(copy.message).or_default();
                    plan.replace(copy.user, stands);
                    copies.push(Copy { seq: stands, ..copy });
                }
                // It may be replaced, and then the plan names this seq.
                Err(failed) => error = Some(failed),
            }
        }
        self.give_up_many(in_vain, batch.now_ms).await;
        batch.heads.extend(taken.heads);
        error.map_or(Ok(copies), Err)
    }

    /// The ranges of who may be entitled.
    async fn audience_stints(&self, group: GroupId, audience: &Audience) -> Result<Vec<(UserId, Stint)>, StoreError> {
        match audience {
            Audience::Shard(shard) => {
                let members = self.shard(group, *shard).await?;
                Ok(members.into_iter().map(|member| (member.user, member.stint)).collect())
            }
            Audience::Users(users) => {
                let always = Stint {
                    joined_after: 0,
                    left: None,
                };
                Ok(users.iter().map(|&user| (user, always)).collect())
            }
        }
    }

    /// The first `done` messages, for everyone who may be online. The heads of those to whom they were delivered before
    /// are fetched; where that fails, their devices find the messages by themselves.
    async fn batch_pushes(&self, batch: &Batch<'_>, done: usize) -> Vec<Inbound> {
        let mut messages: BTreeMap<UserId, Vec<(u64, usize)>> = BTreeMap::new();
        for (place, delivery) in batch.deliveries[..done].iter().enumerate() {
            let conversation_seq = delivery.conversation_seq();
            if batch.place_of(conversation_seq) == place {
                for (user, seq) in batch.plans[&conversation_seq].seqs() {
                    messages.entry(user).or_default().push((seq, place));
                }
            }
        }
        let without = messages.keys().filter(|user| !batch.heads.contains_key(user)).copied();
        let mut fetched = match self.heads(&without.collect()).await {
            Ok(heads) => heads,
            Err(error) => {
                tracing::warn!(%error, "could not look up who is online");
                HashMap::new()
            }
        };
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
    #[expect(
        clippy::disallowed_methods,
        reason = "a deadline is a point of this process's own clock"
    )]
    fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
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

    /// The copies of the first messages that have plans, and how many messages that are.
    fn copies(&self) -> (Vec<Copy>, usize) {
        let mut copies = Vec::new();
        for (place, delivery) in self.deliveries.iter().enumerate() {
            let message = delivery.conversation_seq();
            let Some(plan) = self.plans.get(&message) else {
                return (copies, place);
            };
            if self.place_of(message) == place {
                copies.extend(plan.seqs().map(|(user, seq)| Copy { user, message, seq }));
            }
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

/// The seqs that were taken, message by message: for each member the last ones up to their head's.
fn shares(wanted: &BTreeMap<UserId, Vec<u64>>, heads: &BTreeMap<UserId, Head>) -> BTreeMap<u64, Plan> {
    let mut shares: BTreeMap<u64, BTreeMap<UserId, u64>> = BTreeMap::new();
    for (user, messages) in wanted {
        let Some(head) = heads.get(user) else { continue };
        for (seq, &message) in (1..=head.seq).rev().zip(messages.iter().rev()) {
            shares.entry(message).or_default().insert(*user, seq);
        }
    }
    shares
        .into_iter()
        .map(|(message, shares)| (message, Plan::of(shares)))
        .collect()
}
