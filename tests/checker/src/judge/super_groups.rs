//! A group is a super group from a seq on, which its head holds: what was acknowledged before somebody began to make it one stands no later
//! than that, and what was sent when it had been made one stands behind it.

use super::case::Case;
use super::{Found, Harm, Promise, Violation};
use crate::history::{Conversation, Setting};
use crate::tables::Place;
use wigwag_store::GroupId;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    for (place, timeline) in case.timelines() {
        let Place::Log(Conversation::Group(group)) = place else {
            continue;
        };
        if case.members.knows(group) {
            is_what_it_was_made(case, group, timeline.super_after, found);
        }
        if let Some(after) = timeline.super_after {
            each_stands_on_its_side(case, group, after, found);
        }
    }
}

fn is_what_it_was_made(case: &Case<'_>, group: GroupId, after: Option<u64>, found: &mut Found) {
    let steps = case.settings.steps(group, Setting::Super);
    let text = match (after, steps.first()) {
        (None, Some(step)) if step.done.is_some() => "was made a super group, and is none",
        // It may have become one after the history was copied.
        (Some(_), None) if case.is_settled() => "is a super group, and nobody made it one",
        _ => return,
    };
    found.push(Violation::new(Promise::G1, Harm::Other, format!("g{group} {text}")));
}

fn each_stands_on_its_side(case: &Case<'_>, group: GroupId, after: u64, found: &mut Found) {
    let [step] = case.settings.steps(group, Setting::Super) else {
        return;
    };
    let to = Conversation::Group(group);
    for message in case.messages.iter().filter(|message| message.to == to) {
        let was_before = message.acknowledged().is_some_and(|at| at < step.begun);
        let was_after = step.done.is_some_and(|done| message.begun > done);
        for seq in case.seqs(message.token, Place::Log(to)) {
            let text = match seq > after {
                true if was_before => "was acknowledged before it became one",
                false if was_after => "was sent when it was one",
                _ => continue,
            };
            let text = format!(
                "{} stands at {seq} of g{group}, a super group beyond {after}, and {text}",
                message.token
            );
            found.push(Violation::new(Promise::G1, Harm::Other, text).with(Some(message.token)));
        }
    }
}
