//! The checker checked: its judge on histories made by hand, short runs, and planted bugs.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod planted;
