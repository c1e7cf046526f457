//! Putting a message where its send plan says.
//!
//! If the planned seq was sealed, the message takes another one. All attempts at the message agree
//! on it, because the new seq is swapped into the plan on the condition that the plan is still the
//! one that is known.

use crate::refusal::{Refusal, SendError};
use wigwag_domain::head::{GroupLogHead, InboxHead};
use wigwag_domain::numbering::{Destination, Numbering};
use wigwag_domain::outgoing::Outgoing;
use wigwag_domain::timeline::Entry;
use wigwag_domain::{GroupId, UserId};
use wigwag_protocol::{Code, pb};
use wigwag_store::inboxes::{self, no_inbox};
use wigwag_store::timelines::{self, Missing, Put};
use wigwag_store::{Store, group_logs};

/// A message that is at its destination.
pub(crate) struct Settled<H> {
    /// The device's numbering, with the plan that holds now.
    pub(crate) numbering: Numbering,
    /// The destination's head, if a seq had to be reserved again: a device may have connected
    /// meanwhile.
    pub(crate) head: Option<H>,
}

/// Puts the message into the log of two users, and answers with it: its seq there is part of it.
pub(crate) async fn put_in_peer_log(
    store: &Store,
    out: &Outgoing<'_>,
    planned: Numbering,
    now_ms: i64,
) -> Result<(pb::Message, Numbering), SendError> {
    let log = out.timeline(Destination::Log);
    let mut numbering = planned;
    loop {
        let message = out.message(&numbering);
        let entry = out.entry(Destination::Log, &message, now_ms);
        if !is_sealed(store, out, Destination::Log, numbering.seq(Destination::Log), &entry).await? {
            return Ok((message, numbering));
        }
        let reserved = timelines::reserve(store, &log, 1, Missing::Refuse, now_ms).await?;
        let next = reserved.ok_or_else(no_inbox)?.seq;
        numbering = agree(store, out, Destination::Log, numbering, next, now_ms).await?;
    }
}

/// Puts the message into the log of a group, and answers with it.
pub(crate) async fn put_in_group_log(
    store: &Store,
    out: &Outgoing<'_>,
    group: GroupId,
    planned: Numbering,
    now_ms: i64,
) -> Result<(pb::Message, Settled<GroupLogHead>), SendError> {
    let (mut numbering, mut head) = (planned, None);
    loop {
        let message = out.message(&numbering);
        let entry = out.entry(Destination::Log, &message, now_ms);
        if !is_sealed(store, out, Destination::Log, numbering.seq(Destination::Log), &entry).await? {
            return Ok((message, Settled { numbering, head }));
        }
        let reserved = group_logs::take_seq(store, group, now_ms).await?;
        let next = head.insert(reserved.ok_or_else(no_inbox)?).seq;
        numbering = agree(store, out, Destination::Log, numbering, next, now_ms).await?;
    }
}

/// Puts the message, which is in its log, into the inbox of the receiver, or into the sender's own.
pub(crate) async fn put_in_inbox(
    store: &Store,
    out: &Outgoing<'_>,
    user: UserId,
    destination: Destination,
    message: &pb::Message,
    planned: Numbering,
    now_ms: i64,
) -> Result<Settled<InboxHead>, SendError> {
    let entry = out.entry(destination, message, now_ms);
    let (mut numbering, mut head) = (planned, None);
    while is_sealed(store, out, destination, numbering.seq(destination), &entry).await? {
        let reserved = inboxes::reserve(store, user, now_ms).await?;
        let next = head.insert(reserved.ok_or_else(no_inbox)?).seq;
        numbering = agree(store, out, destination, numbering, next, now_ms).await?;
    }
    Ok(Settled { numbering, head })
}

/// Puts the entry at its planned seq, unless that was sealed: then it needs another one.
async fn is_sealed(
    store: &Store,
    out: &Outgoing<'_>,
    destination: Destination,
    seq: u64,
    entry: &Entry,
) -> Result<bool, SendError> {
    let timeline = out.timeline(destination);
    match timelines::put(store, &timeline, seq, entry).await? {
        Put::Differs(other) if matches!(destination, Destination::Log) && !out.is_in(&other) => {
            Err(Refusal::from(Code::CLIENT_ID_REUSED).into())
        }
        // Any other difference may come from another version of this code: the log has this message.
        Put::Done | Put::Differs(_) => Ok(false),
        Put::Sealed => Ok(true),
    }
}

/// Agrees with all attempts at the message on its next seq at a destination: `next`, unless another
/// attempt was faster. Then `next` is given up.
async fn agree(
    store: &Store,
    out: &Outgoing<'_>,
    destination: Destination,
    known: Numbering,
    next: u64,
    now_ms: i64,
) -> Result<Numbering, SendError> {
    let agreed = swap(store, out, destination, known, next).await;
    if !matches!(&agreed, Ok(agreed) if agreed.seq(destination) == next) {
        timelines::give_up(store, &out.timeline(destination), next, now_ms).await;
    }
    agreed
}

/// Replaces the seq of one destination in the plan, unless another attempt did. Answers with the
/// numbering that holds.
async fn swap(
    store: &Store,
    out: &Outgoing<'_>,
    destination: Destination,
    mut known: Numbering,
    next: u64,
) -> Result<Numbering, SendError> {
    loop {
        let wanted = known.with_seq(destination, next);
        let Some(mut head) = inboxes::swap_numbering(store, out, &known, &wanted).await? else {
            return Ok(wanted);
        };
        let slot = head.devices.remove(&out.draft.key.device);
        // If the device has gone on to its next message, somebody has answered this one.
        let current = slot
            .and_then(|slot| slot.numbering)
            .filter(|numbering| numbering.is_of(&out.draft.key))
            .ok_or(Refusal::from(Code::CLIENT_ID_PASSED))?;
        if current.seq(destination) != known.seq(destination) {
            return Ok(current);
        }
        known = current;
    }
}
