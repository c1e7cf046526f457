//! The promises, held against what happened and what stands.

use crate::history::{DeviceIndex, History, Token};
use crate::tables::Tables;
use serde::Serialize;

/// A promise of `docs/guarantee.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Promise {
    /// An acknowledged message is in its log and reaches everyone's inbox.
    G1,
    /// It stands exactly once.
    G2,
    /// Seqs are dense, and no cursor skips an entry.
    G3,
    /// One order for all, and each device's own.
    G4,
    /// A repeat has the same answer.
    G5,
    /// Nobody gets what is not theirs.
    G6,
    /// Who comes back has the same as who stayed.
    G7,
    /// A message that is repeated until it is answered is answered.
    Answered,
    /// A device that is connected is pushed what comes.
    Pushed,
}

/// How a promise was broken; what the figures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// Somebody does not have what they are to have.
    Lost,
    /// Something stands, or came, more than once.
    Duplicated,
    /// Something stands in another order than it was sent, or for some than for others.
    Reordered,
    /// Somebody has what they are not to have.
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
}

/// How far the run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Everybody is at it: only what cannot be mended any more is a violation.
    Running,
    /// The faults have stopped, everybody has synced, the queues are empty.
    Settled,
}

/// What is broken; nothing where all holds. The history was copied **before** the tables were read.
pub fn judge(_history: &History, _tables: &Tables, _stage: Stage) -> Vec<Violation> {
    todo!()
}
