//! Sealers give up seqs that others may still want to fill.

use super::writer::written_log;
use super::{Outcome, Process};
use crate::harness::{LATER, NOW, WHOLE_TIMELINE};
use crate::world::World;
use rand::RngExt as _;
use std::collections::BTreeSet;
use wigwag_domain::TimelineId;
use wigwag_domain::timeline::Entry;
use wigwag_store::{StoreError, timelines};

/// All sealers of a schedule.
#[derive(Default)]
pub(crate) struct Sealers {
    started: u32,
    /// The seqs for which a sealer was told that no entry will ever be there.
    pub(crate) sealed: BTreeSet<u64>,
}

impl World {
    /// Seals some seq of the written log that is known to be reserved.
    pub(crate) fn seal(&mut self) {
        let reserved = self.writers.told.borrow().reserved;
        if reserved > 0 {
            self.sealers.started += 1;
            let process = Process::Seal {
                number: self.sealers.started,
            };
            let (store, seq) = (self.store.clone(), self.dice.random_range(1..=reserved));
            self.scheduler.start(process, async move {
                Outcome::Sealed(seq, timelines::seal(&store, &written_log(), seq, NOW).await)
            });
        }
    }

    pub(super) fn sealed(&mut self, process: Process, seq: u64, result: Result<Option<Entry>, StoreError>) {
        match result {
            Ok(None) => drop(self.sealers.sealed.insert(seq)),
            Ok(Some(_)) => {}
            Err(error) => self.keep_unless_retryable(process, &error),
        }
    }

    /// Seals every hole of a log, as a reader does whose clock is far ahead.
    pub(crate) fn seal_holes(&mut self, log: TimelineId) {
        self.sealers.started += 1;
        let process = Process::SealHoles {
            number: self.sealers.started,
        };
        let store = self.store.clone();
        self.scheduler.start(process, async move {
            let _ = timelines::read(&store, &log, WHOLE_TIMELINE, LATER).await;
            Outcome::SealedHoles
        });
    }
}
