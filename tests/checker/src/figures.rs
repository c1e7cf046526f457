//! The figures of a run, in one line or as JSON.

use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use wigwag_invariants::{Event, Harm, History, Setting, Tables, Violation};

/// The figures of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Messages that devices began to send, including those that were refused.
    pub sent: usize,
    /// How many of them were acknowledged.
    pub acknowledged: usize,
    /// How many times an answered message was repeated and answered again.
    pub repeats: usize,
    /// Changes of memberships.
    pub changes: usize,
    /// Changes of groups' settings.
    pub settings: usize,
    /// Faults by kind, without those that never happened.
    pub faults: BTreeMap<String, u64>,
    /// Violations by [`Harm`].
    pub lost: usize,
    /// See [`Harm`].
    pub duplicated: usize,
    /// See [`Harm`].
    pub reordered: usize,
    /// See [`Harm`].
    pub leaked: usize,
    /// See [`Harm`].
    pub other: usize,
    /// Seals in all inboxes and logs.
    pub sealed: usize,
    /// Entries in all inboxes and logs.
    pub entries: usize,
    /// From the end of the faults until everybody had everything, in ms; 0 if that never happened.
    pub converged_ms: u64,
}

impl Figures {
    /// Counts everything.
    pub fn count(
        history: &History,
        tables: &Tables,
        violations: &[Violation],
        mut faults: BTreeMap<String, u64>,
    ) -> Self {
        faults.retain(|_, times| *times > 0);
        let mut figures = Self {
            faults,
            sealed: tables.seals(),
            entries: tables.entries(),
            converged_ms: converged_ms(history).unwrap_or_default(),
            ..Self::default()
        };
        figures.count_events(history);
        for violation in violations {
            *figures.counter(violation.harm) += 1;
        }
        figures
    }

    fn count_events(&mut self, history: &History) {
        let mut answered = HashSet::new();
        for record in &history.records {
            match &record.event {
                Event::Send { .. } => self.sent += 1,
                Event::Acknowledged { message, .. } if answered.insert(*message) => self.acknowledged += 1,
                Event::Acknowledged { .. } => self.repeats += 1,
                Event::Changed { .. } => self.changes += 1,
                Event::SetDone { setting, .. } if !matches!(setting, Setting::Ranks(_)) => self.settings += 1,
                _ => {}
            }
        }
    }

    fn counter(&mut self, harm: Harm) -> &mut usize {
        match harm {
            Harm::Lost => &mut self.lost,
            Harm::Duplicated => &mut self.duplicated,
            Harm::Reordered => &mut self.reordered,
            Harm::Leaked => &mut self.leaked,
            Harm::Other => &mut self.other,
        }
    }
}

fn converged_ms(history: &History) -> Option<u64> {
    let at = |event: &Event| history.records.iter().find(|record| record.event == *event);
    let (calm, settled) = (at(&Event::Calm)?, at(&Event::Settled)?);
    Some(settled.at_ms.saturating_sub(calm.at_ms))
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            acknowledged,
            repeats,
            changes,
            settings,
            ..
        } = self;
        write!(
            f,
            "sent {sent}, acknowledged {acknowledged}, repeats {repeats}, changes {changes} and {settings}; faults {}",
            self.faults.values().sum::<u64>()
        )?;
        if !self.faults.is_empty() {
            let kinds = self.faults.iter().map(|(kind, times)| format!("{kind} {times}"));
            write!(f, " ({})", kinds.collect::<Vec<_>>().join(", "))?;
        }
        write!(
            f,
            "; lost {}, duplicated {}, reordered {}, leaked {}, other {}; sealed {}, entries {}; ",
            self.lost, self.duplicated, self.reordered, self.leaked, self.other, self.sealed, self.entries
        )?;
        match self.converged_ms {
            0 => f.write_str("not converged"),
            ms => write!(f, "converged in {}.{} s", ms / 1000, ms % 1000 / 100),
        }
    }
}
