//! `cargo xtask bench`: how much load the whole local stack carries on this machine.
//!
//! A benchmark of an unoptimised build says nothing, so an unoptimised build runs itself again in
//! the `tools` profile.

mod fanout;
mod memory;
mod one_to_one;

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Pairs of users. Each sender waits for an acknowledgement before it sends the next message.
    OneToOne(one_to_one::OneToOneArgs),
    /// Groups of several sizes: the cost of a message per member, and when the last member has it.
    Fanout(fanout::FanoutArgs),
    /// The largest work that each function gets: its peak memory and its processor time.
    Memory(memory::MemoryArgs),
}

pub(crate) async fn run(bench: Bench) -> Result<()> {
    // `memory` measures only the functions, so it does not matter how the rest was built.
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
