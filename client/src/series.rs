//! The receiving rule of the inbox and of super group logs: when to deliver, keep or ask.
//!
//! Each seq of a series is a message or a seal. Pushes are hints: they may be late, doubled, out of
//! order or lost. A page says what is settled.
//!
//! - A push of `cursor + 1` is delivered, together with the kept messages right behind it.
//! - A push at or below the cursor is a duplicate and is dropped.
//! - A push beyond that is kept up to a limit, and the caller asks for what is missing.
//! - A page settles a range: its messages are delivered, seqs missing from it are seals. Later
//!   messages wait.
//!
//! Messages leave once and in strictly ascending seq. The cursor passes a seq only after its
//! message was delivered or a page settled it, so an app may store each seq as its cursor.

use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_protocol::pb::Message;

/// When to ask next after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextAsk {
    /// Nothing is missing.
    CaughtUp,
    /// There is more: ask at once.
    Again,
    /// An entry is being written: ask after this pause.
    Later(Duration),
}

/// Pauses before asking again for an entry that is being written. Each is twice the one before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

/// The part of a series that a page settles.
#[derive(Debug)]
pub(crate) struct SettledPart {
    pub(crate) messages: Vec<Message>,
    /// Every seq up to here is in this part, in an earlier one, or will never hold a message.
    pub(crate) settled_to: u64,
    /// The highest reserved seq.
    pub(crate) max_seq: u64,
    /// Whether asking again at once brings more.
    pub(crate) has_more: bool,
}

/// The receiving state of one series.
#[derive(Debug)]
pub(crate) struct Series {
    /// Reads the seq of a message that this series is ordered by.
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
    /// Starts after `cursor`. Keeps at most `ahead_limit` messages beyond a hole.
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

    /// The highest seq up to which everything was delivered or is sealed.
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

    /// Forgets all seqs beyond `last`, which are not for this user.
    pub(crate) fn forget_beyond(&mut self, last: u64) {
        self.known_max = self.known_max.min(last.max(self.cursor));
        self.ahead.split_off(&last.saturating_add(1));
    }

    /// Takes a pushed message. Returns the messages that can be delivered now.
    pub(crate) fn push(&mut self, message: Message) -> Vec<Message> {
        self.note((self.seq)(&message));
        self.keep(message);
        let mut ready = Vec::new();
        self.absorb(&mut ready);
        ready
    }

    /// Takes a settled part. Returns the messages that can be delivered now, and when to ask next.
    pub(crate) fn part(&mut self, part: SettledPart) -> (Vec<Message>, NextAsk) {
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

    /// Moves the cursor to `to`. Every seq in between is in `settled`, was kept, or is a seal.
    fn settle(&mut self, settled: Vec<Message>, to: u64, ready: &mut Vec<Message>) {
        let seq = self.seq;
        let beyond = self.ahead.split_off(&to.saturating_add(1));
        let mut upto = std::mem::replace(&mut self.ahead, beyond);
        let fresh = settled.into_iter().filter(|m| seq(m) > self.cursor);
        upto.extend(fresh.map(|m| (seq(&m), m)));
        ready.extend(upto.into_values());
        self.cursor = to;
    }

    /// Delivers the kept messages that directly follow the cursor.
    fn absorb(&mut self, ready: &mut Vec<Message>) {
        while let Some(message) = self.ahead.remove(&self.cursor.saturating_add(1)) {
            self.cursor += 1;
            ready.push(message);
        }
    }

    /// Keeps a message beyond the cursor. If the limit is exceeded, drops the highest: a page
    /// brings it again.
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

    fn next(&mut self, has_more: bool, progress: bool) -> NextAsk {
        if progress {
            self.idle_rounds = 0;
        }
        if has_more && progress {
            return NextAsk::Again;
        }
        if !self.is_behind() {
            return NextAsk::CaughtUp;
        }
        let Pauses { first, longest } = self.pauses;
        let pause = first.saturating_mul(1 << self.idle_rounds.min(8)).min(longest);
        self.idle_rounds += 1;
        NextAsk::Later(pause)
    }
}
