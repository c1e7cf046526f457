//! Whether the checker sees a bug that was put in on purpose: a world is played with it, and another, until a promise is broken.

use crate::judge::Violation;
use crate::plants::Plant;
use crate::run::{Options, run};
use anyhow::Result;
use std::time::{Duration, Instant};
use wigwag_local::faults::Plan;

/// How bugs are looked for: in the ordinary world, whichever the bug, under a plan that may be harsher for its sake.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// Of the first world; each that follows has the next.
    pub seed: u64,
    /// How long everybody is at it in each world before the faults stop.
    pub seconds: u64,
    /// How many worlds there are at most.
    pub worlds: u64,
    /// Devices that take part in each.
    pub clients: usize,
    /// What goes wrong.
    pub faults: Plan,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

/// How a bug was caught.
#[derive(Debug, Clone)]
pub struct Catch {
    /// How long it took: building and starting included.
    pub after: Duration,
    /// The seed of its world.
    pub seed: u64,
    /// The first promise of those that it breaks.
    pub violation: Violation,
}

/// Between two judgements while everybody is at it.
const JUDGE_EVERY: Duration = Duration::from_secs(2);

impl Hunt {
    /// Looks for a bug. `None`: not caught.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn look_for(&self, plant: Plant) -> Result<Option<Catch>> {
        let began = Instant::now();
        for seed in self.seed..self.seed.saturating_add(self.worlds) {
            let options = Options {
                seconds: self.seconds,
                seed,
                clients: self.clients,
                faults: plant.faults(&self.faults)?,
                plant: Some(plant),
                judge_every: Some(JUDGE_EVERY),
                trace: None,
                logs: None,
                progress: self.progress,
            };
            let violations = Box::pin(run(&options)).await?.violations.into_iter();
            // Another promise that is broken is another bug, or a machine that is too slow.
            let mut its_own = violations.filter(|violation| plant.breaks.contains(&violation.promise));
            if let Some(violation) = its_own.next() {
                let after = began.elapsed();
                return Ok(Some(Catch { after, seed, violation }));
            }
        }
        Ok(None)
    }
}
