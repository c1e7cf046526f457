//! A message on its way, from reservation to acknowledgement. One-to-one:
//!
//! 1. reserve in the log ‖ reserve in the receiver's inbox ‖ read what the receiver is to the sender
//! 2. claim: one conditional write on the sender's head is the dedupe, the counter of the sender's inbox and the plan
//! 3. put the log entry (first: an inbox entry names a log entry that stands)
//! 4. put the receiver's ‖ the sender's inbox entry
//!
//! Whoever repeats a message finds its plan and finishes it from there; what the repeat itself had reserved is sealed at
//! once. A put that meets a seal reserves again and swaps the seq in the plan, conditionally on the plan it knows, so
//! that two attempts at one message agree on one place.
//!
//! Six write units for a message of up to 1 KB, one read unit, four round trips.
//!
//! A message to a [group](SentToGroup) goes the same way into its log and the sender's inbox; tasks bring it to the members.

mod group;
mod outgoing;
mod place;

pub use group::SentToGroup;
pub use outgoing::Draft;

use crate::error::StoreError;
use crate::head::{Head, attribute};
use crate::ids::{Recipient, TimelineId, UserId};
use crate::item::{condition_item, number};
use crate::numbering::{Numbering, Plan, Verdict};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use crate::timeline::{self, Missing};
use crate::{Store, directory::Relation};
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use outgoing::{Outgoing, Place};
use wigwag_protocol::Code;
use wigwag_protocol::pb;

/// Who may write to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagesFrom {
    /// Everyone whom the user has not blocked.
    Anyone,
    /// Friends alone.
    Friends,
}

impl MessagesFrom {
    /// Why somebody may not write to a user, where they may not. `relation`: what they are to that user.
    pub fn refuses(self, relation: Relation) -> Option<Code> {
        match self {
            _ if relation.blocked => Some(Code::BLOCKED),
            Self::Friends if !relation.friend => Some(Code::NOT_FRIENDS),
            Self::Friends | Self::Anyone => None,
        }
    }
}

/// A message that is durable in the log and in both inboxes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The message as it stands, without the seq of an inbox.
    pub message: pb::Message,
    /// Its seq in the sender's inbox.
    pub own_seq: u64,
    /// Its seq in the receiver's inbox.
    pub receiver_seq: u64,
    /// The sender's head, with the devices to push to.
    pub sender: Head,
    /// The receiver's head, with the devices to push to.
    pub receiver: Head,
}

/// Why a message is not accepted. This attempt stored nothing of it, and its number is still to be used. (Another attempt at
/// it that ran at the same time may have been accepted: where a block and a send meet, either order is right.)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused: {code}")]
pub struct Refusal {
    /// The reason.
    pub code: Code,
    /// The number that would be accepted next, where that is the reason.
    pub expected: Option<u64>,
    /// The session that the device's numbering is in, where that is the reason.
    pub session: Option<u64>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self {
            code,
            expected: None,
            session: None,
        }
    }
}

/// Why there is no acknowledgement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message is not accepted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something failed on the way: it may be finished by a repeat.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether the sender's own inbox holds the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnCopy {
    Kept,
    /// A super group's members read its log.
    None,
}

/// Seqs that an attempt took before it knew whether it may use them.
#[derive(Debug)]
struct Reserved {
    log_seq: u64,
    receiver: Head,
}

/// How a claim ended: the sender's head after it, and before it where it was refused.
enum Claim {
    Won(Head),
    Lost(Head),
}

impl Store {
    /// Sends a one-to-one message, or finishes and answers again one that was sent before. When this returns `Ok`, the
    /// message is durable in the log and in both inboxes.
    #[tracing::instrument(name = "store.send", skip_all, fields(user.id = draft.key.sender, client_id = draft.key.client_id))]
    pub async fn send(
        &self,
        draft: &Draft,
        receiver: UserId,
        from: MessagesFrom,
        now_ms: i64,
    ) -> Result<Sent, SendError> {
        let to = Recipient::Peer(receiver);
        let out = &Outgoing { draft, to };
        let (reserved, relation) = self.prepare(out, receiver, now_ms).await?;
        if let Some(code) = from.refuses(relation) {
            return self.send_refused(out, reserved, code, now_ms).await;
        }
        let plan = out.plan(reserved.log_seq, reserved.receiver.seq, now_ms);
        match self.claim(out, plan, OwnCopy::Kept, now_ms).await {
            Ok(Claim::Won(sender)) => {
                let numbering = numbering_of(out, &sender)?;
                self.finish(out, numbering, sender, reserved.receiver, now_ms).await
            }
            Ok(Claim::Lost(sender)) => self.send_again(out, reserved, sender, now_ms).await,
            Err(error @ StoreError::Throttled { .. }) => {
                self.give_up(out, Some(reserved.log_seq), Some(reserved.receiver.seq), now_ms)
                    .await;
                Err(error.into())
            }
            // The claim may stand, and then its plan names these seqs: the next attempt finds out.
            Err(error) => Err(error.into()),
        }
    }

    /// Step 1. A log comes to be with the first message that has a receiver. Where a part fails, the rest is given up.
    async fn prepare(
        &self,
        out: &Outgoing<'_>,
        receiver: UserId,
        now_ms: i64,
    ) -> Result<(Reserved, Relation), SendError> {
        let (log, inbox) = (out.timeline(Place::Log), out.timeline(Place::Receiver));
        let (mut logged, theirs, relation) = tokio::join!(
            self.reserve(&log, 1, Missing::Refuse, now_ms),
            self.reserve(&inbox, 1, Missing::Refuse, now_ms),
            self.relation(receiver, out.draft.key.sender),
        );
        if matches!((&logged, &theirs), (Ok(None), Ok(Some(_)))) {
            logged = self.reserve(&log, 1, Missing::Create, now_ms).await;
        }
        match (logged, theirs, relation) {
            (Ok(Some(log)), Ok(Some(receiver)), Ok(relation)) => {
                let log_seq = log.seq;
                Ok((Reserved { log_seq, receiver }, relation))
            }
            (logged, theirs, relation) => {
                let taken = |head: &Result<Option<Head>, _>| head.as_ref().ok()?.as_ref().map(|head| head.seq);
                self.give_up(out, taken(&logged), taken(&theirs), now_ms).await;
                relation?;
                logged?;
                theirs?;
                Err(Refusal::from(Code::USER_NOT_FOUND).into())
            }
        }
    }

    /// Step 2.
    async fn claim(&self, out: &Outgoing<'_>, plan: Plan, own_copy: OwnCopy, now_ms: i64) -> Result<Claim, StoreError> {
        let numbering = Numbering {
            session: out.draft.key.session,
            client_id: out.draft.key.client_id,
            plan,
            own_seq: 0,
        };
        let is_next = match out.draft.key.client_id {
            1 => {
                "attribute_exists(#t) AND (#s.#session < :session \
                 OR (attribute_not_exists(#s) AND (attribute_not_exists(#floor) OR #floor < :session)))"
            }
            _ => "attribute_exists(#t) AND #s.#session = :session AND #s.#client_id = :previous",
        };
        let mut call = self
            .once
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(timeline::key(&out.timeline(Place::Own), attr::HEAD)))
            .condition_expression(is_next)
            .expression_attribute_names("#t", attr::TIMELINE)
            .expression_attribute_names("#s", attribute(attr::NUMBERING, &out.draft.key.device))
            .expression_attribute_names("#o", attribute(attr::OWN_SEQ, &out.draft.key.device))
            .expression_attribute_names("#session", attr::SESSION)
            .expression_attribute_values(":numbering", numbering.to_value())
            .expression_attribute_values(":session", number(out.draft.key.session))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        call = match own_copy {
            OwnCopy::Kept => call
                .update_expression("SET #s = :numbering, #o = #counter + :one, #counter = #counter + :one, #at = :now")
                .expression_attribute_names("#counter", attr::COUNTER)
                .expression_attribute_names("#at", attr::RESERVED_AT)
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":now", number(now_ms)),
            OwnCopy::None => call
                .update_expression("SET #s = :numbering, #o = :none")
                .expression_attribute_values(":none", number(0)),
        };
        if out.draft.key.client_id == 1 {
            call = call.expression_attribute_names("#floor", attr::SESSION_FLOOR);
        } else {
            call = call
                .expression_attribute_names("#client_id", attr::CLIENT_ID)
                .expression_attribute_values(":previous", number(out.draft.key.client_id - 1));
        }
        #[cfg(feature = "plant")]
        if plant::has(Bug::RepeatGetsNewSeq) {
            call = call.condition_expression(format!("({is_next}) OR attribute_exists(#t)"));
        }
        match call.send().await {
            Ok(output) => Ok(Claim::Won(Head::from_item(&output.attributes.unwrap_or_default())?)),
            Err(error) => match condition_item(error.as_service_error()) {
                Some(item) => Ok(Claim::Lost(Head::from_item(&item.ok_or_else(no_inbox)?)?)),
                None => Err(StoreError::call("UpdateItem (claim)")(error)),
            },
        }
    }

    /// The number was taken: a repeat is finished, anything else is refused.
    async fn send_again(
        &self,
        out: &Outgoing<'_>,
        reserved: Reserved,
        sender: Head,
        now_ms: i64,
    ) -> Result<Sent, SendError> {
        self.give_up(out, Some(reserved.log_seq), Some(reserved.receiver.seq), now_ms)
            .await;
        let numbering = repeated(out, &sender)?;
        #[cfg(feature = "plant")]
        if plant::has(Bug::RepeatUnfinished) {
            return Ok(Sent {
                message: out.message(&numbering),
                own_seq: numbering.own_seq,
                receiver_seq: numbering.plan.receiver_seq,
                sender,
                receiver: reserved.receiver,
            });
        }
        self.finish(out, numbering, sender, reserved.receiver, now_ms).await
    }

    /// The receiver does not take messages from the sender. One that was accepted before that is still answered as it was.
    async fn send_refused(
        &self,
        out: &Outgoing<'_>,
        reserved: Reserved,
        code: Code,
        now_ms: i64,
    ) -> Result<Sent, SendError> {
        let sender = self.head(&out.timeline(Place::Own), true).await?.ok_or_else(no_inbox)?;
        if matches!(out.judge(&sender), Verdict::Repeat(_)) {
            return self.send_again(out, reserved, sender, now_ms).await;
        }
        self.give_up(out, Some(reserved.log_seq), Some(reserved.receiver.seq), now_ms)
            .await;
        Err(Refusal::from(code).into())
    }

    /// Steps 3 and 4.
    async fn finish(
        &self,
        out: &Outgoing<'_>,
        numbering: Numbering,
        sender: Head,
        receiver: Head,
        now_ms: i64,
    ) -> Result<Sent, SendError> {
        let logged = self.place(out, Place::Log, numbering, now_ms).await?.numbering;
        let (theirs, own) = tokio::join!(
            self.place(out, Place::Receiver, logged.clone(), now_ms),
            self.place(out, Place::Own, logged.clone(), now_ms),
        );
        let (theirs, own) = (theirs?, own?);
        Ok(Sent {
            message: out.message(&logged),
            own_seq: own.numbering.own_seq,
            receiver_seq: theirs.numbering.plan.receiver_seq,
            sender: own.head.unwrap_or(sender),
            receiver: theirs.head.unwrap_or(receiver),
        })
    }

    async fn give_up(&self, out: &Outgoing<'_>, log_seq: Option<u64>, receiver_seq: Option<u64>, now_ms: i64) {
        let (log, inbox) = (out.timeline(Place::Log), out.timeline(Place::Receiver));
        let seal = async |timeline: &TimelineId, seq: Option<u64>| {
            if let Some(seq) = seq {
                self.give_up_one(timeline, seq, now_ms).await;
            }
        };
        tokio::join!(seal(&log, log_seq), seal(&inbox, receiver_seq));
    }

    /// Seals a seq that was reserved and is not used. Where that fails, a reader seals it after the lease.
    async fn give_up_one(&self, timeline: &TimelineId, seq: u64, now_ms: i64) {
        if let Err(error) = self.seal(timeline, seq, now_ms).await {
            tracing::warn!(%timeline, seq, %error, "could not seal a seq that is not used; a reader will");
        }
    }
}

fn refusal(verdict: &Verdict, session: u64) -> Option<Refusal> {
    match verdict {
        Verdict::Next | Verdict::Repeat(_) => None,
        Verdict::Reused => Some(Code::CLIENT_ID_REUSED.into()),
        Verdict::Ahead { expected } => Some(Refusal {
            code: Code::CLIENT_ID_AHEAD,
            expected: Some(*expected),
            session: Some(session),
        }),
        Verdict::Passed => Some(Code::CLIENT_ID_PASSED.into()),
        Verdict::SessionPassed { stored } => Some(Refusal {
            code: Code::SESSION_PASSED,
            expected: None,
            session: Some(*stored),
        }),
    }
}

/// How a message whose number was taken is to be finished, where it is that message again; else why it is refused.
fn repeated(out: &Outgoing<'_>, sender: &Head) -> Result<Numbering, SendError> {
    match out.judge(sender) {
        Verdict::Repeat(numbering) => Ok(numbering),
        verdict => {
            let refusal = refusal(&verdict, out.draft.key.session);
            Err(refusal.map_or_else(|| no_inbox().into(), SendError::Refused))
        }
    }
}

fn numbering_of(out: &Outgoing<'_>, sender: &Head) -> Result<Numbering, StoreError> {
    let device = sender.devices.get(&out.draft.key.device);
    device.and_then(|device| device.numbering.clone()).ok_or_else(no_inbox)
}

fn no_inbox() -> StoreError {
    StoreError::Corrupt {
        table: "timelines",
        detail: "a user without an inbox".to_owned(),
    }
}
