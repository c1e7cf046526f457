//! G2 and G3 for each timeline by itself: every seq is an entry or a seal, and no message is there
//! twice.

use crate::case::{Case, Identity, identity};
use crate::message::Conversation;
use crate::tables::{Timeline, TimelineKey};
use crate::violation::{Harm, Promise, Violation};
use std::collections::HashMap;

/// Missing seqs that a violation names at most.
const NAMED: usize = 10;

/// Checks all timelines.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    for (key, timeline) in case.timelines() {
        each_once(key, timeline, found);
        if case.is_settled() && is_read(case, key) {
            dense(key, timeline, found);
        }
    }
}

/// G2: no message is in a timeline twice.
pub fn each_once(key: TimelineKey, timeline: &Timeline, found: &mut Vec<Violation>) {
    let mut first: HashMap<Identity, u64> = HashMap::new();
    for (seq, observed) in timeline.entries() {
        let Some(identity) = identity(observed) else { continue };
        if let Some(before) = first.insert(identity, seq) {
            let text = format!("{} is at {before} of {key} and again at {seq}", observed.name());
            found.push(Violation::new(Promise::G2, Harm::Duplicated, text).with(observed.token));
        }
    }
}

/// G3: each seq up to the counter is an entry or a seal, and there is nothing beyond it.
pub fn dense(key: TimelineKey, timeline: &Timeline, found: &mut Vec<Violation>) {
    let missing = (1..=timeline.counter).filter(|seq| !timeline.rows.contains_key(seq));
    let missing: Vec<u64> = missing.take(NAMED).collect();
    if !missing.is_empty() {
        let text = format!("there is neither an entry nor a seal at {missing:?} of {key}");
        found.push(Violation::new(Promise::G3, Harm::Other, text));
    }
    if let Some((beyond, _)) = timeline.rows.range(timeline.counter + 1..).next() {
        let text = format!(
            "there is something at {beyond} of {key}, which has reserved only {}",
            timeline.counter
        );
        found.push(Violation::new(Promise::G3, Harm::Other, text));
    }
}

/// Whether anybody reads the timeline, and so seals its holes. Nobody reads the log of a group
/// whose creation was not answered.
pub(super) fn is_read(case: &Case<'_>, key: TimelineKey) -> bool {
    match key {
        TimelineKey::Log(Conversation::Group(group)) => case.members.knows(group),
        _ => true,
    }
}
