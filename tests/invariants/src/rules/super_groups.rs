//! G1: the head of a log holds the seq from which its group is a super group. A message that was
//! acknowledged before anybody began to make it one is not behind that seq, and a message that was
//! sent after it had become one is.

use crate::GroupId;
use crate::case::Case;
use crate::history::Setting;
use crate::message::Conversation;
use crate::tables::TimelineKey;
use crate::violation::{Harm, Promise, Violation};

/// Checks the logs of all groups.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    for (key, timeline) in case.timelines() {
        let TimelineKey::Log(Conversation::Group(group)) = key else {
            continue;
        };
        if case.members.knows(group) {
            is_as_requested(case, group, timeline.super_after, found);
        }
        if let Some(after) = timeline.super_after {
            each_on_its_side(case, group, after, found);
        }
    }
}

fn is_as_requested(case: &Case<'_>, group: GroupId, after: Option<u64>, found: &mut Vec<Violation>) {
    let steps = case.settings.steps(group, Setting::Super);
    let text = match (after, steps.first()) {
        (None, Some(step)) if step.done.is_some() => "was made a super group, and is none",
        // It may have become one after the history was copied.
        (Some(_), None) if case.is_settled() => "is a super group, and nobody made it one",
        _ => return,
    };
    found.push(Violation::new(Promise::G1, Harm::Other, format!("g{group} {text}")));
}

fn each_on_its_side(case: &Case<'_>, group: GroupId, after: u64, found: &mut Vec<Violation>) {
    let [step] = case.settings.steps(group, Setting::Super) else {
        return;
    };
    let to = Conversation::Group(group);
    for message in case.messages.iter().filter(|message| message.to == to) {
        let was_before = message.acknowledged().is_some_and(|at| at < step.begun);
        let was_after = step.done.is_some_and(|done| message.begun > done);
        for seq in case.seqs(message.token, TimelineKey::Log(to)) {
            let text = match seq > after {
                true if was_before => "was acknowledged before it became one",
                false if was_after => "was sent after it had become one",
                _ => continue,
            };
            let text = format!(
                "{} is at {seq} of g{group}, a super group after {after}, and {text}",
                message.token
            );
            found.push(Violation::new(Promise::G1, Harm::Other, text).with(Some(message.token)));
        }
    }
}
