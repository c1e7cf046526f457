//! The promises, held against what happened and what stands.
//!
//! While everybody is at it, only what cannot be mended any more is a violation: what was acknowledged stands, and nothing stands
//! twice, for another, or in another order. That nothing is missing is asked when all has settled. What began and was not seen to
//! end may have happened or not, so nothing is concluded from it.
//!
//! - [`case`]: what there is, put in order
//! - [`membership`], [`settings`]: who was a member when, and what a group was and allowed
//! - the others: a rule or a few each

mod announcements;
mod answers;
mod case;
mod delivery;
mod devices;
mod entitlement;
mod groups;
mod membership;
mod order;
mod roll_call;
mod settings;
mod spans;
mod super_groups;
mod timelines;

use crate::history::{DeviceIndex, History, Said, Token};
use crate::tables::Tables;
use case::Case;
use serde::Serialize;
use std::fmt;
use wigwag_store::UserId;

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
    /// The user that it is about, if it is about one.
    pub user: Option<UserId>,
}

/// How far the run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Everybody is at it: only what cannot be mended any more is a violation.
    Running,
    /// The faults have stopped, everybody has synced, the queues are empty.
    Settled,
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

/// What was found so far.
type Found = Vec<Violation>;

/// What is broken; nothing where all holds. The history was copied **before** the tables were read.
pub fn judge(history: &History, tables: &Tables, stage: Stage) -> Vec<Violation> {
    let case = Case::new(history, tables, stage);
    let mut found = Found::new();
    let rules = [
        delivery::judge,
        super_groups::judge,
        announcements::judge,
        timelines::judge,
        order::judge,
        answers::judge,
        entitlement::judge,
        devices::judge,
        roll_call::judge,
    ];
    for rule in rules {
        rule(&case, &mut found);
    }
    found
}

impl Violation {
    fn new(promise: Promise, harm: Harm, text: String) -> Self {
        Self {
            promise,
            harm,
            text,
            messages: Vec::new(),
            device: None,
            user: None,
        }
    }

    /// It is about this message too, if there is one.
    fn with(mut self, message: Option<Token>) -> Self {
        self.messages.extend(message);
        self
    }

    /// It is about this device.
    fn on(mut self, device: DeviceIndex) -> Self {
        self.device = Some(device);
        self
    }

    /// It is about this user.
    fn of(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }
}

/// A message in a sentence.
fn name(said: &Said) -> String {
    match (said.token, &said.change) {
        (Some(token), _) => token.to_string(),
        (None, Some(_)) => format!("the change at {} of {}", said.conversation_seq, said.conversation),
        (None, None) => "a message that nobody sent".to_owned(),
    }
}

/// The same, with where it was said.
fn name_in(said: &Said) -> String {
    match said.token {
        Some(token) => format!("{token} of {}", said.conversation),
        None => name(said),
    }
}
