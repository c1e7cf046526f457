//! The checker catches the mutants, and no ordinary build has one.

use crate::ONE_AT_A_TIME;
use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::fs;
use std::path::Path;
use wigwag_checker::hunt::Hunt;
use wigwag_checker::mutant_build::{MutantBuild, VARIABLE};
use wigwag_checker::mutants::{MUTANTS, Mutant};
use wigwag_checker::overlay;
use wigwag_local::build::{Bootstraps, bootstraps};
use wigwag_local::faults::{FaultPlan, HARSH_NAME};
use wigwag_local::template;

/// The mutants that show while the workload goes on, most within seconds. The others need a run to
/// the end, a lease or a visibility timeout; `cargo xtask check --mutants` looks for all.
const QUICK: [&str; 11] = [
    "history-before-join",
    "repeat-unfinished",
    "read-past-hole",
    "cursor-to-counter",
    "ack-before-log",
    "repeat-gets-new-seq",
    "redelivery-copies-again",
    "push-to-removed",
    "copy-to-removed",
    "dissolve-unchecked",
    "mute-unchecked",
];

/// The seed of the first run.
const SEED: u64 = 1;

/// How long the workload of a run goes on, in seconds.
const SECONDS: u64 = 15;

/// The most runs for a mutant: more than any has ever taken.
const RUNS: u64 = 10;

/// Devices in each run.
const CLIENTS: usize = 9;

/// Runs at the same time.
const AT_ONCE: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn quick_mutants_are_caught() -> Result<()> {
    let hunt = Hunt {
        seed: SEED,
        seconds: SECONDS,
        runs: RUNS,
        clients: CLIENTS,
        faults: FaultPlan::load(Path::new(HARSH_NAME))?,
        progress: false,
    };
    let _alone = ONE_AT_A_TIME.lock().await;
    MutantBuild::build().await?;
    let hunt = &hunt;
    let hunts = QUICK.map(|name| async move {
        let mutant = Mutant::named(name).with_context(|| format!("there is no mutant {name}"))?;
        let catch = hunt.look_for(mutant).await?;
        let catch = catch.with_context(|| format!("{name} is not caught: {}", mutant.what))?;
        println!("{name}: after {} s, {}", catch.after.as_secs(), catch.violation);
        anyhow::Ok(())
    });
    stream::iter(hunts).buffer_unordered(AT_ONCE).try_collect().await
}

#[test]
fn every_mutant_has_a_patch_that_applies() -> Result<()> {
    let template = wigwag_cluster::template();
    let workspace = template.parent().context("a template has a folder")?;
    let listed = MUTANTS.iter().map(|mutant| mutant.name.to_owned()).collect();
    assert_eq!(overlay::names(workspace)?, listed);
    overlay::write(workspace, tempfile::tempdir()?.path())
}

#[tokio::test]
async fn no_ordinary_build_contains_the_bugs() -> Result<()> {
    let build = MutantBuild::build().await?;
    assert!(names_the_variable(&build.binary)?, "the test looks for the wrong name");
    let stack = template::load(&wigwag_cluster::template(), &template::TemplateOptions::default())?;
    for (function, bootstrap) in bootstraps(&stack.functions, &Bootstraps::default()).await? {
        assert!(!names_the_variable(&bootstrap)?, "{function} can have bugs");
    }
    Ok(())
}

fn names_the_variable(binary: &Path) -> Result<bool> {
    let (bytes, name) = (fs::read(binary)?, VARIABLE.as_bytes());
    let mut begins = bytes.iter().enumerate().filter(|(_, byte)| **byte == name[0]);
    Ok(begins.any(|(at, _)| bytes[at..].starts_with(name)))
}
