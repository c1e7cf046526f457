//! `cargo xtask check`: whether the guarantee of `docs/guarantee.md` holds, with real clients while things go wrong.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use wigwag_check::run::{Options, Outcome, run_until};
use wigwag_local::faults::{HARSH_NAME, Plan};

/// No faults at all.
const NONE: &str = "none";

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
  cargo xtask check --faults none --json")]
pub(crate) struct Arguments {
    /// How long everybody is at it before the faults stop.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
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
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    eprintln!("seed {seed}");
    let options = Options {
        seconds: arguments.seconds,
        seed,
        clients: usize::try_from(arguments.clients)?,
        faults: plan(&arguments.faults)?,
        plant: None,
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
