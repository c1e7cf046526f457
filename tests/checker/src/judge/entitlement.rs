//! Nobody has what is not theirs, and nobody gets in what they may not send.
//!
//! A message of a group is for whoever was a member at some time between its sending and its acknowledgement, may be; what came
//! to be known later than that is not asked. Who may have been a member while the history may have been open may also have read
//! what was said before, page by page: no inbox has it, and nobody is pushed it.

use super::case::{Case, Identity, Sending, identity};
use super::{Found, Harm, Promise, Violation, name_in};
use crate::history::{Conversation, DeviceIndex, Moment, Path, Said, Setting, What};
use crate::tables::Place;
use std::collections::{HashMap, HashSet};
use wigwag_store::{GroupId, UserId};

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
    let mut asked: HashMap<DeviceIndex, Moment> = HashMap::new();
    for (at, record) in case.history.records.iter().enumerate() {
        let Some(device) = record.device else { continue };
        let (by, said) = match &record.what {
            What::Asked { .. } => {
                asked.insert(device, at);
                continue;
            }
            What::Came { by, said } => (by, said),
            _ => continue,
        };
        let user = case.device(device).user;
        let mut is_new = |said| identity(said).is_some_and(|identity| told.insert((user, identity)));
        let may_read = || match by {
            Path::Pull => asked
                .get(&device)
                .is_some_and(|from| was_open(case, user, said, *from, at)),
            // The SDK asks for pages too, and says nothing of when.
            Path::GroupLog => was_open(case, user, said, 0, at),
            Path::Inbox | Path::Push | Path::Sync => false,
        };
        if !may_have(case, user, said) && !may_read() && is_new(said) {
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

/// Whether a user may have been a member of a group whose history may have been open, at some time between the two.
fn was_open(case: &Case<'_>, user: UserId, said: &Said, from: Moment, until: Moment) -> bool {
    let Conversation::Group(group) = said.conversation else {
        return false;
    };
    let is_open = case.settings.possibly(group, Setting::OpenHistory, from, until);
    is_open && case.members.possibly(group, user, from, until)
}

/// What stands in a group was sent by somebody who may have been a member, and may have been allowed to send.
fn senders(case: &Case<'_>, found: &mut Found) {
    for message in &case.messages {
        let Conversation::Group(group) = message.to else {
            continue;
        };
        let Some(accepted) = case.accepted_by(message) else {
            continue;
        };
        let Some(but) = is_not_to_send(case, group, message, accepted) else {
            continue;
        };
        if case.stands(message.token, Place::Log(message.to)) {
            let text = format!(
                "{} of u{} stands in g{group}, and {but} when it was sent",
                message.token, message.sender
            );
            let violation = Violation::new(Promise::G6, Harm::Leaked, text);
            found.push(violation.with(Some(message.token)).of(message.sender));
        }
    }
}

/// Why a message surely was not to be accepted; `None` where it may have been.
fn is_not_to_send(case: &Case<'_>, group: GroupId, message: &Sending, accepted: Moment) -> Option<&'static str> {
    let (sender, from) = (message.sender, message.begun);
    let always = |setting| case.settings.surely(group, setting, from, accepted);
    let never = |setting| !case.settings.possibly(group, setting, from, accepted);
    if !case.members.possibly(group, sender, from, accepted) {
        Some("its sender was no member")
    } else if always(Setting::Dissolved) {
        Some("the group had ended")
    } else if always(Setting::MemberMuted(sender)) {
        Some("its sender was muted")
    } else if always(Setting::Muted) && never(Setting::Ranks(sender)) {
        Some("the group was muted")
    } else {
        None
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
