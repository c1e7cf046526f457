//! What makes schedules: dice, a scheduler, a trace, and properties that are tried with many seeds.

pub(crate) mod dice;
pub(crate) mod property;
pub(crate) mod scheduler;
mod shrink;
mod trace;
