//! G1: every stored message is one that a device sent, unchanged and in the conversation that it
//! was sent to.

use crate::case::Case;
use crate::message::Observed;
use crate::tables::TimelineKey;
use crate::violation::{Harm, Promise, Violation};

/// Checks all entries.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    case.each_entry(found, |found, key, seq, observed| {
        is_intact(key, seq, observed, found);
        was_sent(case, key, seq, observed, found);
    });
}

fn is_intact(key: TimelineKey, seq: u64, observed: &Observed, found: &mut Vec<Violation>) {
    if !observed.intact {
        let text = format!("{} is garbled at {seq} of {key}", observed.name());
        found.push(Violation::new(Promise::G1, Harm::Other, text).with(observed.token));
    }
}

fn was_sent(case: &Case<'_>, key: TimelineKey, seq: u64, observed: &Observed, found: &mut Vec<Violation>) {
    let message = match (observed.token, &observed.change) {
        (Some(token), _) => match case.message(token) {
            Some(message) => Some(message),
            // It may have been sent after the history was copied.
            None if !case.is_settled() => return,
            None => None,
        },
        (None, Some(_)) => return,
        (None, None) => None,
    };
    let is_so = message.is_some_and(|message| message.sender == observed.sender && message.to == observed.conversation);
    if !is_so {
        let text = format!(
            "nobody sent what is at {seq} of {key}: {} by u{} in {}",
            observed.name(),
            observed.sender,
            observed.conversation
        );
        found.push(Violation::new(Promise::G1, Harm::Other, text).with(observed.token));
    }
}
