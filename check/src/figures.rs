//! What a run comes to, in one line or in JSON.

use crate::history::History;
use crate::judge::Violation;
use crate::tables::Tables;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The figures of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Messages that were sent: begun by a device, refused ones among them.
    pub sent: usize,
    /// Of those, how many were acknowledged.
    pub acknowledged: usize,
    /// How many times a message that had been answered was repeated and answered again.
    pub repeats: usize,
    /// Changes of membership.
    pub changes: usize,
    /// Faults by kind, without those that never happened.
    pub faults: BTreeMap<String, u64>,
    /// Violations of each harm.
    pub lost: usize,
    /// See [`crate::judge::Harm`].
    pub duplicated: usize,
    /// See [`crate::judge::Harm`].
    pub reordered: usize,
    /// See [`crate::judge::Harm`].
    pub leaked: usize,
    /// See [`crate::judge::Harm`].
    pub other: usize,
    /// Seqs that were given up.
    pub sealed: usize,
    /// Entries that stand, of all inboxes and logs.
    pub entries: usize,
    /// From the end of the faults until everybody had everything, in ms.
    pub converged_ms: u64,
}

impl Figures {
    /// Counts.
    pub fn of(_history: &History, _tables: &Tables, _violations: &[Violation], _faults: BTreeMap<String, u64>) -> Self {
        todo!()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
