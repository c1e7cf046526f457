//! Short runs of the whole: real clients under the built-in fault plan, and nothing that was promised is broken.

use crate::ONE_AT_A_TIME;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use wigwag_checker::run::{RunOptions, RunOutcome, run};
use wigwag_local::faults::{HARSH_NAME, Plan};

/// The same in every build.
const SEED: u64 = 20_260_401;

/// How long everybody is at it, in seconds.
const SECONDS: u64 = 15;

/// Devices of each run.
const CLIENTS: usize = 9;

/// Memberships that there are from the beginning, at most: of three users in five groups.
const FOUNDED: usize = 15;

/// A group becomes a super group, another is dissolved, and something is allowed and forbidden again.
const SETTINGS: usize = 4;

/// A number from the environment.
fn given(name: &str) -> Result<Option<u64>> {
    let text = std::env::var(name).ok();
    let number = text.map(|text| text.parse().with_context(|| format!("{name} is no number: {text}")));
    number.transpose()
}

async fn play(seed: u64) -> Result<RunOutcome> {
    let options = RunOptions {
        seconds: given("WIGWAG_CHECK_SECONDS")?.unwrap_or(SECONDS),
        seed,
        clients: CLIENTS,
        faults: Plan::load(Path::new(HARSH_NAME))?,
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
        "seed {seed}: a promise is broken; `cargo xtask check --seed {seed}` is a run like it\n\n{explanations}\n\n{figures}"
    );
    let kinds = figures.faults.values().filter(|times| **times > 0).count();
    ensure!(
        figures.acknowledged > 5 && figures.changes > FOUNDED && figures.settings >= SETTINGS && kinds > 5,
        "seed {seed}: too little happened: {figures}"
    );
    Ok(())
}

/// A seed that is the same each time, and one that is another each time; or the one in `WIGWAG_CHECK_SEED`.
#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_while_everything_goes_wrong_that_may() -> Result<()> {
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
