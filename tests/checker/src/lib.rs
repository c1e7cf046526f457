//! Whether the guarantee holds (`docs/guarantee.md`): real clients talk through a real stack while things go wrong by a plan, all that they
//! do, are told and see is written down, and in the end the promises G1 to G7 are held against it.
//!
//! ```text
//! cast ──► who takes part: users, their devices, groups
//! life ──► what each of them does, drawn from a seed ──► devices ──► a stack under faults
//!                                                           │                │
//!                                                        history           tables      what they saw; what stands
//!                                                           └──────► judge ◄─┘
//!                                                                      │
//!                                                     figures ◄── violations ──► story
//! ```
//!
//! - [`history`] is what was done and seen, in the order in which it happened; it knows nothing of how
//! - [`tables`] is what stands in DynamoDB, read as it is, past the store's own reading
//! - [`judge`] is a pure function of both. It trusts nothing that the system says about itself: who was a member when is taken from
//!   what the checker did
//! - [`run`] plays a world and judges it; [`hunt`] shows that it sees what it should, on builds with [bugs](plants) in them

pub mod figures;
pub mod history;
pub mod hunt;
pub mod judge;
pub mod plants;
pub mod run;
pub mod story;
pub mod tables;

mod cast;
mod device;
mod life;
mod membership;
mod rest;
mod settings;
