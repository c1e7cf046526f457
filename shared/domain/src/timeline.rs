//! Timelines: entries, and seals for seqs that nobody will use.

use crate::ids::{MessageKey, TimelineId};
use std::time::Duration;

/// How long a writer may take from reservation to put before a reader may seal its seq. It is twice
/// the timeout of the functions (`template.yaml`, 5 s), and a test checks that. A receiver can wait
/// this long for the messages behind one whose function died, so it is no longer.
pub const LEASE: Duration = Duration::from_secs(10);

/// Largest message that an inbox entry carries itself: with its keys the item stays within one
/// write unit (1 KB). A larger one is in the log alone, and the inbox entry refers to it.
pub const INLINE_BYTES: usize = 900;

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An encoded message.
    Inline(Vec<u8>),
    /// The message is in this log at this seq.
    Reference {
        /// The log.
        log: TimelineId,
        /// The seq in it.
        seq: u64,
        /// Bytes of the encoded message there, so that a page can be cut before it is fetched.
        bytes: usize,
    },
}

impl Content {
    /// Bytes of the encoded message.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Inline(message) => message.len(),
            Self::Reference { bytes, .. } => *bytes,
        }
    }
}

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identity of the message.
    pub key: Vec<u8>,
    /// When the seq was reserved, in ms.
    pub reserved_at_ms: i64,
    /// Its content.
    pub content: Content,
}

impl Entry {
    /// An entry for this message.
    pub fn new(key: &MessageKey, reserved_at_ms: i64, content: Content) -> Self {
        Self {
            key: key.to_bytes(),
            reserved_at_ms,
            content,
        }
    }
}

/// A row of a timeline: what is at a seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// An entry.
    Entry(Entry),
    /// Nothing, for ever: the hole is sealed.
    Seal {
        /// When it was sealed, in ms; the seq was reserved no later.
        sealed_at_ms: i64,
    },
}

impl Row {
    /// No later than this was the seq reserved, in ms.
    pub fn reserved_by_ms(&self) -> i64 {
        match self {
            Self::Entry(entry) => entry.reserved_at_ms,
            Self::Seal { sealed_at_ms } => *sealed_at_ms,
        }
    }
}
