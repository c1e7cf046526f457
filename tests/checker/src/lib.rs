//! The history checker: does the guarantee of `docs/user/guarantee.md` hold? Real clients talk through a
//! real stack under faults. Everything that they do and see is recorded, and in the end the
//! promises of `wigwag-invariants` are checked against it.
//!
//! ```text
//! population ─► users, their devices, groups
//! workload ───► what each of them does ─► devices ─► a stack under faults
//!                                            │              │
//!                                         recorder       tables
//!                                            └── judge ◄────┘
//!                                    figures ◄── violations ─► explain
//! ```
//!
//! `docs/contributor/checker.md` explains how a run goes and how the judge reasons.

pub mod explain;
pub mod figures;
pub mod hunt;
pub mod mutant_build;
pub mod mutants;
pub mod overlay;
pub mod recorder;
pub mod run;
pub mod tables;

mod device;
mod final_checks;
mod membership;
mod population;
mod quiesce;
mod settings;
mod workload;
