//! The shortest story of a violation: who did what when, and where it stands.

use crate::history::History;
use crate::judge::Violation;
use crate::tables::Tables;

/// A few lines, in order of time, each with the time since the beginning and the device.
pub fn of(_violation: &Violation, _history: &History, _tables: &Tables) -> String {
    todo!()
}
