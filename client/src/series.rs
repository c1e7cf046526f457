//! The rule that both ways of receiving share: what to hand on of a dense series of seqs, what to keep back, and when to ask.
//!
//! Each seq of a series is a message or a seal. Pushes are hints that may come late, twice, out of order or not at all; a page
//! says what is settled. Flow:
//!
//! - push `cursor + 1` → handed on, and with it whatever had been waiting right behind it
//! - push at or below the cursor → a duplicate, dropped
//! - push beyond → kept (within a bound; what does not fit is only remembered as existing), the caller asks
//! - page → everything up to where it is settled is done with: messages above our cursor are handed on, what is missing there is
//!   a seal. Messages beyond wait, because one before them is still being written
//!
//! Invariants: messages leave in strictly ascending seq; each at most once; the cursor never passes a seq that was neither
//! handed on nor settled by a page. So an app may keep the seq of every message as its cursor.

use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_protocol::pb::Message;

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

/// Pauses before asking again for what is being written right now; they double.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

/// Part of a series.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) messages: Vec<Message>,
    /// Everything up to here is in this part, in an earlier one, or will never be.
    pub(crate) settled_to: u64,
    /// The highest reserved seq.
    pub(crate) max_seq: u64,
    /// Whether asking again right now brings more.
    pub(crate) has_more: bool,
}

/// Where receiving stands in one series.
#[derive(Debug)]
pub(crate) struct Series {
    /// Which of a message's seqs this is the series of.
    seq: fn(&Message) -> u64,
    pauses: Pauses,
    cursor: u64,
    /// The highest seq known to be reserved.
    known_max: u64,
    /// Messages beyond a hole, by seq.
    ahead: BTreeMap<u64, Message>,
    ahead_limit: usize,
    /// Pages in a row that brought nothing although something is missing.
    idle_rounds: u32,
}

impl Series {
    /// Everything up to `cursor` is done with. At most `ahead_limit` messages are kept beyond a hole.
    pub(crate) fn new(seq: fn(&Message) -> u64, pauses: Pauses, cursor: u64, ahead_limit: usize) -> Self {
        Self {
            seq,
            pauses,
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

    /// How many messages wait beyond a hole.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.ahead.len()
    }

    /// Remembers that seqs up to `max_seq` exist.
    pub(crate) fn note(&mut self, max_seq: u64) {
        self.known_max = self.known_max.max(max_seq);
    }

    /// Forgets what is known of seqs beyond `last`: they are not for this user.
    pub(crate) fn forget_beyond(&mut self, last: u64) {
        self.known_max = self.known_max.min(last.max(self.cursor));
        self.ahead.split_off(&last.saturating_add(1));
    }

    /// A message that came unasked. Returns what can be handed on.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        self.note((self.seq)(&message));
        self.keep(message);
        let mut ready = Vec::new();
        self.absorb(&mut ready);
        ready
    }

    /// A part that was asked for. Returns what can be handed on, and what to do next.
    pub(crate) fn part(&mut self, part: Part) -> (Vec<Message>, Next) {
        let (before, seq) = (self.cursor, self.seq);
        self.note(part.max_seq.max(part.settled_to));
        let (settled, open): (Vec<_>, Vec<_>) = part.messages.into_iter().partition(|m| seq(m) <= part.settled_to);
        for message in open {
            self.note(seq(&message));
            self.keep(message);
        }
        let mut ready = Vec::new();
        if part.settled_to > self.cursor {
            self.settle(settled, part.settled_to, &mut ready);
        }
        self.absorb(&mut ready);
        let next = self.next(part.has_more, self.cursor > before);
        (ready, next)
    }

    /// Moves the cursor to `to`; what lies on the way is in `settled`, in what was kept, or a seal.
    fn settle(&mut self, settled: Vec<Message>, to: u64, ready: &mut Vec<Message>) {
        let seq = self.seq;
        let beyond = self.ahead.split_off(&to.saturating_add(1));
        let mut upto = std::mem::replace(&mut self.ahead, beyond);
        let fresh = settled.into_iter().filter(|m| seq(m) > self.cursor);
        upto.extend(fresh.map(|m| (seq(&m), m)));
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

    /// Keeps a message that is beyond the cursor. Where there is no room, the highest goes: a page brings it again.
    fn keep(&mut self, message: Message) {
        let seq = (self.seq)(&message);
        if seq <= self.cursor {
            return;
        }
        let next_up = seq == self.cursor.saturating_add(1);
        self.ahead.entry(seq).or_insert(message);
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
        let Pauses { first, longest } = self.pauses;
        let pause = first.saturating_mul(1 << self.idle_rounds.min(8)).min(longest);
        self.idle_rounds += 1;
        Next::Later(pause)
    }
}
