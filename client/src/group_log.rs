//! The log of one super group as a [`Series`] by `conversation_seq`, filled by pushes and pages of
//! PULL.
//!
//! A page is asked for from `cursor + 1`. It settles everything before its `next_seq`, or
//! everything up to `max_seq` if `next_seq` is 0. Messages from `next_seq` on may be in the page,
//! but they wait for an earlier one that is still being written.

use crate::series::{NextAsk, Pauses, Series, SettledPart};
use std::time::Duration;
use wigwag_protocol::pb::{Message, PullOutputMsg};

/// Pauses before asking again for an entry that is being written. They are longer than those of the
/// inbox, because all online members of the group wait for the same message.
const PAUSES: Pauses = Pauses {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(4),
};

/// The receiving state of one super group's log.
#[derive(Debug)]
pub(crate) struct GroupLog {
    series: Series,
}

impl GroupLog {
    /// Starts after `cursor`. Keeps at most `ahead_limit` messages beyond a hole.
    pub(crate) fn new(cursor: u64, ahead_limit: usize) -> Self {
        Self {
            series: Series::new(|message| message.conversation_seq, PAUSES, cursor, ahead_limit),
        }
    }

    /// The highest seq up to which everything was delivered or is sealed.
    pub(crate) fn cursor(&self) -> u64 {
        self.series.cursor()
    }

    /// Whether a seq beyond the cursor is known to exist.
    pub(crate) fn is_behind(&self) -> bool {
        self.series.is_behind()
    }

    /// Remembers that seqs up to `max_seq` exist.
    pub(crate) fn note(&mut self, max_seq: u64) {
        self.series.note(max_seq);
    }

    /// Takes a pushed message. Returns the messages that can be delivered now.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        self.series.push(message)
    }

    /// Takes a page of PULL that was asked for from `cursor + 1`. `is_end` says that it reaches the
    /// end of what this user may read.
    ///
    /// Returns the messages that can be delivered now, and when to ask next.
    pub(crate) fn page(&mut self, page: PullOutputMsg, is_end: bool) -> (Vec<Message>, NextAsk) {
        if is_end {
            self.series.forget_beyond(page.max_seq);
        }
        let settled_to = match page.next_seq {
            0 => page.max_seq,
            next => next - 1,
        };
        self.series.part(SettledPart {
            messages: page.messages,
            settled_to,
            max_seq: page.max_seq,
            has_more: page.has_more,
        })
    }
}

#[cfg(test)]
#[path = "tests/group_log.rs"]
mod tests;
