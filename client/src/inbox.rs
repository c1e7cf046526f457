//! The receiving rule: what to hand on, what to keep back, and when to ask.
//!
//! The inbox is a dense series of seqs, each an entry or a seal. Pushes are hints that may come late, twice, out of
//! order or not at all; a page of SYNC says what is settled. Flow:
//!
//! - push `cursor + 1` → handed on, and with it whatever had been waiting right behind it
//! - push at or below the cursor → a duplicate, dropped
//! - push beyond → kept (within a bound; what does not fit is only remembered as existing), the caller syncs
//! - page → everything up to `page.cursor` is settled: entries above our cursor are handed on, what is missing there is a
//!   seal. Entries beyond `page.cursor` wait, because one before them is still being written
//!
//! Invariants: messages leave in strictly ascending seq; each at most once; the cursor never passes a seq that was neither
//! handed on nor settled by a page. So an app may keep `message.seq` as its cursor with every message.

use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_protocol::pb::{Message, SyncOutputMsg};

/// First and longest pause before asking again for what is being written right now.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What to do after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing is missing.
    CaughtUp,
    /// There is more: ask at once.
    Again,
    /// Something is being written: ask after this pause.
    Later(Duration),
}

/// State of the receiving side.
#[derive(Debug)]
pub(crate) struct Inbox {
    cursor: u64,
    /// The highest seq known to be reserved.
    known_max: u64,
    /// Messages beyond a hole, by seq.
    ahead: BTreeMap<u64, Message>,
    ahead_limit: usize,
    /// Pages in a row that brought nothing although something is missing.
    idle_rounds: u32,
}

impl Inbox {
    /// Everything up to `cursor` is done with. At most `ahead_limit` messages are kept beyond a hole.
    pub(crate) fn new(cursor: u64, ahead_limit: usize) -> Self {
        Self {
            cursor,
            known_max: cursor,
            ahead: BTreeMap::new(),
            ahead_limit,
            idle_rounds: 0,
        }
    }

    /// The highest seq up to which everything is handed on or sealed.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Whether a seq beyond the cursor is known to exist.
    pub(crate) fn is_behind(&self) -> bool {
        self.known_max > self.cursor
    }

    /// Remembers that seqs up to `max_seq` exist.
    pub(crate) fn note(&mut self, max_seq: u64) {
        self.known_max = self.known_max.max(max_seq);
    }

    /// A message that came unasked. Returns what can be handed on.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        self.note(message.seq);
        self.keep(message);
        let mut ready = Vec::new();
        self.absorb(&mut ready);
        ready
    }

    /// A page of SYNC. Returns what can be handed on, and what to do next.
    pub(crate) fn page(&mut self, page: SyncOutputMsg) -> (Vec<Message>, Next) {
        let before = self.cursor;
        self.note(page.max_seq.max(page.cursor));
        let (settled, open): (Vec<_>, Vec<_>) = page.messages.into_iter().partition(|m| m.seq <= page.cursor);
        for message in open {
            self.note(message.seq);
            self.keep(message);
        }
        let mut ready = Vec::new();
        if page.cursor > self.cursor {
            self.settle(settled, page.cursor, &mut ready);
        }
        self.absorb(&mut ready);
        let next = self.next(page.has_more, self.cursor > before);
        (ready, next)
    }

    /// Moves the cursor to `to`; what lies on the way is in `settled`, in what was kept, or a seal.
    fn settle(&mut self, settled: Vec<Message>, to: u64, ready: &mut Vec<Message>) {
        let beyond = self.ahead.split_off(&to.saturating_add(1));
        let mut upto = std::mem::replace(&mut self.ahead, beyond);
        upto.extend(settled.into_iter().filter(|m| m.seq > self.cursor).map(|m| (m.seq, m)));
        ready.extend(upto.into_values());
        self.cursor = to;
    }

    /// Hands on what has become contiguous.
    fn absorb(&mut self, ready: &mut Vec<Message>) {
        while let Some(message) = self.ahead.remove(&self.cursor.saturating_add(1)) {
            self.cursor += 1;
            ready.push(message);
        }
    }

    /// Keeps a message that is beyond the cursor. Where there is no room, the highest goes: SYNC brings it again.
    fn keep(&mut self, message: Message) {
        if message.seq <= self.cursor {
            return;
        }
        let next_up = message.seq == self.cursor.saturating_add(1);
        self.ahead.entry(message.seq).or_insert(message);
        if self.ahead.len() > self.ahead_limit && !next_up {
            self.ahead.pop_last();
        }
    }

    fn next(&mut self, has_more: bool, progress: bool) -> Next {
        if progress {
            self.idle_rounds = 0;
        }
        if has_more && progress {
            return Next::Again;
        }
        if !self.is_behind() {
            return Next::CaughtUp;
        }
        let pause = PAUSE_FIRST.saturating_mul(1 << self.idle_rounds.min(8)).min(PAUSE_MAX);
        self.idle_rounds += 1;
        Next::Later(pause)
    }
}

#[cfg(test)]
#[path = "tests/inbox.rs"]
mod tests;
