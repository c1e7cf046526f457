//! `cargo xtask check`: whether the guarantee of `docs/guarantee.md` holds, with real clients while things go wrong.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use wigwag_checker::hunt::Hunt;
use wigwag_checker::plants::{PLANTS, Plant};
use wigwag_checker::run::{Options, Outcome, run_until};
use wigwag_local::faults::{HARSH_NAME, Plan};

/// No faults at all.
const NONE: &str = "none";

/// How long everybody is at it, in seconds.
const SECONDS: u64 = 60;

/// The same where a bug is looked for.
const HUNT_SECONDS: u64 = 20;

/// Worlds in which a bug is looked for, one after the other.
const WORLDS: u64 = 6;

/// Exit code where Ctrl-C ended it.
const INTERRUPTED: u8 = 130;

/// Flags of `cargo xtask check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Real clients talk through a whole local stack while things go wrong by a plan. Then the faults stop, everybody syncs, and what was done, \
told and seen is held against the tables. The last line on standard output is the run in figures; the stories of what was broken come \
before it.

Exit code: 0 all promises held, 1 one did not, 130 left with Ctrl-C (what there is, is judged).

A seed draws what everybody does and what goes wrong. When things happen is up to the machine: two runs of a seed are alike, not the same.

Examples:
  cargo xtask check
  cargo xtask check --seconds 600 --clients 24
  cargo xtask check --seed 42 --trace run.jsonl --logs functions.log
  cargo xtask check --faults none --json
  cargo xtask check --plant read-past-hole
  cargo xtask check --planted")]
pub(crate) struct Arguments {
    /// How long everybody is at it before the faults stop [default: 60, with --planted 20].
    #[arg(long)]
    seconds: Option<u64>,
    /// What everybody does, and what goes wrong, is drawn from it; made up where there is none, and printed first.
    #[arg(long)]
    seed: Option<u64>,
    /// Devices, of a third as many users.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(3..=700))]
    clients: u32,
    /// What goes wrong: a plan file, `harsh` (the built-in plan) or `none`.
    #[arg(long, value_name = "PLAN", default_value = HARSH_NAME)]
    faults: PathBuf,
    /// Write the history here, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write here what the functions print.
    #[arg(long, value_name = "FILE")]
    logs: Option<PathBuf>,
    /// The figures as JSON.
    #[arg(long)]
    json: bool,
    /// Run with this bug in the functions, which are built with it first.
    #[arg(long, value_name = "BUG", value_parser = plant)]
    plant: Option<Plant>,
    /// Look for each of these bugs in turn, or for each that there is: run with it until a promise is broken. Exit code 0: each was seen.
    #[arg(long, value_name = "BUG", num_args = 0.., value_parser = plant, conflicts_with_all = ["plant", "trace", "logs", "json"])]
    planted: Option<Vec<Plant>>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    eprintln!("seed {seed}");
    if let Some(plants) = &arguments.planted {
        return hunt(&arguments, plants, seed).await;
    }
    let options = Options {
        seconds: arguments.seconds.unwrap_or(SECONDS),
        seed,
        clients: usize::try_from(arguments.clients)?,
        faults: match arguments.plant {
            Some(plant) => plant.faults(&plan(&arguments.faults)?)?,
            None => plan(&arguments.faults)?,
        },
        plant: arguments.plant,
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

/// Looks for bugs one after the other, and prints a line for each.
async fn hunt(arguments: &Arguments, plants: &[Plant], seed: u64) -> Result<ExitCode> {
    let hunt = Hunt {
        seed,
        seconds: arguments.seconds.unwrap_or(HUNT_SECONDS),
        worlds: WORLDS,
        clients: usize::try_from(arguments.clients)?,
        faults: plan(&arguments.faults)?,
        progress: false,
    };
    let plants = if plants.is_empty() { PLANTS } else { plants };
    let mut caught = 0;
    for plant in plants {
        match hunt.look_for(*plant).await? {
            Some(catch) => {
                let (seconds, seed) = (catch.after.as_secs(), catch.seed);
                println!(
                    "{:<24} caught after {seconds:>3} s, seed {seed}: {}",
                    plant.name, catch.violation
                );
                caught += 1;
            }
            None => println!("{:<24} NOT CAUGHT: {}", plant.name, plant.what),
        }
    }
    println!("{caught} of {} caught", plants.len());
    Ok(if caught == plants.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn plant(name: &str) -> Result<Plant, String> {
    let names = || PLANTS.iter().map(|plant| plant.name).collect::<Vec<_>>().join(", ");
    Plant::named(name).ok_or_else(|| format!("there is no such bug; there are {}", names()))
}

fn plan(path: &Path) -> Result<Plan> {
    if path == Path::new(NONE) {
        return Ok(Plan::default());
    }
    Plan::load(path).with_context(|| format!("load the fault plan {}", path.display()))
}

/// The stories, and as the last line the figures.
fn print(outcome: &Outcome, json: bool) -> Result<()> {
    for story in &outcome.stories {
        println!("{story}\n");
    }
    if json {
        println!("{}", serde_json::to_string(&outcome.figures)?);
    } else {
        println!("{}", outcome.figures);
    }
    Ok(())
}
