//! Reads SAM templates.

pub mod model;

pub use model::Stack;
