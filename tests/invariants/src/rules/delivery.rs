//! G1: an acknowledged message is in its log, in the sender's inbox, and in the inbox of the other
//! user, or of everyone who was a member from its sending to its acknowledgement.

use crate::UserId;
use crate::case::{Case, SentMessage};
use crate::history::Moment;
use crate::message::Conversation;
use crate::tables::TimelineKey;
use crate::violation::{Harm, Promise, Violation};

/// Checks all acknowledged messages.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    for message in &case.messages {
        let Some(acknowledged) = message.acknowledged() else {
            continue;
        };
        is_logged(case, message, found);
        for user in inboxes_by_acknowledgement(case, message) {
            is_copied(case, message, user, found);
        }
        // The members' copies were only in the queue when it was acknowledged.
        if case.is_settled() {
            for user in entitled_members(case, message, acknowledged) {
                is_copied(case, message, user, found);
            }
        }
    }
}

fn is_logged(case: &Case<'_>, message: &SentMessage, found: &mut Vec<Violation>) {
    let log = TimelineKey::Log(message.to);
    if !case.holds(log, message.token) {
        let text = format!("{} was acknowledged and is not in the log {log}", message.token);
        found.push(Violation::new(Promise::G1, Harm::Lost, text).with(Some(message.token)));
    }
}

fn is_copied(case: &Case<'_>, message: &SentMessage, user: UserId, found: &mut Vec<Violation>) {
    if !case.holds(TimelineKey::Inbox(user), message.token) {
        let text = format!(
            "{} to {} was acknowledged and is not in the inbox of u{user}",
            message.token, message.to
        );
        let violation = Violation::new(Promise::G1, Harm::Lost, text);
        found.push(violation.with(Some(message.token)).of(user));
    }
}

/// The users who have a copy by the time of the acknowledgement.
fn inboxes_by_acknowledgement(case: &Case<'_>, message: &SentMessage) -> Vec<UserId> {
    match message.to {
        Conversation::Pair(one, other) if one == other => vec![one],
        Conversation::Pair(one, other) => vec![one, other],
        Conversation::Group(_) if case.is_in_log_alone(message) => Vec::new(),
        Conversation::Group(_) => vec![message.sender],
    }
}

/// The members who get a copy later, without the sender.
fn entitled_members(case: &Case<'_>, message: &SentMessage, acknowledged: Moment) -> Vec<UserId> {
    match message.to {
        Conversation::Group(group) if !case.is_in_log_alone(message) => {
            let users = case.members.users(group).iter().copied();
            let is_entitled = |user: &UserId| {
                *user != message.sender && case.members.surely(group, *user, message.begun, acknowledged)
            };
            users.filter(is_entitled).collect()
        }
        _ => Vec::new(),
    }
}
