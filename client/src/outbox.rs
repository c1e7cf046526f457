//! The sending rule: numbering, one message in flight, and what each answer means for it.
//!
//! A message gets the session's next `client_id` when it is taken up, and keeps number and content until it is settled.
//! The server accepts a number once; a repeat gets the first answer again. Flow of one message:
//!
//! 1. [`Outbox::start`] numbers it; the caller saves [`Outbox::session`] if the app wants that, **then** transmits
//! 2. every transmission is an [`Attempt`]; its answer goes to [`Outbox::answer`]
//! 3. accepted → settled, the number is used up. Retryable → the same again. Finally refused → settled with an error; a
//!    refused message does not use up its number, the next one gets it
//!
//! # Where the server's record and ours differ
//!
//! The own copy of every accepted message comes back through the own inbox, or the log of the super group that it is for, with
//! its session and `client_id`; [`Outbox::observe`] recognises the one in flight by number **and** content. Then:
//!
//! - `CLIENT_ID_AHEAD` (the server forgot our numbering), `SESSION_PASSED` (a later session of this device is known): a new
//!   session above both is begun and the message is numbered 1 in it. No duplicate can arise when the refused transmission was
//!   the only one, for then the server has never accepted it. After more than one, an earlier one may have been accepted
//!   before the record went away. So the inbox (and the super group's log) is caught up with first; only if the own copy is not there is the message
//!   sent anew.
//! - A message restored from an earlier process is never sent anew on such an answer: its own copy may lie below
//!   the cursor that this process started with. It ends as [`SendError::StateLost`] unless its copy is seen.
//! - `CLIENT_ID_PASSED` (somebody else counted on in our session): the same check, and `StateLost` where it finds nothing.
//! - `CLIENT_ID_REUSED` (the number holds another message): that one was reported as refused on a repeat, but had been accepted
//!   before. Ours was not, so it takes the next number.
//!
//! What remains is a server that drops a device's record while a message of it is unanswered whose writer died between the log and
//! the own inbox, so that there is no copy to be found: it would stand twice. A server must refuse the sessions of a dropped record
//! (`SESSION_PASSED`), or number 1 of such a session would look like a new beginning; ours does.
//!
//! An answer counts only for the numbering that it was given to: a late one for an earlier message that had the same number
//! is ignored.

use crate::error::SendError;
use serde::{Deserialize, Serialize};
use wigwag_protocol::limits::MAX_INTEGER;
use wigwag_protocol::pb::{AckMsg, AckType, Message, SessionType, UpMsg};
use wigwag_protocol::{Code, OutputFrame, Payload};

/// A device's numbering of its messages, as an app may keep it. Saved before a message is transmitted, it lets the next
/// process send an unanswered message again under the same number, so that it cannot arrive twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Grows with every new numbering; the time it began, in ms.
    pub id: u64,
    /// The number of the pending message, or else of the next one.
    pub next_client_id: u64,
    /// The message that is not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Message>,
}

/// What the server gave a message that it accepted: it is durable in the conversation's log, and reaches every inbox that it is
/// to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The session that it was numbered in.
    pub session: u64,
    /// Its number there.
    pub client_id: u64,
    /// Its seq in the own inbox; 0 in a super group.
    pub seq: u64,
    /// Its seq in the conversation: the display order, the same for all sides.
    pub conversation_seq: u64,
    /// When the server accepted it, in ms.
    pub send_time_ms: i64,
}

/// Names one numbering of one message; every transmission of it carries the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    flight: u64,
    session: u64,
    client_id: u64,
}

/// What to do after an answer.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing: the answer is not for what is in flight.
    Ignore,
    /// The message is accepted; with it comes its copy as it stands in the own inbox.
    Accepted(Receipt, Box<Message>),
    /// The message is done with, and not accepted as far as can be known.
    Failed(SendError),
    /// Transmit the same again after a pause.
    Again,
    /// It has a new number: save, then transmit.
    Renumbered,
    /// Catch up with the inbox, then call [`Outbox::caught_up`].
    Verify,
    /// The connection is not signed in: open another.
    Reconnect,
}

/// Why it is open whether the message was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// The server's record is of another numbering; if the message is not found it can be sent in a new session.
    Lost { stored_session: u64 },
    /// The number was used up by somebody.
    Passed,
}

#[derive(Debug)]
struct Flight {
    /// Tells messages apart that had the same number in turn.
    serial: u64,
    message: Message,
    transmissions: u32,
    /// Whether an earlier process may have transmitted it.
    restored: bool,
    /// Its own copy, once that came through the inbox.
    seen: Option<Receipt>,
    doubt: Option<Doubt>,
}

/// State of the sending side.
#[derive(Debug)]
pub(crate) struct Outbox {
    user_id: u64,
    id: u64,
    next: u64,
    serial: u64,
    flight: Option<Flight>,
}

impl Outbox {
    /// Goes on with `session`, or begins one at `now_ms`.
    pub(crate) fn new(user_id: u64, session: Option<Session>, now_ms: u64) -> Self {
        let session = session.unwrap_or(Session {
            id: now_ms,
            next_client_id: 1,
            pending: None,
        });
        let flight = session.pending.map(|message| Flight {
            serial: 0,
            message,
            transmissions: 0,
            restored: true,
            seen: None,
            doubt: None,
        });
        Self {
            user_id,
            id: session.id,
            next: session.next_client_id.max(1),
            serial: 0,
            flight,
        }
    }

    /// What an app should keep.
    pub(crate) fn session(&self) -> Session {
        Session {
            id: self.id,
            next_client_id: self.next,
            pending: self.flight.as_ref().map(|flight| flight.message.clone()),
        }
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.flight.is_none()
    }

    /// Whether the inbox must be caught up with before anything else is transmitted.
    pub(crate) fn is_verifying(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.doubt.is_some())
    }

    /// Takes up the next message. Only when idle.
    pub(crate) fn start(&mut self, message: Message) {
        debug_assert!(self.is_idle(), "one message in flight");
        self.serial += 1;
        self.flight = Some(Flight {
            serial: self.serial,
            message: Message {
                sender_id: self.user_id,
                ..message
            },
            transmissions: 0,
            restored: false,
            seen: None,
            doubt: None,
        });
    }

    /// The message in flight, to be transmitted now. `None` when there is none, or its fate must be found out first.
    pub(crate) fn transmit(&mut self) -> Option<(Attempt, UpMsg)> {
        let (session, client_id) = (self.id, self.next);
        let flight = self.flight.as_mut().filter(|flight| flight.doubt.is_none())?;
        flight.transmissions += 1;
        let attempt = Attempt {
            flight: flight.serial,
            session,
            client_id,
        };
        let frame = UpMsg {
            msg: Some(flight.message.clone()),
            client_id,
            session,
        };
        Some((attempt, frame))
    }

    /// How often the message in flight was transmitted under its present number by this process.
    pub(crate) fn transmissions(&self) -> u32 {
        self.flight.as_ref().map_or(0, |flight| flight.transmissions)
    }

    /// The group that the message in flight is for.
    pub(crate) fn group(&self) -> Option<u64> {
        let message = &self.flight.as_ref()?.message;
        (message.session_type() == SessionType::Group).then_some(message.receiver_id)
    }

    /// Gives up the message in flight without an answer; only right when it was never transmitted under its present number.
    pub(crate) fn abandon(&mut self) {
        self.flight = None;
    }

    /// Takes note of a message of the inbox: it may be the own copy of the one in flight.
    pub(crate) fn observe(&mut self, message: &Message) {
        let numbered = (message.sender_id, message.session, message.client_id) == (self.user_id, self.id, self.next);
        if let Some(flight) = self
            .flight
            .as_mut()
            .filter(|flight| numbered && same(&flight.message, message))
        {
            flight.seen = Some(Receipt {
                session: message.session,
                client_id: message.client_id,
                seq: message.seq,
                conversation_seq: message.conversation_seq,
                send_time_ms: message.send_time,
            });
        }
    }

    /// Judges the answer to an attempt. `now_ms` becomes the id of a new session where one is needed.
    pub(crate) fn answer(&mut self, attempt: Attempt, answer: &OutputFrame, now_ms: u64) -> Step {
        let Some(flight) = &self.flight else {
            return Step::Ignore;
        };
        let (current, in_doubt) = (self.attempt(flight), flight.doubt.is_some());
        if attempt != current || (in_doubt && !answer.is_ok()) {
            return Step::Ignore;
        }
        let ack = match &answer.payload {
            Payload::Ack(ack) => Some(ack),
            _ => None,
        };
        if answer.is_ok() {
            return self.accepted(ack);
        }
        match Code::from_number(answer.code) {
            // The very number we sent: the answer contradicts itself, so only a repeat can tell.
            Some(Code::CLIENT_ID_AHEAD) if ack.is_some_and(|ack| ack.expected_client_id == self.next) => Step::Again,
            Some(Code::CLIENT_ID_AHEAD | Code::SESSION_PASSED) => {
                let stored_session = ack.map_or(0, |ack| ack.session);
                self.doubt(Doubt::Lost { stored_session }, now_ms)
            }
            Some(Code::CLIENT_ID_PASSED) => self.doubt(Doubt::Passed, now_ms),
            Some(Code::CLIENT_ID_REUSED) => self.renumber(self.id, self.next + 1),
            Some(Code::NOT_SIGNED_IN | Code::TOKEN_INVALID | Code::TOKEN_EXPIRED | Code::TOKEN_ELSEWHERE) => {
                Step::Reconnect
            }
            _ if answer.retryable => Step::Again,
            _ => self.refused(answer),
        }
    }

    /// Everything that the server had when the doubt arose has passed [`Self::observe`].
    pub(crate) fn caught_up(&mut self, now_ms: u64) -> Step {
        let Some(flight) = &self.flight else {
            return Step::Ignore;
        };
        let Some(doubt) = flight.doubt else {
            return Step::Ignore;
        };
        match (flight.seen, doubt) {
            (Some(receipt), _) => self.settle_accepted(receipt),
            (None, Doubt::Lost { stored_session }) if !flight.restored => self.new_session(stored_session, now_ms),
            (None, doubt) => {
                let stored = match doubt {
                    Doubt::Lost { stored_session } => stored_session,
                    Doubt::Passed => self.id,
                };
                self.flight = None;
                self.new_session(stored, now_ms);
                Step::Failed(SendError::StateLost)
            }
        }
    }

    fn attempt(&self, flight: &Flight) -> Attempt {
        Attempt {
            flight: flight.serial,
            session: self.id,
            client_id: self.next,
        }
    }

    fn accepted(&mut self, ack: Option<&AckMsg>) -> Step {
        match ack {
            Some(ack) if ack.r#type() == AckType::Up && ack.client_id == self.next => self.settle_accepted(Receipt {
                session: self.id,
                client_id: self.next,
                seq: ack.seq,
                conversation_seq: ack.conversation_seq,
                send_time_ms: ack.send_time,
            }),
            // A success that does not say of what: repeat, the server answers a repeat with the same seqs.
            _ => Step::Again,
        }
    }

    fn settle_accepted(&mut self, receipt: Receipt) -> Step {
        let Some(flight) = self.flight.take() else {
            return Step::Ignore;
        };
        self.next += 1;
        let own_copy = Message {
            seq: receipt.seq,
            send_time: receipt.send_time_ms,
            conversation_seq: receipt.conversation_seq,
            client_id: receipt.client_id,
            session: receipt.session,
            ..flight.message
        };
        Step::Accepted(receipt, Box::new(own_copy))
    }

    fn refused(&mut self, answer: &OutputFrame) -> Step {
        if let Some(receipt) = self.flight.as_ref().and_then(|flight| flight.seen) {
            // Refused on a repeat (blocked since, say), but an earlier transmission had been accepted.
            return self.settle_accepted(receipt);
        }
        self.flight = None;
        Step::Failed(SendError::Refused {
            code: answer.code,
            message: answer.code_msg.clone(),
        })
    }

    fn doubt(&mut self, doubt: Doubt, now_ms: u64) -> Step {
        let Some(flight) = &mut self.flight else {
            return Step::Ignore;
        };
        if let Some(receipt) = flight.seen {
            return self.settle_accepted(receipt);
        }
        if flight.transmissions > 1 || flight.restored {
            flight.doubt = Some(doubt);
            return Step::Verify;
        }
        match doubt {
            Doubt::Lost { stored_session } => self.new_session(stored_session, now_ms),
            Doubt::Passed => self.new_session(self.id, now_ms),
        }
    }

    fn new_session(&mut self, stored: u64, now_ms: u64) -> Step {
        let above = self.id.max(stored).saturating_add(1);
        self.renumber(now_ms.max(above).min(MAX_INTEGER), 1)
    }

    fn renumber(&mut self, session: u64, client_id: u64) -> Step {
        (self.id, self.next) = (session, client_id);
        if let Some(flight) = &mut self.flight {
            flight.transmissions = 0;
            flight.doubt = None;
            flight.restored = false;
        }
        Step::Renumbered
    }
}

/// Whether two messages say the same to the same receiver.
fn same(a: &Message, b: &Message) -> bool {
    (a.session_type, a.receiver_id, a.message_type, &a.content)
        == (b.session_type, b.receiver_id, b.message_type, &b.content)
}

#[cfg(test)]
#[path = "tests/outbox.rs"]
mod tests;
