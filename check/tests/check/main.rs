//! The checker checked: its judge on histories made by hand, short runs, and planted bugs.

mod hand;
mod judge;
mod planted;
mod run;
mod story;
mod tables;
