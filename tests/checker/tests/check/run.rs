//! Short runs with real clients under the built-in fault plan: no promise is broken.

use crate::ONE_AT_A_TIME;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use wigwag_checker::run::{RunOptions, RunOutcome, run};
use wigwag_local::faults::{FaultPlan, HARSH_NAME};

/// The seed that is the same in every build.
const SEED: u64 = 20_260_401;

/// How long the workload of a run goes on, in seconds.
const SECONDS: u64 = 15;

/// Devices in each run.
const CLIENTS: usize = 9;

/// The most memberships at the beginning: of three users in five groups.
const FOUNDED: usize = 15;

/// The fewest changes of settings: a super group, a dissolved group, and one setting on and off.
const SETTINGS: usize = 4;

/// A number from the environment.
fn given(name: &str) -> Result<Option<u64>> {
    let text = std::env::var(name).ok();
    let number = text.map(|text| text.parse().with_context(|| format!("{name} is not a number: {text}")));
    number.transpose()
}

async fn play(seed: u64) -> Result<RunOutcome> {
    let options = RunOptions {
        seconds: given("WIGWAG_CHECK_SECONDS")?.unwrap_or(SECONDS),
        seed,
        clients: CLIENTS,
        faults: FaultPlan::load(Path::new(HARSH_NAME))?,
        mutant: None,
        judge_every: None,
        trace: None,
        logs: None,
        progress: false,
    };
    run(&options).await.with_context(|| format!("seed {seed}"))
}

fn check(seed: u64, outcome: &RunOutcome) -> Result<()> {
    let (figures, explanations) = (&outcome.figures, outcome.explanations.join("\n\n"));
    println!("seed {seed}: {figures}");
    ensure!(
        outcome.violations.is_empty(),
        "seed {seed}: a promise is broken; repeat it with `cargo xtask check --seed {seed}`\n\n{explanations}\n\n{figures}"
    );
    let kinds = figures.faults.values().filter(|times| **times > 0).count();
    ensure!(
        figures.acknowledged > 5 && figures.changes > FOUNDED && figures.settings >= SETTINGS && kinds > 5,
        "seed {seed}: too little happened: {figures}"
    );
    Ok(())
}

/// Runs with a fixed seed and with a new one, or with the one in `WIGWAG_CHECK_SEED`.
#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_under_the_harsh_fault_plan() -> Result<()> {
    if let Some(seed) = given("WIGWAG_CHECK_SEED")? {
        return check(seed, &play(seed).await?);
    }
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    println!("seeds {SEED} and {fresh}");
    let _alone = ONE_AT_A_TIME.lock().await;
    let (one, other) = tokio::join!(play(SEED), play(fresh));
    let (one, other) = (check(SEED, &one?), check(fresh, &other?));
    one.and(other)
}
