//! The project's own chores. `cargo xtask help` lists them.

mod bench;
mod budget;
mod check;
mod cost;
mod house;
mod size;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Chores of this project: what they print is what `docs/performance.md` states.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Count what operations cost, beside what they may cost; fails where one costs more.
    Budget(budget::Arguments),
    /// Measure throughput and latency through the whole local stack.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Play real clients under faults, and hold the guarantee against what came of it.
    Check(check::Arguments),
    /// Reckon what a month of users costs on AWS, from what the meter counts for each thing that they do.
    Cost(cost::Arguments),
    /// Measure the source: its size, its shape and its language.
    House(house::HouseArgs),
    /// Build the bootstraps for release; print their size and how long they take to their first `/next`.
    Size(size::Arguments),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match Arguments::parse().chore {
        Chore::Budget(arguments) => budget::run(&arguments).await?,
        Chore::Bench(bench) => bench::run(bench).await?,
        Chore::Check(arguments) => return check::run(arguments).await,
        Chore::Cost(arguments) => cost::run(&arguments).await?,
        Chore::House(arguments) => house::run(&arguments)?,
        Chore::Size(arguments) => size::run(&arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}
