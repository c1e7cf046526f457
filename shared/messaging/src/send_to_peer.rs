//! A one-to-one message, from reservation to acknowledgement.
//!
//! 1. reserve in the log ‖ reserve in the receiver's inbox ‖ read what the receiver is to the
//!    sender
//! 2. claim: one conditional write on the sender's head deduplicates, takes the sender's own seq,
//!    and stores the plan
//! 3. put the log entry (first, because an inbox entry may refer to it)
//! 4. put the receiver's ‖ the sender's inbox entry
//!
//! A repeat finds the plan of the first attempt and finishes from there; what it had reserved
//! itself is sealed at once.
//!
//! Six write units for a message of up to 1 KB, one read unit, four round trips.

use crate::refusal::{Refusal, SendError, claimed, repeated};
use crate::settle::{put_in_inbox, put_in_peer_log};
use wigwag_domain::head::{Head, InboxHead};
use wigwag_domain::numbering::{Destination, NumberCheck, Numbering};
use wigwag_domain::outgoing::{Draft, Outgoing};
use wigwag_domain::relation::{MessagesFrom, Relation};
use wigwag_domain::{Recipient, UserId};
use wigwag_protocol::{Code, pb};
use wigwag_store::inboxes::{self, Claim, OwnCopy, no_inbox};
use wigwag_store::timelines::{self, Missing};
use wigwag_store::{Store, StoreError, directory};

/// A message that is durable in the log and in both inboxes.
#[derive(Debug, Clone, PartialEq)]
pub struct SentToPeer {
    /// The message as it is stored, without the seq of an inbox.
    pub message: pb::Message,
    /// Its seq in the sender's inbox.
    pub own_seq: u64,
    /// Its seq in the receiver's inbox.
    pub receiver_seq: u64,
    /// The sender's head, with the devices to push to.
    pub sender: InboxHead,
    /// The receiver's head, with the devices to push to.
    pub receiver: InboxHead,
}

/// An attempt at a message, with the seqs that it reserved.
struct Attempt<'a> {
    store: &'a Store,
    out: Outgoing<'a>,
    receiver: UserId,
    now_ms: i64,
    /// Reserved in the log.
    log_seq: u64,
    /// The receiver's head after reserving there.
    receiver_head: InboxHead,
}

/// Sends a one-to-one message, or finishes and answers again one that was sent before. When this
/// returns `Ok`, the message is durable in the log and in both inboxes.
#[tracing::instrument(
    name = "send_to_peer",
    skip_all,
    fields(user.id = draft.key.sender.0, client_id = draft.key.client_id)
)]
pub async fn send_to_peer(
    store: &Store,
    draft: &Draft,
    receiver: UserId,
    from: MessagesFrom,
    now_ms: i64,
) -> Result<SentToPeer, SendError> {
    let to = Recipient::Peer(receiver);
    let (attempt, relation) = prepare(store, Outgoing { draft, to }, receiver, now_ms).await?;
    if let Some(code) = from.refuses(relation) {
        return attempt.refuse(code).await;
    }
    let plan = attempt.out.plan(attempt.log_seq, attempt.receiver_head.seq, now_ms);
    match inboxes::claim(store, &attempt.out, plan, OwnCopy::Kept, now_ms).await {
        Ok(Claim::Won(sender)) => {
            let numbering = claimed(&attempt.out, &sender)?;
            attempt.finish(numbering, sender).await
        }
        Ok(Claim::Lost(sender)) => attempt.repeat(sender).await,
        Err(error @ StoreError::Throttled { .. }) => {
            attempt.give_up().await;
            Err(error.into())
        }
        // The claim may have been done, and then its plan names these seqs: the next attempt finds
        // out.
        Err(error) => Err(error.into()),
    }
}

/// Step 1. A log is created with its first message. If a part fails, what the others reserved is
/// given up.
async fn prepare<'a>(
    store: &'a Store,
    out: Outgoing<'a>,
    receiver: UserId,
    now_ms: i64,
) -> Result<(Attempt<'a>, Relation), SendError> {
    let log = out.timeline(Destination::Log);
    let (mut logged, theirs, relation) = tokio::join!(
        timelines::reserve(store, &log, 1, Missing::Refuse, now_ms),
        inboxes::reserve(store, receiver, now_ms),
        directory::relation(store, receiver, out.draft.key.sender),
    );
    if matches!((&logged, &theirs), (Ok(None), Ok(Some(_)))) {
        logged = timelines::reserve(store, &log, 1, Missing::Create, now_ms).await;
    }
    match (logged, theirs, relation) {
        (Ok(Some(Head { seq: log_seq, .. })), Ok(Some(receiver_head)), Ok(relation)) => {
            let attempt = Attempt {
                store,
                out,
                receiver,
                now_ms,
                log_seq,
                receiver_head,
            };
            Ok((attempt, relation))
        }
        (logged, theirs, relation) => {
            let log_seq = logged.as_ref().ok().and_then(|head| head.map(|head| head.seq));
            let their_seq = theirs.as_ref().ok().and_then(|head| head.as_ref().map(|head| head.seq));
            give_up(store, &out, log_seq, their_seq, now_ms).await;
            relation?;
            logged?;
            theirs?;
            Err(Refusal::from(Code::USER_NOT_FOUND).into())
        }
    }
}

impl Attempt<'_> {
    /// The number was taken: a repeat is finished, anything else is refused.
    async fn repeat(self, sender: InboxHead) -> Result<SentToPeer, SendError> {
        self.give_up().await;
        let numbering = repeated(&self.out, &sender)?;
        self.finish(numbering, sender).await
    }

    /// The receiver takes no messages from the sender. A message that was accepted before that is
    /// answered as it was.
    async fn refuse(self, code: Code) -> Result<SentToPeer, SendError> {
        let sender = inboxes::head(self.store, self.out.draft.key.sender, true).await?;
        let sender = sender.ok_or_else(no_inbox)?;
        if matches!(self.out.check_number(&sender), NumberCheck::Repeat(_)) {
            return self.repeat(sender).await;
        }
        self.give_up().await;
        Err(Refusal::from(code).into())
    }

    /// Steps 3 and 4.
    async fn finish(self, numbering: Numbering, sender: InboxHead) -> Result<SentToPeer, SendError> {
        let Self { store, out, now_ms, .. } = &self;
        let own = out.draft.key.sender;
        let (message, logged) = put_in_peer_log(store, out, numbering, *now_ms).await?;
        let (theirs, own) = tokio::join!(
            put_in_inbox(
                store,
                out,
                self.receiver,
                Destination::Receiver,
                &message,
                logged.clone(),
                *now_ms
            ),
            put_in_inbox(store, out, own, Destination::Own, &message, logged, *now_ms),
        );
        let (theirs, own) = (theirs?, own?);
        Ok(SentToPeer {
            message,
            own_seq: own.numbering.own_seq,
            receiver_seq: theirs.numbering.plan.receiver_seq,
            sender: own.head.unwrap_or(sender),
            receiver: theirs.head.unwrap_or(self.receiver_head),
        })
    }

    async fn give_up(&self) {
        let seqs = (Some(self.log_seq), Some(self.receiver_head.seq));
        give_up(self.store, &self.out, seqs.0, seqs.1, self.now_ms).await;
    }
}

/// Seals seqs that were reserved and are not used.
async fn give_up(store: &Store, out: &Outgoing<'_>, log_seq: Option<u64>, receiver_seq: Option<u64>, now_ms: i64) {
    let seal = async |destination, seq: Option<u64>| {
        if let Some(seq) = seq {
            timelines::give_up(store, &out.timeline(destination), seq, now_ms).await;
        }
    };
    tokio::join!(
        seal(Destination::Log, log_seq),
        seal(Destination::Receiver, receiver_seq)
    );
}
