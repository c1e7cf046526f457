//! What was acknowledged stands where it is to stand: in its log, in the sender's inbox, in the inbox of the other, or of
//! everyone who was a member all the while from its sending to its acknowledgement.

use super::case::{Case, Sending};
use super::{Found, Harm, Promise, Violation};
use crate::history::{Conversation, Moment};
use crate::tables::Place;
use wigwag_store::UserId;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    for message in &case.messages {
        let Some(acknowledged) = message.acknowledged() else {
            continue;
        };
        is_logged(case, message, found);
        for user in inboxes_by_acknowledgement(case, message) {
            is_copied(case, message, user, found);
        }
        // The copies of the others were in the queue when it was acknowledged.
        if case.is_settled() {
            for user in members(case, message, acknowledged) {
                is_copied(case, message, user, found);
            }
        }
    }
}

fn is_logged(case: &Case<'_>, message: &Sending, found: &mut Found) {
    let log = Place::Log(message.to);
    if !case.stands(message.token, log) {
        let text = format!("{} was acknowledged and is not in the log {}", message.token, log.key());
        found.push(Violation::new(Promise::G1, Harm::Lost, text).with(Some(message.token)));
    }
}

fn is_copied(case: &Case<'_>, message: &Sending, user: UserId, found: &mut Found) {
    if !case.stands(message.token, Place::Inbox(user)) {
        let text = format!(
            "{} to {} was acknowledged and is not in the inbox of u{user}",
            message.token, message.to
        );
        let violation = Violation::new(Promise::G1, Harm::Lost, text);
        found.push(violation.with(Some(message.token)).of(user));
    }
}

/// Those who have it when it is acknowledged, not later.
fn inboxes_by_acknowledgement(case: &Case<'_>, message: &Sending) -> Vec<UserId> {
    match message.to {
        Conversation::Pair(one, other) => vec![one, other],
        Conversation::Group(_) if case.is_in_log_alone(message) => Vec::new(),
        Conversation::Group(_) => vec![message.sender],
    }
}

/// Members who are to have a copy, without the sender.
fn members(case: &Case<'_>, message: &Sending, acknowledged: Moment) -> Vec<UserId> {
    match message.to {
        Conversation::Group(group) if !case.is_in_log_alone(message) => {
            let members = case.members.users(group).iter().copied();
            let is_due = |user: &UserId| {
                *user != message.sender && case.members.surely(group, *user, message.begun, acknowledged)
            };
            members.filter(is_due).collect()
        }
        _ => Vec::new(),
    }
}
