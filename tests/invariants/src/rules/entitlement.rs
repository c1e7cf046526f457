//! G6: nobody has a message that they may not have, and nobody sends what they may not send.
//!
//! Every user who may have been a member at some time between the sending of a message and its
//! acknowledgement may have it. A user who may have been a member while the history may have been
//! open may also read older messages, but by pages only: no inbox has them, and they are not
//! pushed.

use crate::case::{Case, Identity, SentMessage, identity};
use crate::history::{Channel, DeviceIndex, Event, Moment, Setting};
use crate::message::{Conversation, Observed};
use crate::tables::TimelineKey;
use crate::violation::{Harm, Promise, Violation};
use crate::{GroupId, UserId};
use std::collections::{HashMap, HashSet};

/// Checks all sent messages, all inboxes, and everything that reached a device.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    senders(case, found);
    // A leak is reported once for each user.
    let mut reported: HashSet<(UserId, Identity)> = HashSet::new();
    inboxes(case, &mut reported, found);
    devices(case, &mut reported, found);
}

fn inboxes(case: &Case<'_>, reported: &mut HashSet<(UserId, Identity)>, found: &mut Vec<Violation>) {
    for (key, timeline) in case.timelines() {
        let TimelineKey::Inbox(user) = key else { continue };
        for (seq, observed) in timeline.entries() {
            if !may_have(case, user, observed) {
                reported.extend(identity(observed).map(|identity| (user, identity)));
                let text = format!("{} is at {seq} in the inbox of u{user}", observed.full_name());
                let violation = Violation::new(Promise::G6, Harm::Leaked, text);
                found.push(violation.with(observed.token).of(user));
            }
        }
    }
}

fn devices(case: &Case<'_>, reported: &mut HashSet<(UserId, Identity)>, found: &mut Vec<Violation>) {
    let mut asked: HashMap<DeviceIndex, Moment> = HashMap::new();
    for (at, record) in case.history.records.iter().enumerate() {
        let Some(device) = record.device else { continue };
        let (by, observed) = match &record.event {
            Event::Asked { .. } => {
                asked.insert(device, at);
                continue;
            }
            Event::Came { by, observed } => (by, observed),
            _ => continue,
        };
        let user = case.device(device).user;
        let may_read = || match by {
            Channel::Pull => {
                let from = asked.get(&device);
                from.is_some_and(|from| was_open(case, user, observed, *from, at))
            }
            // The SDK asks for pages too, and does not tell when.
            Channel::GroupLog => was_open(case, user, observed, 0, at),
            Channel::Inbox | Channel::Push | Channel::Sync => false,
        };
        let mut is_new = || identity(observed).is_some_and(|identity| reported.insert((user, identity)));
        if !may_have(case, user, observed) && !may_read() && is_new() {
            let name = &case.device(device).name;
            let text = format!("{} came to {name} by {by:?}", observed.full_name());
            let violation = Violation::new(Promise::G6, Harm::Leaked, text);
            found.push(violation.with(observed.token).on(device));
        }
    }
}

/// Whether a user may have been a member, and the history may have been open, between the two.
fn was_open(case: &Case<'_>, user: UserId, observed: &Observed, from: Moment, until: Moment) -> bool {
    let Conversation::Group(group) = observed.conversation else {
        return false;
    };
    let is_open = case.settings.possibly(group, Setting::OpenHistory, from, until);
    is_open && case.members.possibly(group, user, from, until)
}

/// The sender of a message in a group may have been a member, and may have been allowed to send.
fn senders(case: &Case<'_>, found: &mut Vec<Violation>) {
    for message in &case.messages {
        let Conversation::Group(group) = message.to else {
            continue;
        };
        let Some(accepted) = case.accepted_by(message) else {
            continue;
        };
        let Some(reason) = reason_to_refuse(case, group, message, accepted) else {
            continue;
        };
        if case.holds(TimelineKey::Log(message.to), message.token) {
            let text = format!(
                "{} of u{} is in g{group}, although {reason} when it was sent",
                message.token, message.sender
            );
            let violation = Violation::new(Promise::G6, Harm::Leaked, text);
            found.push(violation.with(Some(message.token)).of(message.sender));
        }
    }
}

/// Why a message surely had to be refused; `None` if it may have been accepted.
fn reason_to_refuse(case: &Case<'_>, group: GroupId, message: &SentMessage, accepted: Moment) -> Option<&'static str> {
    let (sender, from) = (message.sender, message.begun);
    let always = |setting| case.settings.surely(group, setting, from, accepted);
    let never = |setting| !case.settings.possibly(group, setting, from, accepted);
    if !case.members.possibly(group, sender, from, accepted) {
        Some("its sender was no member")
    } else if always(Setting::Dissolved) {
        Some("the group was dissolved")
    } else if always(Setting::MemberMuted(sender)) {
        Some("its sender was muted")
    } else if always(Setting::Muted) && never(Setting::Ranks(sender)) {
        Some("the group was muted")
    } else {
        None
    }
}

/// Whether a user may have a message; yes if that cannot be said yet.
fn may_have(case: &Case<'_>, user: UserId, observed: &Observed) -> bool {
    match observed.token {
        Some(token) => {
            let message = case.message(token);
            message.is_none_or(|message| may_have_message(case, user, message))
        }
        None => may_have_announcement(case, user, observed),
    }
}

fn may_have_message(case: &Case<'_>, user: UserId, message: &SentMessage) -> bool {
    match message.to {
        Conversation::Pair(one, other) => user == one || user == other,
        Conversation::Group(group) => {
            let accepted = case.accepted_by(message);
            let may_be_member = |accepted| case.members.possibly(group, user, message.begun, accepted);
            user == message.sender || accepted.is_none_or(may_be_member)
        }
    }
}

fn may_have_announcement(case: &Case<'_>, user: UserId, observed: &Observed) -> bool {
    let Conversation::Group(group) = observed.conversation else {
        return true;
    };
    let Some(time) = case.announcements.time(group, observed.conversation_seq) else {
        return true;
    };
    let until = match time.until {
        Some(until) => until,
        None if case.is_settled() => case.history.records.len(),
        None => return true,
    };
    case.members.possibly(group, user, time.from, until)
}
