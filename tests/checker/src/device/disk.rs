//! The disk of an SDK device: the cursors and the session that its app keeps.
//!
//! The disk is changed under one lock, and each start of the app has a number there. Whatever a
//! crashed start still does is neither on the disk nor in the history.

use super::Participant;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wigwag_client::{Event as ClientEvent, Message, Receipt, SendError, Session, SessionStore};
use wigwag_invariants::{Answer, Channel, Event, GroupId, Observed, Token};

/// What survives a crash.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Counts the starts. Only the last one writes.
    pub(super) start: u64,
    /// Whether anything was ever written.
    pub(super) is_installed: bool,
    pub(super) cursor: u64,
    pub(super) groups: BTreeMap<GroupId, u64>,
    pub(super) ended_groups: BTreeMap<GroupId, u64>,
    pub(super) session: Option<Session>,
    /// The message that the last start found unanswered, until its result is known.
    pub(super) restored: Option<Token>,
    /// Messages that a client began to send. The next start queues the others again.
    pub(super) begun: HashSet<Token>,
    /// Whether the client of the last start has stopped by itself.
    pub(super) has_stopped: bool,
}

/// Writes on the disk for one start of the app.
#[derive(Debug, Clone)]
pub(super) struct DiskWriter {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) start: u64,
    pub(super) participant: Participant,
}

impl Disk {
    /// The message that was in flight when the session was last saved.
    pub(super) fn pending(&self) -> Option<Token> {
        Token::parse(&self.session.as_ref()?.pending.as_ref()?.content)
    }
}

impl DiskWriter {
    /// The disk, if this is still the last start.
    fn disk(&self) -> Option<MutexGuard<'_, Disk>> {
        Some(lock(&self.disk)).filter(|disk| disk.start == self.start)
    }

    /// Handles an event like an app: records it, and then keeps the cursor.
    pub(super) fn take(&self, event: ClientEvent) {
        let Some(mut disk) = self.disk() else {
            return;
        };
        match event {
            ClientEvent::Message(message) => {
                self.came(Channel::Inbox, &message);
                disk.cursor = message.seq;
            }
            ClientEvent::CaughtUp { cursor } => {
                self.participant.note(Event::Cursor { seq: cursor });
                disk.cursor = cursor;
            }
            ClientEvent::GroupMessage(message) => {
                self.came(Channel::GroupLog, &message);
                disk.groups.insert(message.receiver_id, message.conversation_seq);
            }
            ClientEvent::GroupCursor { group_id, cursor } => {
                let (group, seq) = (group_id, cursor);
                self.participant.note(Event::GroupCursor { group, seq });
                disk.groups.insert(group, seq);
            }
            ClientEvent::GroupEnded { group_id, cursor } => {
                disk.groups.remove(&group_id);
                disk.ended_groups.insert(group_id, cursor);
            }
            ClientEvent::PendingSettled(result) => {
                if let Some(message) = disk.restored.take() {
                    drop(disk);
                    settle(&self.disk, &self.participant, message, result);
                }
            }
            ClientEvent::Connected => self.participant.note(Event::Connected),
            ClientEvent::Disconnected { reason, .. } => self.disconnected(&reason),
            ClientEvent::Stopped(reason) => {
                disk.has_stopped = true;
                self.disconnected(&reason);
            }
            _ => {}
        }
    }

    fn came(&self, by: Channel, message: &Message) {
        let observed = Observed::from_message(message);
        self.participant.note(Event::Came { by, observed });
    }

    fn disconnected(&self, reason: &impl ToString) {
        let reason = reason.to_string();
        self.participant.note(Event::Disconnected { reason });
    }
}

impl SessionStore for DiskWriter {
    fn save(&self, session: &Session) -> io::Result<()> {
        let mut disk = self.disk().ok_or_else(|| io::Error::other("the app has ended"))?;
        disk.session = Some(session.clone());
        let pending = disk.pending();
        disk.begun.extend(pending);
        Ok(())
    }
}

/// Records the result of a message, unless the disk still holds it for the next start.
pub(super) fn settle(
    disk: &Mutex<Disk>,
    participant: &Participant,
    message: Token,
    result: Result<Receipt, SendError>,
) {
    match result {
        Ok(receipt) => participant.note(Event::Acknowledged {
            message,
            answer: answer(receipt),
        }),
        Err(SendError::Refused { code, .. }) => participant.note(Event::Refused {
            message,
            code: u32::try_from(code).unwrap_or_default(),
        }),
        Err(_) if lock(disk).pending() == Some(message) => {}
        Err(error) => give_up(participant, message, &error.to_string()),
    }
}

pub(super) fn give_up(participant: &Participant, message: Token, reason: &str) {
    let reason = reason.to_owned();
    participant.note(Event::GivenUp { message, reason });
}

fn answer(receipt: Receipt) -> Answer {
    Answer {
        session: receipt.session,
        client_id: receipt.client_id,
        seq: receipt.seq,
        conversation_seq: receipt.conversation_seq,
        send_time_ms: receipt.send_time_ms,
    }
}

pub(super) fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}
