//! The receiving rule of the inbox: a [`Series`] by `seq`, which pushes and pages of SYNC fill.

use crate::series::{Next, Part, Pauses, Series};
use std::time::Duration;
use wigwag_protocol::pb::{Message, SyncOutputMsg};

/// Before asking again for what is being written right now.
const PAUSES: Pauses = Pauses {
    first: Duration::from_millis(100),
    longest: Duration::from_millis(500),
};

/// State of the receiving side.
#[derive(Debug)]
pub(crate) struct Inbox(Series);

impl Inbox {
    /// Everything up to `cursor` is done with. At most `ahead_limit` messages are kept beyond a hole.
    pub(crate) fn new(cursor: u64, ahead_limit: usize) -> Self {
        Self(Series::new(|message| message.seq, PAUSES, cursor, ahead_limit))
    }

    /// The highest seq up to which everything is handed on or sealed.
    pub(crate) fn cursor(&self) -> u64 {
        self.0.cursor()
    }

    /// Whether a seq beyond the cursor is known to exist.
    pub(crate) fn is_behind(&self) -> bool {
        self.0.is_behind()
    }

    /// Remembers that seqs up to `max_seq` exist.
    pub(crate) fn note(&mut self, max_seq: u64) {
        self.0.note(max_seq);
    }

    /// A message that came unasked. Returns what can be handed on.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        self.0.push(message)
    }

    /// A page of SYNC. Returns what can be handed on, and what to do next.
    pub(crate) fn page(&mut self, page: SyncOutputMsg) -> (Vec<Message>, Next) {
        self.0.part(Part {
            messages: page.messages,
            settled_to: page.cursor,
            max_seq: page.max_seq,
            has_more: page.has_more,
        })
    }
}

#[cfg(test)]
#[path = "tests/inbox.rs"]
mod tests;
