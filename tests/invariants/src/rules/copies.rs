//! G4, and parts of G1, G2 and G6: a log holds its own conversation under its own seqs, and a copy
//! in an inbox agrees with the log at the seq that it names. So the order is the same for all.

use crate::case::{Case, identity};
use crate::message::Observed;
use crate::rules::density::is_read;
use crate::tables::{Row, Timeline, TimelineKey};
use crate::violation::{Harm, Promise, Violation};

/// Checks all entries and references.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    for (key, timeline) in case.timelines() {
        if case.is_settled() && is_read(case, key) {
            nothing_dangles(key, timeline, found);
        }
    }
    case.each_entry(found, |found, key, seq, observed| {
        belongs_here(case, key, seq, observed, found);
        if matches!(key, TimelineKey::Inbox(_)) {
            agrees_with_log(case, key, seq, observed, found);
        }
    });
}

fn nothing_dangles(key: TimelineKey, timeline: &Timeline, found: &mut Vec<Violation>) {
    for (at, row) in &timeline.rows {
        if let Row::Dangling { log, seq } = row {
            let text = format!("the entry at {at} of {key} refers to {seq} of {log}, which holds no message");
            found.push(Violation::new(Promise::G1, Harm::Lost, text));
        }
    }
}

/// A log holds its own conversation; an inbox holds nothing that its user reads from a log.
fn belongs_here(case: &Case<'_>, key: TimelineKey, seq: u64, observed: &Observed, found: &mut Vec<Violation>) {
    match key {
        TimelineKey::Log(conversation) => {
            if observed.conversation != conversation || observed.conversation_seq != seq {
                let text = format!(
                    "{} is at {seq} of {key}, and says that it is {} of {}",
                    observed.name(),
                    observed.conversation_seq,
                    observed.conversation
                );
                let (promise, harm) = if observed.conversation == conversation {
                    (Promise::G4, Harm::Other)
                } else {
                    (Promise::G6, Harm::Leaked)
                };
                found.push(Violation::new(promise, harm, text).with(observed.token));
            }
        }
        TimelineKey::Inbox(user) if !case.may_be_copied(user, observed) => {
            let text = format!(
                "{}, a super group, is copied to {seq} of {key}, so it comes twice",
                observed.full_name()
            );
            found.push(Violation::new(Promise::G2, Harm::Duplicated, text).with(observed.token));
        }
        TimelineKey::Inbox(_) => {}
    }
}

fn agrees_with_log(case: &Case<'_>, key: TimelineKey, seq: u64, observed: &Observed, found: &mut Vec<Violation>) {
    let there = match case.logged(observed.conversation, observed.conversation_seq) {
        Some(Row::Entry(there)) if same(there, observed) => return,
        Some(Row::Entry(there)) if identity(there) == identity(observed) => {
            // A garbled message is reported by itself.
            if there.intact == observed.intact {
                let text = "which has it with other fields";
                found.push(disagreement(key, seq, observed, Harm::Other, text));
            }
            return;
        }
        Some(_) => "which holds something else",
        // It may have been logged after the log was read.
        None if !case.is_settled() => return,
        None => "which holds nothing",
    };
    let log = TimelineKey::Log(observed.conversation);
    let elsewhere = observed.token.and_then(|token| case.seqs(token, log).next());
    let message = observed.token.and_then(|token| case.message(token));
    match elsewhere {
        Some(other) => {
            let there = format!("{there}: it is {other} there");
            found.push(disagreement(key, seq, observed, Harm::Reordered, &there));
        }
        // An acknowledged message that is not in its log is reported by itself.
        None if message.is_some_and(|message| message.acknowledged().is_some()) => {}
        None => found.push(disagreement(key, seq, observed, Harm::Lost, there)),
    }
}

fn disagreement(key: TimelineKey, seq: u64, observed: &Observed, harm: Harm, there: &str) -> Violation {
    let promise = if harm == Harm::Lost { Promise::G1 } else { Promise::G4 };
    let text = format!(
        "{} at {seq} of {key} says that it is {} of {}, {there}",
        observed.name(),
        observed.conversation_seq,
        observed.conversation
    );
    Violation::new(promise, harm, text).with(observed.token)
}

/// Whether two messages are the same apart from their seqs in an inbox.
fn same(one: &Observed, other: &Observed) -> bool {
    let seq = one.seq;
    *one == Observed { seq, ..other.clone() }
}
