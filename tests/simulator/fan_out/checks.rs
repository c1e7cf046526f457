//! The guarantees G1-G6, held against what every reader's cursor has passed, every answer, every push, and the tables.

use super::parties::{Interval, Member};
use super::world::{GROUP, World};
use crate::guarantees::{density, order, rows};
use crate::harness::Engine;
use crate::processes::Timeline;
use wigwag_protocol::pb::{GroupChangeType, Message};
use wigwag_store::UserId;

/// What is broken; nothing where all holds.
pub(crate) fn violations(world: &World, engine: &Engine) -> Vec<String> {
    let mut errors = world.errors.clone();
    let timelines = rows(engine);
    for reader in &world.readers {
        let rows = timelines.get(&reader.timeline.key());
        errors.extend(rows.into_iter().flat_map(|rows| density(reader, rows)));
    }
    let log = world.passed(Timeline::GroupLog(GROUP));
    let order_of_log = world
        .readers
        .iter()
        .filter(|reader| reader.timeline == Timeline::GroupLog(GROUP));
    errors.extend(order_of_log.filter_map(order));
    for user in 1..=6 {
        for (_, message) in log {
            errors.extend(copies(world, log, user, message));
        }
        errors.extend(unknown(world, log, user));
    }
    for device in 0..world.devices.len() {
        for client_id in 1..=world.devices[device].messages {
            errors.extend(answered(world, log, device, client_id));
        }
    }
    for &(user, seq, conversation_seq) in &world.pushes {
        let inbox = world.passed(Timeline::Inbox(user));
        if !inbox
            .iter()
            .any(|(there, message)| (*there, message.conversation_seq) == (seq, conversation_seq))
        {
            errors.push(format!(
                "G6 u{user} was pushed message {conversation_seq} as {seq}, which does not stand there"
            ));
        }
    }
    errors
}

/// What is not as it should be in the inboxes of all but this user.
pub(crate) fn everyone_else_has_everything(world: &World, user: UserId) -> Vec<String> {
    let log = world.passed(Timeline::GroupLog(GROUP));
    let others = (1..=6).filter(|&other| other != user);
    let errors = others.flat_map(|other| {
        log.iter()
            .flat_map(move |(_, message)| copies(world, log, other, message))
    });
    errors
        .map(|error| format!("while u{user} refuses everything: {error}"))
        .collect()
}

/// G1, G2, G6: a message of the log stands once in the inbox of who is to have it, and in no other.
fn copies(world: &World, log: &[(u64, Message)], user: UserId, message: &Message) -> Vec<String> {
    let n = message.conversation_seq;
    let inbox = world.passed(Timeline::Inbox(user));
    let there: Vec<&(u64, Message)> = inbox.iter().filter(|(_, copy)| copy.conversation_seq == n).collect();
    let mut errors = Vec::new();
    if there.len() > 1 {
        errors.push(format!("G2 u{user} has message {n} {} times", there.len()));
    }
    for (seq, copy) in &there {
        let as_logged = Message {
            seq: *seq,
            ..message.clone()
        };
        if *copy != as_logged {
            errors.push(format!("G2 u{user} has {copy:?}, the log says {message:?}"));
        }
    }
    if let Some((first, last)) = stays_by_seq(log, user)
        .into_iter()
        .find(|(first, last)| (*first..=*last).contains(&n))
        && there.is_empty()
    {
        errors.push(format!(
            "G1 u{user} belongs from {first} to {last} and never got message {n}"
        ));
    }
    let member = world.members.iter().find(|member| member.user == user);
    if let (Some(member), Some(sent)) = (member, sent(world, message)) {
        if was_member(member, sent) && there.is_empty() {
            errors.push(format!("G1 u{user} was a member and never got message {n}"));
        }
        if was_none(member, sent) && !there.is_empty() {
            errors.push(format!("G6 u{user} was no member and got message {n}"));
        }
    }
    errors
}

/// G2: an inbox has nothing that the log has not.
fn unknown(world: &World, log: &[(u64, Message)], user: UserId) -> Vec<String> {
    let inbox = world.passed(Timeline::Inbox(user)).iter();
    let unknown = inbox.filter(|(_, copy)| !log.iter().any(|(seq, _)| *seq == copy.conversation_seq));
    unknown
        .map(|(_, copy)| format!("G2 u{user} has {copy:?}, the log has not"))
        .collect()
}

/// G5: a message has one answer, stands once in the log, and in its sender's inbox where that says.
fn answered(world: &World, log: &[(u64, Message)], device: usize, client_id: u64) -> Vec<String> {
    let it = &world.devices[device];
    let Some(answers) = it.answers.get(&client_id) else {
        return vec![format!(
            "liveness: message {client_id} of device {device} is never acknowledged"
        )];
    };
    let mut errors = Vec::new();
    let (own_seq, _, answer) = &answers[0];
    if answers.iter().any(|answer| *answer != answers[0]) {
        errors.push(format!(
            "G5 message {client_id} of device {device} is answered {answers:?}"
        ));
    }
    let is_it = |message: &Message| (message.session, message.client_id) == (it.session, client_id);
    let logged: Vec<&Message> = log
        .iter()
        .map(|(_, message)| message)
        .filter(|message| is_it(message))
        .collect();
    if logged != [answer] {
        errors.push(format!("G1, G2 the log has {logged:?}, the answer says {answer:?}"));
    }
    let own = world
        .passed(Timeline::Inbox(it.user))
        .iter()
        .filter(|(_, message)| is_it(message));
    let own: Vec<u64> = own.map(|(seq, _)| *seq).collect();
    if own != [*own_seq] {
        errors.push(format!(
            "G5 u{} has its message at {own:?}, the answer says {own_seq}",
            it.user
        ));
    }
    errors
}

/// From which message to which a user belongs, as the log says.
fn stays_by_seq(log: &[(u64, Message)], user: UserId) -> Vec<(u64, u64)> {
    let mut stays: Vec<(u64, u64)> = Vec::new();
    for (seq, message) in log {
        let Some(change) = &message.group_change else { continue };
        let names_them = change.user_ids.contains(&user);
        match change.r#type() {
            GroupChangeType::Created | GroupChangeType::MembersAdded if names_them => stays.push((*seq, u64::MAX)),
            GroupChangeType::MembersRemoved if names_them => end(&mut stays, *seq),
            GroupChangeType::MemberLeft if message.sender_id == user => end(&mut stays, *seq),
            _ => {}
        }
    }
    stays
}

fn end(stays: &mut [(u64, u64)], seq: u64) {
    if let Some((_, last)) = stays.last_mut() {
        *last = seq;
    }
}

/// When a message was sent; `None` of an announcement.
fn sent(world: &World, message: &Message) -> Option<Interval> {
    let device = world
        .devices
        .iter()
        .position(|device| device.session == message.session && message.client_id > 0)?;
    world.sends.get(&(device, message.client_id)).copied()
}

/// Whether a user was a member all the while.
fn was_member(member: &Member, sent: Interval) -> bool {
    let stays = member.stays().into_iter();
    stays
        .filter(|(joined, _)| joined.is_some() || member.is_in_from_the_start)
        .any(|(joined, left)| {
            joined.is_none_or(|joined| joined.is_before(sent)) && left.is_none_or(|left| sent.is_before(left))
        })
}

/// Whether a user was a member at no moment of it.
fn was_none(member: &Member, sent: Interval) -> bool {
    let stays = member.stays().into_iter();
    stays
        .filter(|(joined, _)| joined.is_some() || member.is_in_from_the_start)
        .all(|(joined, left)| {
            joined.is_some_and(|joined| sent.is_before(joined)) || left.is_some_and(|left| left.is_before(sent))
        })
}
