//! A sender is a device that sends messages 1, 2, 3 … and repeats each until it is answered.

use super::{Outcome, Process};
use crate::harness::NOW;
use crate::world::World;
use rand::RngExt as _;
use std::collections::BTreeMap;
use wigwag_domain::outgoing::Draft;
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::{DeviceKey, GroupId, MessageKey, UserId};
use wigwag_invariants::{Answer, Conversation, DeviceIndex, DeviceKind, Event, Token};
use wigwag_messaging::SendError;
use wigwag_messaging::send_to_group::SentToGroup;
use wigwag_messaging::send_to_peer::SentToPeer;
use wigwag_protocol::Code;
use wigwag_protocol::pb::Message;

/// Attempts of one device that run at once.
const ATTEMPTS_AT_ONCE: usize = 3;
/// Attempts at one message while there are faults.
const TRIES: u32 = 12;

/// The other end of a sender's conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    User(UserId),
    Group(GroupId),
}

/// The answer to an accepted message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accepted {
    /// Its seq in the sender's inbox.
    own_seq: u64,
    /// Its seq in the receiver's inbox; 0 for a group.
    pub(crate) receiver_seq: u64,
    pub(crate) message: Message,
}

/// Sends with one message in flight.
pub(crate) struct Sender {
    pub(crate) user: UserId,
    key: DeviceKey,
    device: DeviceIndex,
    pub(crate) target: Target,
    session: u64,
    /// How many messages it has to send.
    messages: u64,
    /// The last message that it began.
    begun: u64,
    /// Attempts at that one.
    tries: u32,
    /// Whether its messages are too large for an inbox.
    is_large: bool,
    pub(crate) answers: BTreeMap<u64, Vec<Accepted>>,
}

impl Sender {
    fn conversation(&self) -> Conversation {
        match self.target {
            Target::User(user) => Conversation::pair(self.user.0, user.0),
            Target::Group(group) => Conversation::Group(group.0),
        }
    }

    /// Names a message of this sender.
    pub(crate) fn token(&self, client_id: u64) -> Token {
        Token {
            number: self.session * 1000 + client_id,
            bytes: if self.is_large { 1_010 } else { 0 },
        }
    }

    fn draft(&self, client_id: u64) -> Draft {
        let key = MessageKey {
            sender: self.user,
            device: self.key.clone(),
            session: self.session,
            client_id,
        };
        Draft {
            key,
            message_type: 1,
            content: self.token(client_id).content().into_bytes(),
        }
    }

    fn is_answered(&self) -> bool {
        self.begun == 0 || self.answers.contains_key(&self.begun)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.begun == self.messages && self.is_answered()
    }

    /// The messages that it has to send.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        1..=self.messages
    }
}

impl World {
    /// Adds a sender. Its session must be one that no other sender has.
    pub(crate) fn add_sender(&mut self, user: UserId, name: &str, target: Target, session: u64, messages: u64) {
        let device = self
            .history
            .add_device(user.0, format!("u{user}.{name}"), DeviceKind::Raw);
        self.senders.push(Sender {
            user,
            key: DeviceKey::derive(1, name),
            device,
            target,
            session,
            messages,
            begun: 0,
            tries: 0,
            is_large: self.dice.random_ratio(1, 4),
            answers: BTreeMap::new(),
        });
    }

    /// Makes some sender begin its next message, or repeat the one that is not answered.
    pub(crate) fn send(&mut self) {
        let sender = self.dice.random_range(0..self.senders.len());
        let attempts = self.running(|process| matches!(process, Process::Send { sender: its, .. } if its == sender));
        let it = &self.senders[sender];
        if attempts.len() < ATTEMPTS_AT_ONCE && !it.is_done() && (it.is_answered() || it.tries < TRIES) {
            self.attempt_send(sender);
        }
    }

    fn attempt_send(&mut self, sender: usize) -> Process {
        let it = &mut self.senders[sender];
        if it.is_answered() {
            it.begun += 1;
            it.tries = 0;
            let (message, to) = (it.token(it.begun), it.conversation());
            self.history.on(it.device, Event::Send { message, to });
        }
        it.tries += 1;
        let process = Process::Send {
            sender,
            client_id: it.begun,
            number: it.tries,
        };
        let (store, queue, draft) = (self.store.clone(), self.queue.clone(), it.draft(it.begun));
        let (target, now_ms) = (it.target, NOW + i64::from(it.tries));
        self.scheduler.start(process, async move {
            let accepted = match target {
                Target::User(user) => {
                    let sent = wigwag_messaging::send_to_peer(&store, &draft, user, MessagesFrom::Anyone, now_ms).await;
                    sent.map(Accepted::from)
                }
                Target::Group(group) => {
                    let sent = wigwag_messaging::send_to_group(&store, &queue, &draft, group, now_ms).await;
                    sent.map(Accepted::from)
                }
            };
            Outcome::Sent(Box::new(accepted))
        });
        self.judge();
        process
    }

    /// Repeats what is not answered and sends the rest, until a sender is done.
    pub(crate) fn finish_sender(&mut self, sender: usize) {
        let mut tries = 0;
        while !self.senders[sender].is_done() && self.errors.is_empty() {
            tries = if self.senders[sender].is_answered() {
                0
            } else {
                tries + 1
            };
            let process = self.attempt_send(sender);
            self.last_try(process, tries);
        }
    }

    pub(super) fn message_was_sent(
        &mut self,
        process: Process,
        sender: usize,
        client_id: u64,
        result: Result<Accepted, SendError>,
    ) {
        let it = &mut self.senders[sender];
        match result {
            Ok(accepted) => {
                self.scheduler.note(&format_args!(
                    "{process}: acknowledged, log {}, own inbox {}, receiver's {}",
                    accepted.message.conversation_seq, accepted.own_seq, accepted.receiver_seq
                ));
                let (message, answer) = (it.token(client_id), accepted.answer());
                self.history.on(it.device, Event::Acknowledged { message, answer });
                it.answers.entry(client_id).or_default().push(accepted);
            }
            Err(error) => {
                self.scheduler
                    .note(&format_args!("{process}: not acknowledged: {error}"));
                match error {
                    // It was answered long ago, and the next one was sent.
                    SendError::Refused(refusal) if refusal.code == Code::CLIENT_ID_PASSED && client_id < it.begun => {}
                    SendError::Store(error) if error.is_retryable() => {}
                    error => self.errors.push(format!("{process}: {error}")),
                }
            }
        }
    }
}

impl Accepted {
    fn answer(&self) -> Answer {
        Answer {
            session: self.message.session,
            client_id: self.message.client_id,
            seq: self.own_seq,
            conversation_seq: self.message.conversation_seq,
            send_time_ms: self.message.send_time,
        }
    }
}

impl From<SentToPeer> for Accepted {
    fn from(sent: SentToPeer) -> Self {
        Self {
            own_seq: sent.own_seq,
            receiver_seq: sent.receiver_seq,
            message: sent.message,
        }
    }
}

impl From<SentToGroup> for Accepted {
    fn from(sent: SentToGroup) -> Self {
        Self {
            own_seq: sent.own_seq,
            receiver_seq: 0,
            message: sent.message,
        }
    }
}
