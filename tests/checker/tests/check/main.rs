//! Tests of the checker: its judge on handmade histories, short runs, and mutants.

mod explain;
mod handmade;
mod judge;
mod mutants;
mod run;
mod tables;

/// Held while a test runs stacks, so that it has the machine to itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
