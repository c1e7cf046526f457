//! `cargo xtask check`: does the guarantee of `docs/user/guarantee.md` hold for real clients?

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use wigwag_checker::hunt::Hunt;
use wigwag_checker::mutants::{MUTANTS, Mutant};
use wigwag_checker::run::{RunOptions, RunOutcome, run_until};
use wigwag_local::faults::{FaultPlan, HARSH_NAME};

/// The name of the fault plan without faults.
const NO_FAULTS: &str = "none";

/// How long the workload runs, in seconds.
const SECONDS: u64 = 60;

/// The same when mutants are looked for.
const HUNT_SECONDS: u64 = 20;

/// Runs that look for one mutant, one after the other.
const RUNS: u64 = 6;

/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Flags of `cargo xtask check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Real clients talk through a whole local stack under faults. Then the faults stop, everybody syncs, \
and everything that was done and seen is checked against the tables. The last line on standard \
output has the figures of the run. An explanation of each broken promise comes before it.

Exit code: 0 if all promises held, 1 if one was broken, 130 after Ctrl-C (what there is by then is \
still judged).

The seed decides what everybody does and which calls fail. The machine decides when things happen, \
so two runs with one seed are alike but not the same.

Examples:
  cargo xtask check
  cargo xtask check --seconds 600 --clients 24
  cargo xtask check --seed 42 --trace run.jsonl --logs functions.log
  cargo xtask check --faults none --json
  cargo xtask check --mutant read-past-hole
  cargo xtask check --mutants")]
pub(crate) struct Arguments {
    /// How long the workload runs before the faults stop [default: 60, or 20 with --mutants].
    #[arg(long)]
    seconds: Option<u64>,
    /// Decides what everybody does and which calls fail; random by default, and printed first.
    #[arg(long)]
    seed: Option<u64>,
    /// The number of devices. There is one user for every three.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(3..=700))]
    clients: u32,
    /// The faults: a plan file, `harsh` (the built-in plan) or `none`.
    #[arg(long, value_name = "PLAN", default_value = HARSH_NAME)]
    faults: PathBuf,
    /// Write the history to this file, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write what the functions print to this file.
    #[arg(long, value_name = "FILE")]
    logs: Option<PathBuf>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Run with this mutant of the functions, which is built first.
    #[arg(long, value_name = "MUTANT", value_parser = mutant)]
    mutant: Option<Mutant>,
    /// Look for each of these mutants in turn (all by default): run it until a promise is broken.
    /// The exit code is 0 if each was found.
    #[arg(long, value_name = "MUTANT", num_args = 0.., value_parser = mutant, conflicts_with_all = ["mutant", "trace", "logs", "json"])]
    mutants: Option<Vec<Mutant>>,
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    eprintln!("seed {seed}");
    if let Some(mutants) = &arguments.mutants {
        return hunt(&arguments, mutants, seed).await;
    }
    let plan = fault_plan(&arguments.faults)?;
    let options = RunOptions {
        seconds: arguments.seconds.unwrap_or(SECONDS),
        seed,
        clients: usize::try_from(arguments.clients)?,
        faults: match arguments.mutant {
            Some(mutant) => mutant.faults(&plan)?,
            None => plan,
        },
        mutant: arguments.mutant,
        judge_every: None,
        trace: arguments.trace,
        logs: arguments.logs,
        progress: true,
    };
    let interrupted = AtomicBool::new(false);
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        interrupted.store(true, Ordering::Relaxed);
        eprintln!("interrupted; judging what there is");
    };
    let outcome = run_until(&options, interrupt).await?;
    print(&outcome, arguments.json)?;
    Ok(match (interrupted.into_inner(), outcome.violations.is_empty()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// Looks for mutants one after the other, and prints a line for each.
async fn hunt(arguments: &Arguments, mutants: &[Mutant], seed: u64) -> Result<ExitCode> {
    let hunt = Hunt {
        seed,
        seconds: arguments.seconds.unwrap_or(HUNT_SECONDS),
        runs: RUNS,
        clients: usize::try_from(arguments.clients)?,
        faults: fault_plan(&arguments.faults)?,
        progress: false,
    };
    let mutants = if mutants.is_empty() { MUTANTS } else { mutants };
    let mut caught = 0;
    for mutant in mutants {
        match hunt.look_for(*mutant).await? {
            Some(catch) => {
                let (seconds, seed) = (catch.after.as_secs(), catch.seed);
                println!(
                    "{:<24} caught after {seconds:>3} s, seed {seed}: {}",
                    mutant.name, catch.violation
                );
                caught += 1;
            }
            None => println!("{:<24} NOT CAUGHT: {}", mutant.name, mutant.what),
        }
    }
    println!("{caught} of {} caught", mutants.len());
    Ok(if caught == mutants.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn mutant(name: &str) -> Result<Mutant, String> {
    let names = || MUTANTS.iter().map(|mutant| mutant.name).collect::<Vec<_>>().join(", ");
    Mutant::named(name).ok_or_else(|| format!("there is no mutant {name}; choose one of {}", names()))
}

fn fault_plan(path: &Path) -> Result<FaultPlan> {
    if path == Path::new(NO_FAULTS) {
        return Ok(FaultPlan::default());
    }
    FaultPlan::load(path).with_context(|| format!("load the fault plan {}", path.display()))
}

/// Prints the explanations, and the figures as the last line.
fn print(outcome: &RunOutcome, json: bool) -> Result<()> {
    for explanation in &outcome.explanations {
        println!("{explanation}\n");
    }
    if json {
        println!("{}", serde_json::to_string(&outcome.figures)?);
    } else {
        println!("{}", outcome.figures);
    }
    Ok(())
}
