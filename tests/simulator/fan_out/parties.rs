//! Who takes part: devices that send, members who come and go, workers, readers.

use crate::processes::Read;
use std::fmt;
use wigwag_store::fanout::{Delivered, Task};
use wigwag_store::groups::{ChangeError, Changed, Finished, Wanted};
use wigwag_store::send::{SendError, SentToGroup};
use wigwag_store::{StoreError, UserId};

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Send { device: usize, client_id: u64, number: u32 },
    Change { member: usize, change: usize, number: u32 },
    Work { number: u32 },
    Finish { number: u32 },
    Read { reader: usize, number: u32 },
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send {
                device,
                client_id,
                number,
            } => write!(f, "device {device} message {client_id} attempt {number}"),
            Self::Change { member, change, number } => write!(f, "member {member} change {change} attempt {number}"),
            Self::Work { number } => write!(f, "worker {number}"),
            Self::Finish { number } => write!(f, "worker {number}, finishing"),
            Self::Read { reader, number } => write!(f, "reader {reader} read {number}"),
        }
    }
}

/// How it ends.
#[derive(Debug)]
pub(crate) enum End {
    Send(Box<Result<SentToGroup, SendError>>),
    Change(Result<Changed, ChangeError>),
    Work(Delivered),
    Finish(Result<Finished, StoreError>),
    Read(Result<Read, StoreError>),
}

/// When something began, and when it was acknowledged first, in turns. Two that overlap may be ordered either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) begun: usize,
    pub(crate) acknowledged: Option<usize>,
}

impl Interval {
    pub(crate) fn is_before(self, other: Self) -> bool {
        self.acknowledged.is_some_and(|end| end < other.begun)
    }
}

/// What a member does, or what is done to them, one after the other.
pub(crate) struct Member {
    pub(crate) user: UserId,
    pub(crate) is_in_from_the_start: bool,
    /// In turns joining and leaving. Who makes the change, and which.
    pub(crate) changes: Vec<(UserId, Wanted)>,
    /// Those that were begun; the last may not be acknowledged.
    pub(crate) intervals: Vec<Interval>,
    /// Attempts at the last.
    pub(crate) tries: u32,
}

impl Member {
    pub(crate) fn is_answered(&self) -> bool {
        self.intervals.last().is_none_or(|last| last.acknowledged.is_some())
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_answered() && self.intervals.len() == self.changes.len()
    }

    /// The stays, each from a change that joins to one that leaves; `None` before the first change and after the last.
    pub(crate) fn stays(&self) -> Vec<(Option<Interval>, Option<Interval>)> {
        let mut ends: Vec<Option<Interval>> = self.intervals.iter().copied().map(Some).collect();
        if self.is_in_from_the_start {
            ends.insert(0, None);
        }
        ends.chunks(2)
            .map(|ends| (ends[0], ends.get(1).copied().flatten()))
            .collect()
    }
}

/// A task in the queue.
pub(crate) struct Queued {
    pub(crate) id: u32,
    pub(crate) task: Task,
    /// How often it was handed out.
    pub(crate) handed_out: u32,
}
