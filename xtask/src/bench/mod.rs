//! `cargo xtask bench`: what the whole local stack carries on this machine.
//!
//! A bench of an unoptimised build says nothing, so the chore runs itself again in the `tools` profile.

mod fanout;
mod memory;
mod one_to_one;

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;

/// The benches.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Pairs of users: each sender waits for its acknowledgement before the next message.
    OneToOne(one_to_one::Arguments),
    /// Groups of several sizes: what a message costs per member, and when the last one has it.
    Fanout(fanout::Arguments),
    /// The largest work that each function gets: what it has resident at most, and what processor time it takes.
    Memory(memory::Arguments),
}

pub(crate) async fn run(bench: Bench) -> Result<()> {
    // Where only the functions are measured, it does not matter how the rest was built.
    if cfg!(debug_assertions) && !matches!(bench, Bench::Memory(_)) {
        return again_optimised();
    }
    match bench {
        Bench::OneToOne(arguments) => one_to_one::run(&arguments).await,
        Bench::Fanout(arguments) => fanout::run(&arguments).await,
        Bench::Memory(arguments) => memory::run(&arguments).await,
    }
}

fn again_optimised() -> Result<()> {
    let status = wigwag_local::build::cargo()
        .args(["run", "--quiet", "--profile", "tools", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .context("run cargo")?;
    ensure!(status.success(), "the optimised run failed: {status}");
    Ok(())
}
