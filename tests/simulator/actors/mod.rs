//! The actors of schedules: everything that makes calls, one kind in each file.
//!
//! An actor makes its calls in processes. A [`Process`] is started, gets its turns from the
//! scheduler, and ends with an [`Outcome`], which the [`World`](crate::world::World) hands back to
//! the actor.

pub(crate) mod changer;
pub(crate) mod reader;
pub(crate) mod sealer;
pub(crate) mod sender;
pub(crate) mod worker;
pub(crate) mod writer;

use crate::world::World;
use reader::ReadPage;
use sender::Accepted;
use std::fmt;
use wigwag_domain::groups::rules::Changed;
use wigwag_domain::timeline::Entry;
use wigwag_messaging::SendError;
use wigwag_messaging::change_group::ChangeError;
use wigwag_messaging::deliver::Delivered;
use wigwag_messaging::finish_change::Finished;
use wigwag_store::StoreError;

/// Names a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// A writer puts its entries.
    Write { writer: u8 },
    /// A seq is sealed.
    Seal { number: u32 },
    /// A reader reads its next page.
    Read { reader: usize, number: u32 },
    /// Every hole of a log is sealed.
    SealHoles { number: u32 },
    /// An attempt of a device to send a message.
    Send { sender: usize, client_id: u64, number: u32 },
    /// An attempt to change a group.
    Change { changer: usize, change: usize, number: u32 },
    /// A worker delivers messages.
    Deliver { worker: u32 },
    /// A worker finishes the change of another.
    Finish { worker: u32 },
}

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Wrote(Result<(), StoreError>),
    /// `Ok(None)` if the seq holds a seal now.
    Sealed(u64, Result<Option<Entry>, StoreError>),
    Read(Result<ReadPage, StoreError>),
    SealedHoles,
    Sent(Box<Result<Accepted, SendError>>),
    Changed(Result<Changed, ChangeError>),
    Delivered(Delivered),
    Finished(Result<Finished, StoreError>),
}

impl Process {
    /// Whether it belongs to a reader.
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Read { .. })
    }

    /// Whether it changes a group.
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Change { .. })
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { writer } => write!(f, "writer {writer}"),
            Self::Seal { number } => write!(f, "sealer {number}"),
            Self::Read { reader, number } => write!(f, "reader {reader} read {number}"),
            Self::SealHoles { number } => write!(f, "sealer of holes {number}"),
            Self::Send {
                sender,
                client_id,
                number,
            } => write!(f, "sender {sender} message {client_id} attempt {number}"),
            Self::Change {
                changer,
                change,
                number,
            } => write!(f, "changer {changer} change {change} attempt {number}"),
            Self::Deliver { worker } => write!(f, "worker {worker}"),
            Self::Finish { worker } => write!(f, "worker {worker}, finishing a change"),
        }
    }
}

impl World {
    /// Hands the outcome of a process to its actor.
    pub(crate) fn process_ended(&mut self, process: Process, outcome: Outcome) {
        match (process, outcome) {
            (Process::Write { .. }, Outcome::Wrote(Ok(()))) | (Process::SealHoles { .. }, Outcome::SealedHoles) => {}
            (Process::Write { .. }, Outcome::Wrote(Err(error))) => self.keep_unless_retryable(process, &error),
            (Process::Seal { .. }, Outcome::Sealed(seq, result)) => self.sealed(process, seq, result),
            (Process::Read { reader, .. }, Outcome::Read(result)) => self.page_was_read(process, reader, result),
            (Process::Send { sender, client_id, .. }, Outcome::Sent(result)) => {
                self.message_was_sent(process, sender, client_id, *result);
            }
            (Process::Change { changer, change, .. }, Outcome::Changed(result)) => {
                self.group_was_changed(process, changer, change, result);
            }
            (Process::Deliver { worker }, Outcome::Delivered(delivered)) => {
                self.messages_were_delivered(process, worker, delivered);
            }
            (Process::Finish { worker }, Outcome::Finished(result)) => {
                self.change_was_finished(process, worker, result);
            }
            (process, outcome) => unreachable!("{process} ends with {outcome:?}"),
        }
    }
}
