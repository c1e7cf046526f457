//! Each timeline by itself, and copies against what they are copies of.

use super::case::{Case, Identity, identity};
use super::{Found, Harm, Promise, Violation, name, name_in};
use crate::history::{Conversation, Said};
use crate::tables::{Place, Slot, Timeline};
use std::collections::HashMap;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    for (place, timeline) in case.timelines() {
        each_once(place, timeline, found);
        if case.is_settled() && is_ours(case, place) {
            dense(place, timeline, found);
            nothing_dangles(place, timeline, found);
        }
    }
    case.each_entry(found, |found, place, seq, said| {
        is_intact(place, seq, said, found);
        is_what_was_sent(case, place, seq, said, found);
        is_where_it_belongs(case, place, seq, said, found);
        is_as_logged(case, place, seq, said, found);
    });
}

/// Whether its seqs are somebody's to read. A group whose creation was not answered has a log that nobody looks at.
fn is_ours(case: &Case<'_>, place: Place) -> bool {
    match place {
        Place::Log(Conversation::Group(group)) => case.members.knows(group),
        _ => true,
    }
}

fn each_once(place: Place, timeline: &Timeline, found: &mut Found) {
    let mut first: HashMap<Identity, u64> = HashMap::new();
    for (&seq, slot) in &timeline.slots {
        let Slot::Entry(said) = slot else { continue };
        let Some(identity) = identity(said) else { continue };
        if let Some(before) = first.insert(identity, seq) {
            let text = format!(
                "{} stands at {before} of {} and again at {seq}",
                name(said),
                place.key()
            );
            found.push(Violation::new(Promise::G2, Harm::Duplicated, text).with(said.token));
        }
    }
}

fn dense(place: Place, timeline: &Timeline, found: &mut Found) {
    let missing = (1..=timeline.counter).filter(|seq| !timeline.slots.contains_key(seq));
    let missing: Vec<u64> = missing.take(10).collect();
    if !missing.is_empty() {
        let text = format!("neither an entry nor a seal stands at {missing:?} of {}", place.key());
        found.push(Violation::new(Promise::G3, Harm::Other, text));
    }
    if let Some((beyond, _)) = timeline.slots.range(timeline.counter + 1..).next() {
        let text = format!(
            "something stands at {beyond} of {}, which has reserved {} only",
            place.key(),
            timeline.counter
        );
        found.push(Violation::new(Promise::G3, Harm::Other, text));
    }
}

fn nothing_dangles(place: Place, timeline: &Timeline, found: &mut Found) {
    for (at, slot) in &timeline.slots {
        if let Slot::Dangling { log, seq } = slot {
            let text = format!(
                "the entry at {at} of {} refers to {seq} of {log}, where no message stands",
                place.key()
            );
            found.push(Violation::new(Promise::G1, Harm::Lost, text));
        }
    }
}

fn is_intact(place: Place, seq: u64, said: &Said, found: &mut Found) {
    if !said.intact {
        let text = format!("{} is garbled at {seq} of {}", name(said), place.key());
        found.push(Violation::new(Promise::G1, Harm::Other, text).with(said.token));
    }
}

/// Every message is one that a device of its sender sent, to where it stands.
fn is_what_was_sent(case: &Case<'_>, place: Place, seq: u64, said: &Said, found: &mut Found) {
    let message = match (said.token, &said.change) {
        (Some(token), _) => match case.message(token) {
            Some(message) => Some(message),
            // It may have been sent after the history was copied.
            None if !case.is_settled() => return,
            None => None,
        },
        (None, Some(_)) => return,
        (None, None) => None,
    };
    let is_so = message.is_some_and(|message| message.sender == said.sender && message.to == said.conversation);
    if !is_so {
        let text = format!(
            "nobody sent what stands at {seq} of {}: {} by u{} in {}",
            place.key(),
            name(said),
            said.sender,
            said.conversation
        );
        found.push(Violation::new(Promise::G1, Harm::Other, text).with(said.token));
    }
}

/// A log holds its own conversation, under its seqs; an inbox nothing that is read from a log.
fn is_where_it_belongs(case: &Case<'_>, place: Place, seq: u64, said: &Said, found: &mut Found) {
    match place {
        Place::Log(conversation) => {
            if said.conversation != conversation || said.conversation_seq != seq {
                let text = format!(
                    "{} stands at {seq} of {}, and says that it is {} of {}",
                    name(said),
                    place.key(),
                    said.conversation_seq,
                    said.conversation
                );
                let (promise, harm) = if said.conversation == conversation {
                    (Promise::G4, Harm::Other)
                } else {
                    (Promise::G6, Harm::Leaked)
                };
                found.push(Violation::new(promise, harm, text).with(said.token));
            }
        }
        Place::Inbox(user) if !case.may_be_copied(user, said) => {
            let text = format!(
                "{}, a super group, is copied to {seq} of {}: it comes twice",
                name_in(said),
                place.key()
            );
            found.push(Violation::new(Promise::G2, Harm::Duplicated, text).with(said.token));
        }
        Place::Inbox(_) => {}
    }
}

/// A copy says what the log says at the seq that it names, which so is the same for all.
fn is_as_logged(case: &Case<'_>, place: Place, seq: u64, said: &Said, found: &mut Found) {
    if !matches!(place, Place::Inbox(_)) {
        return;
    }
    let logged = case.logged(said.conversation, said.conversation_seq);
    let there = match logged {
        Some(Slot::Entry(there)) if same(there, said) => return,
        Some(Slot::Entry(there)) if identity(there) == identity(said) => {
            // What is garbled is found by itself.
            if there.intact == said.intact {
                found.push(unlike_the_log(place, seq, said, Harm::Other, "it says something else"));
            }
            return;
        }
        Some(_) => "something else stands",
        // It may have come into the log after that was read.
        None if !case.is_settled() => return,
        None => "nothing stands",
    };
    let elsewhere = said
        .token
        .and_then(|token| case.seqs(token, Place::Log(said.conversation)).next());
    let message = said.token.and_then(|token| case.message(token));
    match elsewhere {
        Some(other) => {
            let there = format!("{there}: it is {other}");
            found.push(unlike_the_log(place, seq, said, Harm::Reordered, &there));
        }
        // That the log lacks what was acknowledged is found by itself.
        None if message.is_some_and(|message| message.acknowledged().is_some()) => {}
        None => found.push(unlike_the_log(place, seq, said, Harm::Lost, there)),
    }
}

fn unlike_the_log(place: Place, seq: u64, said: &Said, harm: Harm, there: &str) -> Violation {
    let promise = if harm == Harm::Lost { Promise::G1 } else { Promise::G4 };
    let text = format!(
        "{} at {seq} of {} is said to be {} of {}, where {there}",
        name(said),
        place.key(),
        said.conversation_seq,
        said.conversation
    );
    Violation::new(promise, harm, text).with(said.token)
}

/// Whether two places hold the same message, whatever its seq in an inbox.
fn same(one: &Said, other: &Said) -> bool {
    let seq = one.seq;
    *one == Said { seq, ..other.clone() }
}
