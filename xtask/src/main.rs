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

/// Chores of this project. Most figures in the documents come from them.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Count what each operation costs, and fail if one costs more than its budget.
    Budget(budget::BudgetArgs),
    /// Measure throughput and latency through the whole local stack.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Run real clients under faults, and check the guarantee against what they saw.
    Check(check::Arguments),
    /// Calculate what a month of users costs on AWS, from the metered cost of each thing they do.
    Cost(cost::CostArgs),
    /// Measure the source: its size, its shape and its language.
    House(house::HouseArgs),
    /// Build the functions for release, and print their size and how long each takes to start.
    Size(size::SizeArgs),
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
