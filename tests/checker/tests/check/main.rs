//! The checker checked: its judge on histories made by hand, short runs, and planted bugs.

mod explain;
mod hand;
mod judge;
mod mutants;
mod run;
mod tables;

/// Held by who plays worlds: each has the machine to itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
