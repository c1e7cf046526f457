//! The copies of a group's messages, by the membership that its log tells.
//!
//! The judge of `wigwag-invariants` concludes membership from what was done when. The log says it
//! exactly, by seqs.

use crate::world::World;
use wigwag_domain::UserId;
use wigwag_invariants::TimelineKey;
use wigwag_protocol::pb::{GroupChangeType, Message};

/// G1 and G2 for one user: every message of their membership intervals is in their inbox once, as
/// it is in the log, and the inbox has nothing that the log does not have.
pub(crate) fn copies_by_the_log(world: &World, log: TimelineKey, user: UserId) -> Vec<String> {
    let log = world.passed(log);
    let inbox = world.passed(TimelineKey::Inbox(user.0));
    let intervals = intervals(log, user);
    let mut errors = Vec::new();
    for (n, message) in log {
        let copies = inbox.iter().filter(|(_, copy)| copy.conversation_seq == *n);
        let copies: Vec<&(u64, Message)> = copies.collect();
        if copies.len() > 1 {
            errors.push(format!("G2 u{user} has message {n} {} times", copies.len()));
        }
        for (seq, copy) in &copies {
            let logged = Message {
                seq: *seq,
                ..message.clone()
            };
            if *copy != logged {
                errors.push(format!("G2 u{user} has {copy:?}, but the log has {message:?}"));
            }
        }
        let interval = intervals.iter().find(|(first, last)| (first..=last).contains(&n));
        if let (Some((first, last)), true) = (interval, copies.is_empty()) {
            errors.push(format!(
                "G1 u{user} is a member from {first} to {last}, and never got message {n}"
            ));
        }
    }
    let unknown = inbox
        .iter()
        .filter(|(_, copy)| !log.iter().any(|(n, _)| *n == copy.conversation_seq));
    errors.extend(unknown.map(|(_, copy)| format!("G2 u{user} has {copy:?}, which the log does not have")));
    errors
}

/// The first and the last message of each membership interval.
fn intervals(log: &[(u64, Message)], user: UserId) -> Vec<(u64, u64)> {
    let mut intervals: Vec<(u64, u64)> = Vec::new();
    for (seq, message) in log {
        let Some(change) = &message.group_change else { continue };
        let names_them = change.user_ids.contains(&user.0);
        let ends = match change.r#type() {
            GroupChangeType::Created | GroupChangeType::MembersAdded if names_them => {
                intervals.push((*seq, u64::MAX));
                false
            }
            GroupChangeType::MembersRemoved => names_them,
            GroupChangeType::MemberLeft => message.sender_id == user.0,
            _ => false,
        };
        if let Some((_, last)) = intervals.last_mut().filter(|_| ends) {
            *last = *seq;
        }
    }
    intervals
}
