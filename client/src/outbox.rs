//! The sending rule: numbering, one message in flight, and the meaning of each answer.
//!
//! A message gets the session's next `client_id` and keeps number and content until it is settled.
//! The server accepts a number once; a repeat gets the first answer again.
//!
//! 1. [`Outbox::start`] numbers the message. The caller saves [`Outbox::session`], **then**
//!    transmits.
//! 2. Every transmission is a [`SendAttempt`]. Its answer goes to [`Outbox::answer`].
//! 3. Accepted: settled, the number is used up. Retryable: the same again. Refused for good:
//!    settled with an error, and the next message gets the number.
//!
//! `docs/user/sdk-internals.md` describes the recovery when the server's record and ours differ.

use crate::error::SendError;
use crate::session::{Receipt, Session};
use wigwag_protocol::limits::MAX_INTEGER;
use wigwag_protocol::pb::{AckMsg, AckType, Message, SessionType, UpMsg};
use wigwag_protocol::{Code, OutputFrame, Payload};

/// One numbering of one message. All its transmissions share it. An answer counts only for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SendAttempt {
    flight: u64,
    session: u64,
    client_id: u64,
}

/// What to do after an answer.
#[derive(Debug)]
pub(crate) enum OutboxStep {
    /// Do nothing: the answer is not for the message in flight.
    Ignore,
    /// The message was accepted. Includes its copy as stored in the user's own inbox.
    Accepted(Receipt, Box<Message>),
    /// The message is settled and, as far as is known, not accepted.
    Failed(SendError),
    /// Transmit the same again after a pause.
    Again,
    /// The message has a new number: save, then transmit.
    Renumbered,
    /// Catch up with the inbox, then call [`Outbox::caught_up`].
    Verify,
    /// The connection is not signed in: open another.
    Reconnect,
}

/// Why it is unknown whether the message was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// The server's record has another numbering. If the message is not found, it can be sent in a
    /// new session.
    Lost { stored_session: u64 },
    /// Somebody else used the number.
    Passed,
}

#[derive(Debug)]
struct InFlight {
    /// Distinguishes messages that had the same number one after the other.
    serial: u64,
    message: Message,
    transmissions: u32,
    /// Whether an earlier process may have transmitted it.
    restored: bool,
    /// Its copy in the user's own inbox or log, once it was seen.
    seen: Option<Receipt>,
    doubt: Option<Doubt>,
}

/// The state of sending.
#[derive(Debug)]
pub(crate) struct Outbox {
    user_id: u64,
    id: u64,
    next: u64,
    serial: u64,
    flight: Option<InFlight>,
}

impl Outbox {
    /// Continues `session`, or begins a new one at `now_ms`.
    pub(crate) fn new(user_id: u64, session: Option<Session>, now_ms: u64) -> Self {
        let session = session.unwrap_or(Session {
            id: now_ms,
            next_client_id: 1,
            pending: None,
        });
        let flight = session.pending.map(|message| InFlight {
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

    /// The numbering for the app to store.
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

    /// Whether the inbox must be caught up before anything else is transmitted.
    pub(crate) fn is_verifying(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.doubt.is_some())
    }

    /// Takes the next message. Call it only when idle.
    pub(crate) fn start(&mut self, message: Message) {
        debug_assert!(self.is_idle(), "one message in flight");
        self.serial += 1;
        self.flight = Some(InFlight {
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

    /// Returns the message in flight for transmission. `None` if there is none, or if its outcome
    /// must be found out first.
    pub(crate) fn transmit(&mut self) -> Option<(SendAttempt, UpMsg)> {
        let (session, client_id) = (self.id, self.next);
        let flight = self.flight.as_mut().filter(|flight| flight.doubt.is_none())?;
        flight.transmissions += 1;
        let attempt = SendAttempt {
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

    /// How often this process transmitted the message in flight under its present number.
    pub(crate) fn transmissions(&self) -> u32 {
        self.flight.as_ref().map_or(0, |flight| flight.transmissions)
    }

    /// The group that the message in flight is for.
    pub(crate) fn group(&self) -> Option<u64> {
        let message = &self.flight.as_ref()?.message;
        (message.session_type() == SessionType::Group).then_some(message.receiver_id)
    }

    /// Gives up the message in flight without an answer. Correct only if it was never transmitted
    /// under its present number.
    pub(crate) fn abandon(&mut self) {
        self.flight = None;
    }

    /// Notes a received message, which may be the copy of the one in flight.
    pub(crate) fn observe(&mut self, message: &Message) {
        let numbered = (message.sender_id, message.session, message.client_id) == (self.user_id, self.id, self.next);
        if let Some(flight) = self
            .flight
            .as_mut()
            .filter(|flight| numbered && is_same_message(&flight.message, message))
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

    /// Decides what an answer means. `now_ms` becomes the id of a new session if one is needed.
    pub(crate) fn answer(&mut self, attempt: SendAttempt, answer: &OutputFrame, now_ms: u64) -> OutboxStep {
        let Some(flight) = &self.flight else {
            return OutboxStep::Ignore;
        };
        let (current, in_doubt) = (self.attempt(flight), flight.doubt.is_some());
        if attempt != current || (in_doubt && !answer.is_ok()) {
            return OutboxStep::Ignore;
        }
        let ack = match &answer.payload {
            Payload::Ack(ack) => Some(ack),
            _ => None,
        };
        if answer.is_ok() {
            return self.accepted(ack);
        }
        match Code::from_number(answer.code) {
            // The server expects the number that we sent, which contradicts the refusal. Only a
            // repeat can tell.
            Some(Code::CLIENT_ID_AHEAD) if ack.is_some_and(|ack| ack.expected_client_id == self.next) => {
                OutboxStep::Again
            }
            Some(Code::CLIENT_ID_AHEAD | Code::SESSION_PASSED) => {
                let stored_session = ack.map_or(0, |ack| ack.session);
                self.doubt(Doubt::Lost { stored_session }, now_ms)
            }
            Some(Code::CLIENT_ID_PASSED) => self.doubt(Doubt::Passed, now_ms),
            Some(Code::CLIENT_ID_REUSED) => self.renumber(self.id, self.next + 1),
            Some(Code::NOT_SIGNED_IN | Code::TOKEN_INVALID | Code::TOKEN_EXPIRED | Code::TOKEN_ELSEWHERE) => {
                OutboxStep::Reconnect
            }
            _ if answer.retryable => OutboxStep::Again,
            _ => self.refused(answer),
        }
    }

    /// Everything that the server had when the doubt arose has passed [`Self::observe`].
    pub(crate) fn caught_up(&mut self, now_ms: u64) -> OutboxStep {
        let Some(flight) = &self.flight else {
            return OutboxStep::Ignore;
        };
        let Some(doubt) = flight.doubt else {
            return OutboxStep::Ignore;
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
                OutboxStep::Failed(SendError::StateLost)
            }
        }
    }

    fn attempt(&self, flight: &InFlight) -> SendAttempt {
        SendAttempt {
            flight: flight.serial,
            session: self.id,
            client_id: self.next,
        }
    }

    fn accepted(&mut self, ack: Option<&AckMsg>) -> OutboxStep {
        match ack {
            Some(ack) if ack.r#type() == AckType::Up && ack.client_id == self.next => self.settle_accepted(Receipt {
                session: self.id,
                client_id: self.next,
                seq: ack.seq,
                conversation_seq: ack.conversation_seq,
                send_time_ms: ack.send_time,
            }),
            // A success that does not name the message. The server answers a repeat with the same
            // seqs.
            _ => OutboxStep::Again,
        }
    }

    fn settle_accepted(&mut self, receipt: Receipt) -> OutboxStep {
        let Some(flight) = self.flight.take() else {
            return OutboxStep::Ignore;
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
        OutboxStep::Accepted(receipt, Box::new(own_copy))
    }

    fn refused(&mut self, answer: &OutputFrame) -> OutboxStep {
        if let Some(receipt) = self.flight.as_ref().and_then(|flight| flight.seen) {
            // A repeat was refused, because the sender was blocked since, for example. An earlier
            // transmission had been accepted.
            return self.settle_accepted(receipt);
        }
        self.flight = None;
        OutboxStep::Failed(SendError::Refused {
            code: answer.code,
            message: answer.code_msg.clone(),
        })
    }

    fn doubt(&mut self, doubt: Doubt, now_ms: u64) -> OutboxStep {
        let Some(flight) = &mut self.flight else {
            return OutboxStep::Ignore;
        };
        if let Some(receipt) = flight.seen {
            return self.settle_accepted(receipt);
        }
        if flight.transmissions > 1 || flight.restored {
            flight.doubt = Some(doubt);
            return OutboxStep::Verify;
        }
        match doubt {
            Doubt::Lost { stored_session } => self.new_session(stored_session, now_ms),
            Doubt::Passed => self.new_session(self.id, now_ms),
        }
    }

    fn new_session(&mut self, stored: u64, now_ms: u64) -> OutboxStep {
        let above = self.id.max(stored).saturating_add(1);
        self.renumber(now_ms.max(above).min(MAX_INTEGER), 1)
    }

    fn renumber(&mut self, session: u64, client_id: u64) -> OutboxStep {
        (self.id, self.next) = (session, client_id);
        if let Some(flight) = &mut self.flight {
            flight.transmissions = 0;
            flight.doubt = None;
            flight.restored = false;
        }
        OutboxStep::Renumbered
    }
}

/// Whether two messages have the same content and receiver.
fn is_same_message(a: &Message, b: &Message) -> bool {
    (a.session_type, a.receiver_id, a.message_type, &a.content)
        == (b.session_type, b.receiver_id, b.message_type, &b.content)
}

#[cfg(test)]
#[path = "tests/outbox.rs"]
mod tests;
