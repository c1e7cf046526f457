//! Does the checker find a mutant? Runs with it, one after the other, until a promise is broken.

use crate::mutants::Mutant;
use crate::run::{RunOptions, run};
use anyhow::Result;
use std::time::{Duration, Instant};
use wigwag_invariants::Violation;
use wigwag_local::faults::FaultPlan;

/// How mutants are looked for: all with the same workload, some under a harsher fault plan.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// The seed of the first run. Each run that follows has the next seed.
    pub seed: u64,
    /// How long the workload of each run goes on before the faults stop.
    pub seconds: u64,
    /// The most runs for one mutant.
    pub runs: u64,
    /// Devices in each run.
    pub clients: usize,
    /// The faults.
    pub faults: FaultPlan,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

/// How a mutant was caught.
#[derive(Debug, Clone)]
pub struct Catch {
    /// How long it took, with building and starting.
    pub after: Duration,
    /// The seed of the run.
    pub seed: u64,
    /// The first broken promise among those that this mutant breaks.
    pub violation: Violation,
}

/// The time between two judgements while the workload goes on.
const JUDGE_EVERY: Duration = Duration::from_secs(2);

impl Hunt {
    /// Looks for a mutant. `None` if it was not caught.
    ///
    /// # Errors
    /// The same as [`run`].
    pub async fn look_for(&self, mutant: Mutant) -> Result<Option<Catch>> {
        let began = Instant::now();
        for seed in self.seed..self.seed.saturating_add(self.runs) {
            let options = RunOptions {
                seconds: self.seconds,
                seed,
                clients: self.clients,
                faults: mutant.faults(&self.faults)?,
                mutant: Some(mutant),
                judge_every: Some(JUDGE_EVERY),
                trace: None,
                logs: None,
                progress: self.progress,
            };
            let violations = Box::pin(run(&options)).await?.violations.into_iter();
            // If another promise is broken, that is another bug or a machine that is too slow.
            let mut its_own = violations.filter(|violation| mutant.breaks.contains(&violation.promise));
            if let Some(violation) = its_own.next() {
                let after = began.elapsed();
                return Ok(Some(Catch { after, seed, violation }));
            }
        }
        Ok(None)
    }
}
