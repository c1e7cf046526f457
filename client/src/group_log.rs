//! The receiving rule of one super group: a [`Series`] by `conversation_seq`, which pushes and pages of PULL fill.
//!
//! A page is asked for from `cursor + 1` on. What is settled by it: everything before `next_seq`, or everything up to `max_seq`
//! where that is 0. Messages from `next_seq` on may stand in the page; they wait, because one before them is still being written.

use crate::series::{Next, Part, Pauses, Series};
use std::time::Duration;
use wigwag_protocol::pb::{Message, PullOutputMsg};

/// Before asking again for what is being written right now. Longer than the inbox's: everyone who is online in the group waits
/// for the same message.
const PAUSES: Pauses = Pauses {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(4),
};

/// Where receiving stands in one super group.
#[derive(Debug)]
pub(crate) struct GroupLog {
    series: Series,
}

impl GroupLog {
    /// Everything up to `cursor` is done with. At most `ahead_limit` messages are kept beyond a hole.
    pub(crate) fn new(cursor: u64, ahead_limit: usize) -> Self {
        Self {
            series: Series::new(|message| message.conversation_seq, PAUSES, cursor, ahead_limit),
        }
    }

    /// The highest seq up to which everything is handed on or sealed.
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

    /// A message that came unasked. Returns what can be handed on.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        self.series.push(message)
    }

    /// A page of PULL from `cursor + 1` on, as the cursor was when it was asked for; `is_end`: it reaches the end of what is for this user.
    /// Returns what can be handed on, and what to do next.
    pub(crate) fn page(&mut self, page: PullOutputMsg, is_end: bool) -> (Vec<Message>, Next) {
        if is_end {
            self.series.forget_beyond(page.max_seq);
        }
        let settled_to = match page.next_seq {
            0 => page.max_seq,
            next => next - 1,
        };
        self.series.part(Part {
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
