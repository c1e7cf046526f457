//! Bugs that are put in on purpose, to show that the checker sees them.

/// A bug that a build with the feature `plant` has when it is named in `WIGWAG_PLANT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plant {
    /// As on the command line.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
}
