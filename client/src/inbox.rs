//! The inbox as a [`Series`] by `seq`, filled by pushes and pages of SYNC.

use crate::series::{NextAsk, Pauses, Series, SettledPart};
use std::time::Duration;
use wigwag_protocol::pb::{Message, SyncOutputMsg};

/// Pauses before asking again for an entry that is being written.
const PAUSES: Pauses = Pauses {
    first: Duration::from_millis(100),
    longest: Duration::from_millis(500),
};

/// The receiving state of the inbox.
#[derive(Debug)]
pub(crate) struct Inbox(Series);

impl Inbox {
    /// Starts after `cursor`. Keeps at most `ahead_limit` messages beyond a hole.
    pub(crate) fn new(cursor: u64, ahead_limit: usize) -> Self {
        Self(Series::new(|message| message.seq, PAUSES, cursor, ahead_limit))
    }

    /// The highest seq up to which everything was delivered or is sealed.
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

    /// Takes a pushed message. Returns the messages that can be delivered now.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        self.0.push(message)
    }

    /// Takes a page of SYNC. Returns the messages that can be delivered now, and when to ask next.
    pub(crate) fn page(&mut self, page: SyncOutputMsg) -> (Vec<Message>, NextAsk) {
        self.0.part(SettledPart {
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
