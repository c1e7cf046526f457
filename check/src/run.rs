//! Plays a world under faults, lets it come to rest, and judges it.

use crate::figures::Figures;
use crate::judge::Violation;
use crate::plants::Plant;
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;
use wigwag_local::faults::Plan;

/// What is to be played.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long everybody is at it before the faults stop.
    pub seconds: u64,
    /// Whose lives are drawn from it; also the seed of the faults.
    pub seed: u64,
    /// Devices that take part, beside the fresh ones at the end.
    pub clients: usize,
    /// What goes wrong.
    pub faults: Plan,
    /// A bug to run with: its build is made first.
    pub plant: Option<Plant>,
    /// Judge this often while everybody is at it, and end at the first violation. Without: at the end.
    pub judge_every: Option<Duration>,
    /// Where the history is written in the end, one JSON object per line.
    pub trace: Option<PathBuf>,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The line of figures.
    pub figures: Figures,
    /// Nothing, if all promises held.
    pub violations: Vec<Violation>,
    /// The story of each of the first few of them.
    pub stories: Vec<String>,
    /// When the first violation was found, if one was: since everybody began, in ms.
    pub caught_ms: Option<u64>,
}

/// Plays, and judges.
///
/// # Errors
/// The stack does not start, or the world does not come to rest: that is no judgement.
pub async fn run(_options: &Options) -> Result<Outcome> {
    todo!()
}
