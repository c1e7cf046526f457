//! What the judge finds.

use crate::UserId;
use crate::history::DeviceIndex;
use crate::message::Token;
use serde::Serialize;
use std::fmt;

/// A promise of `docs/user/guarantee.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Promise {
    /// An acknowledged message is in its log, and in the inbox of everyone who is entitled to it.
    G1,
    /// It is in each of them exactly once.
    G2,
    /// Seqs are dense, and no cursor skips an entry.
    G3,
    /// All see one order, and it keeps the order in which each device sent.
    G4,
    /// A repeat gets the same answer.
    G5,
    /// Nobody gets or sends what they may not.
    G6,
    /// A device that comes back ends up with the same list as one that stayed.
    G7,
    /// A message that is repeated until it is answered is answered.
    Answered,
    /// A device that stays connected is pushed what comes.
    Pushed,
}

/// How a promise was broken; the figures count this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// Somebody lacks a message that they are entitled to.
    Lost,
    /// Something is stored, or came, more than once.
    Duplicated,
    /// Something is in another order than it was sent, or in another order for some users.
    Reordered,
    /// Somebody has a message that they are not entitled to.
    Leaked,
    /// Anything else.
    Other,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which promise.
    pub promise: Promise,
    /// How.
    pub harm: Harm,
    /// In one sentence.
    pub text: String,
    /// The messages that it is about.
    pub messages: Vec<Token>,
    /// The device that it is about, if it is about one.
    pub device: Option<DeviceIndex>,
    /// The user that it is about, if it is about one.
    pub user: Option<UserId>,
}

/// How far the run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Everybody is busy: only what can never come right again is a violation.
    Running,
    /// The faults have stopped, everybody has synced, and the queues are empty.
    Settled,
}

impl Violation {
    pub(crate) fn new(promise: Promise, harm: Harm, text: String) -> Self {
        Self {
            promise,
            harm,
            text,
            messages: Vec::new(),
            device: None,
            user: None,
        }
    }

    /// Adds a message that it is about, if there is one.
    pub(crate) fn with(mut self, message: Option<Token>) -> Self {
        self.messages.extend(message);
        self
    }

    /// Sets the device that it is about.
    pub(crate) fn on(mut self, device: DeviceIndex) -> Self {
        self.device = Some(device);
        self
    }

    /// Sets the user that it is about.
    pub(crate) fn of(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Leaked => "leaked",
            Self::Other => "other",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}: {}", self.promise, self.harm, self.text)
    }
}
