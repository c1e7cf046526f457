//! What stands in the timelines table: read by Scan, item by item, with the names of the schema and none of the store's reading.

use crate::history::Said;
use anyhow::Result;
use std::collections::BTreeMap;
use wigwag_tests::World;

/// The timelines, by their key: `u1` an inbox, `p1-2` and `g7` logs.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// By key.
    pub timelines: BTreeMap<String, Timeline>,
}

/// A head and what stands under it.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The highest seq that was reserved.
    pub counter: u64,
    /// By seq.
    pub slots: BTreeMap<u64, Slot>,
}

/// What stands at a seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A message; where it is kept in a log only, the message that stands there. `seq` is this one's in an inbox.
    Entry(Said),
    /// An entry that names a place in a log where no message stands.
    Dangling {
        /// The log.
        log: String,
        /// The seq there.
        seq: u64,
    },
    /// Nothing, for ever.
    Seal,
}

impl Tables {
    /// Reads all there is, past the faults.
    ///
    /// # Errors
    /// The engine does not answer, or an item is not one of ours.
    pub async fn read(_world: &World) -> Result<Self> {
        todo!()
    }

    /// How many seqs were given up.
    pub fn seals(&self) -> usize {
        todo!()
    }
}
