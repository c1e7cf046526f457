//! The receiving rule of one super group: a [`Series`] by `conversation_seq`, which pushes and pages of PULL fill, and which
//! ends where the user's membership ends.
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
    /// The last seq that this user may read, once that is known.
    last: Option<u64>,
}

impl GroupLog {
    /// Everything up to `cursor` is done with. At most `ahead_limit` messages are kept beyond a hole.
    pub(crate) fn new(cursor: u64, ahead_limit: usize) -> Self {
        Self {
            series: Series::new(|message| message.conversation_seq, PAUSES, cursor, ahead_limit),
            last: None,
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

    /// Whether everything that this user may read is handed on.
    pub(crate) fn is_over(&self) -> bool {
        self.last.is_some_and(|last| self.cursor() >= last)
    }

    /// Remembers that seqs up to `max_seq` exist.
    pub(crate) fn note(&mut self, max_seq: u64) {
        self.series.note(self.readable(max_seq));
    }

    /// The user may read up to `seq`, and nothing after it.
    pub(crate) fn end_at(&mut self, seq: u64) {
        self.series.note(seq);
        self.series.forget_beyond(seq);
        self.last = Some(seq);
    }

    /// The user has come into the group with `seq`. Old news changes nothing; answers whether it did.
    pub(crate) fn go_on(&mut self, seq: u64) -> bool {
        let had_gone = self.last.is_some_and(|last| last < seq);
        if had_gone {
            self.last = None;
            self.series.note(seq);
        }
        had_gone
    }

    /// A message that came unasked. Returns what can be handed on.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        if self.is_readable(&message) {
            self.series.push(message)
        } else {
            Vec::new()
        }
    }

    /// A page of PULL from `cursor + 1` on, as the cursor was when it was asked for. Returns what can be handed on, and what to
    /// do next.
    pub(crate) fn page(&mut self, mut page: PullOutputMsg) -> (Vec<Message>, Next) {
        page.messages.retain(|message| self.is_readable(message));
        let settled_to = match page.next_seq {
            0 => page.max_seq,
            next => next - 1,
        };
        self.series.part(Part {
            messages: page.messages,
            settled_to: self.readable(settled_to),
            max_seq: self.readable(page.max_seq),
            has_more: page.has_more && self.last.is_none_or(|last| settled_to < last),
        })
    }

    fn readable(&self, seq: u64) -> u64 {
        seq.min(self.last.unwrap_or(u64::MAX))
    }

    fn is_readable(&self, message: &Message) -> bool {
        self.last.is_none_or(|last| message.conversation_seq <= last)
    }
}

#[cfg(test)]
#[path = "tests/group_log.rs"]
mod tests;
