//! Nobody has what is not theirs, and nobody gets in what they may not send.
//!
//! A message of a group is for whoever was a member at some time between its sending and its acknowledgement, may be; what came
//! to be known later than that is not asked.

use super::case::{Case, Identity, Sending, identity};
use super::{Found, Harm, Promise, Violation, name_in};
use crate::history::{Conversation, Said, What};
use crate::tables::Place;
use std::collections::HashSet;
use wigwag_store::UserId;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    senders(case, found);
    let mut told: HashSet<(UserId, Identity)> = HashSet::new();
    for (place, timeline) in case.timelines() {
        let Place::Inbox(user) = place else { continue };
        for (seq, said) in timeline.entries() {
            if !may_have(case, user, said) {
                told.extend(identity(said).map(|identity| (user, identity)));
                let text = format!("{} stands at {seq} in the inbox of u{user}", name_in(said));
                let violation = Violation::new(Promise::G6, Harm::Leaked, text);
                found.push(violation.with(said.token).of(user));
            }
        }
    }
    for record in &case.history.records {
        let (What::Came { said, by }, Some(device)) = (&record.what, record.device) else {
            continue;
        };
        let user = case.device(device).user;
        let mut is_new = |said| identity(said).is_some_and(|identity| told.insert((user, identity)));
        if !may_have(case, user, said) && is_new(said) {
            let device_name = &case.device(device).name;
            let text = format!("{} came to {device_name} by {by:?}", name_in(said));
            found.push(
                Violation::new(Promise::G6, Harm::Leaked, text)
                    .with(said.token)
                    .on(device),
            );
        }
    }
}

/// What stands in a group was sent by somebody who may have been a member.
fn senders(case: &Case<'_>, found: &mut Found) {
    for message in &case.messages {
        let Conversation::Group(group) = message.to else {
            continue;
        };
        let Some(accepted) = case.accepted_by(message) else {
            continue;
        };
        let may_send = case.members.possibly(group, message.sender, message.begun, accepted);
        if !may_send && case.stands(message.token, Place::Log(message.to)) {
            let text = format!(
                "{} stands in g{group}, and its sender u{} was no member",
                message.token, message.sender
            );
            let violation = Violation::new(Promise::G6, Harm::Leaked, text);
            found.push(violation.with(Some(message.token)).of(message.sender));
        }
    }
}

/// Whether a user may have a message, as far as that can be said.
fn may_have(case: &Case<'_>, user: UserId, said: &Said) -> bool {
    match said.token {
        Some(token) => case
            .message(token)
            .is_none_or(|message| may_have_message(case, user, message)),
        None => may_have_announcement(case, user, said),
    }
}

fn may_have_message(case: &Case<'_>, user: UserId, message: &Sending) -> bool {
    match message.to {
        Conversation::Pair(one, other) => user == one || user == other,
        Conversation::Group(group) => {
            user == message.sender
                || case
                    .accepted_by(message)
                    .is_none_or(|accepted| case.members.possibly(group, user, message.begun, accepted))
        }
    }
}

fn may_have_announcement(case: &Case<'_>, user: UserId, said: &Said) -> bool {
    let Conversation::Group(group) = said.conversation else {
        return true;
    };
    let Some(time) = case.announcements.time(group, said.conversation_seq) else {
        return true;
    };
    let until = match time.until {
        Some(until) => until,
        None if case.is_settled() => case.history.records.len(),
        None => return true,
    };
    case.members.possibly(group, user, time.from, until)
}
