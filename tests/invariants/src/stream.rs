//! One reader of one timeline: each message comes once and in order, and none is left out below
//! the cursor.

use crate::message::Observed;
use crate::tables::{Timeline, TimelineKey};
use crate::violation::{Harm, Promise, Violation};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Messages that a violation names at most, in its text and in its list.
const NAMED_IN_TEXT: usize = 5;
const NAMED: usize = 20;

/// What a reader has of a timeline.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    got: BTreeSet<u64>,
    last: u64,
    cursor: u64,
}

impl Stream {
    /// The next message is handed on. Reports one that comes twice (G2) or too late (G4).
    /// `place` names the timeline and `reader` the reader in the text.
    pub fn hand_on(&mut self, seq: u64, observed: &Observed, place: &str, reader: &str) -> Option<Violation> {
        let name = observed.name();
        let violation = if self.got.contains(&seq) {
            let text = format!("{name}, at {seq} of {place}, came to {reader} twice");
            Some(Violation::new(Promise::G2, Harm::Duplicated, text))
        } else if seq <= self.last {
            let text = format!("{name}, at {seq} of {place}, came to {reader} after {}", self.last);
            Some(Violation::new(Promise::G4, Harm::Reordered, text))
        } else {
            None
        };
        self.got.insert(seq);
        self.last = self.last.max(seq);
        self.move_cursor(seq);
        violation.map(|violation| violation.with(observed.token))
    }

    /// A message comes in a page, in any order. It does not move the cursor.
    pub fn add(&mut self, seq: u64) {
        self.got.insert(seq);
    }

    /// The reader is told that it has everything up to this seq.
    pub fn move_cursor(&mut self, seq: u64) {
        self.cursor = self.cursor.max(seq);
    }

    /// Up to which seq the reader was told that it has everything.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The entries in a range that are due to the reader and did not come.
    pub fn missing<'t>(
        &self,
        timeline: &'t Timeline,
        range: RangeInclusive<u64>,
        is_due: impl Fn(u64, &Observed) -> bool,
    ) -> Vec<(u64, &'t Observed)> {
        let in_range = timeline.entries().filter(|(seq, _)| range.contains(seq));
        let missing = in_range.filter(|(seq, observed)| !self.got.contains(seq) && is_due(*seq, observed));
        missing.collect()
    }
}

/// G2, G3, G4 and G7 for a reader to which every entry of a timeline is due: it got all of them up
/// to its cursor, each once, in order, as they are stored, and nothing else.
pub fn check_reader(
    reader: &str,
    key: TimelineKey,
    timeline: &Timeline,
    passed: &[(u64, Observed)],
    cursor: u64,
) -> Vec<Violation> {
    let mut stream = Stream::default();
    let mut found = Vec::new();
    for (seq, observed) in passed {
        found.extend(stream.hand_on(*seq, observed, &key.to_string(), reader));
        let stored = timeline.entries().find(|(at, _)| at == seq);
        if stored.is_none_or(|(_, stored)| *stored != key.stored(observed.clone(), *seq)) {
            let text = format!(
                "{} came to {reader} as {seq} of {key}, which holds something else",
                observed.name()
            );
            found.push(Violation::new(Promise::G7, Harm::Other, text).with(observed.token));
        }
    }
    stream.move_cursor(cursor);
    let missing = stream.missing(timeline, 1..=stream.cursor(), |_, _| true);
    let text = format!(
        "the cursor of {reader} in {key} went to {} and skipped",
        stream.cursor()
    );
    found.extend(lacking(Promise::G3, &text, &missing));
    found
}

/// A violation that names the messages that a reader lacks, each with its seq; `None` if it lacks
/// none.
pub fn lacking(promise: Promise, text: &str, missing: &[(u64, &Observed)]) -> Option<Violation> {
    if missing.is_empty() {
        return None;
    }
    let named = missing.iter().take(NAMED_IN_TEXT);
    let named: Vec<String> = named
        .map(|(seq, observed)| format!("{} at {seq}", observed.name()))
        .collect();
    let more = match missing.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut violation = Violation::new(promise, Harm::Lost, format!("{text} {}{more}", named.join(", ")));
    let tokens = missing.iter().filter_map(|(_, observed)| observed.token).take(NAMED);
    violation.messages = tokens.collect::<BTreeSet<_>>().into_iter().collect();
    Some(violation)
}
