//! `cargo xtask bench`: what the whole local stack carries on this machine.
//!
//! A bench of an unoptimised build says nothing, so the chore runs itself again in the `tools` profile.

mod fanout;
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
}

pub(crate) async fn run(bench: Bench) -> Result<()> {
    if cfg!(debug_assertions) {
        return again_optimised();
    }
    match bench {
        Bench::OneToOne(arguments) => one_to_one::run(&arguments).await,
        Bench::Fanout(arguments) => fanout::run(&arguments).await,
    }
}

fn again_optimised() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args(["run", "--quiet", "--profile", "tools", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .context("run cargo")?;
    ensure!(status.success(), "the optimised run failed: {status}");
    Ok(())
}
