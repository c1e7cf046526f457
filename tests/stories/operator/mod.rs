//! What an operator does with the command line: check a deployment, and redrive dead letters.

mod discard;
mod redrive;
mod smoke;
mod task_kinds;
