//! The shortest story of a violation: who did what when, and where it stands.

use crate::history::{Answer, Conversation, DeviceIndex, History, Moment, Path, Record, Token, Turn, What};
use crate::judge::Violation;
use crate::tables::{Slot, Tables};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use wigwag_store::UserId;

/// Messages of a violation that are told of; the others went the same way.
const MESSAGES: usize = 3;

/// Lines of the middle of a story.
const LINES: usize = 20;

/// Of those, how many are of its end, where it is too long.
const LAST: usize = 8;

/// Changes of a membership that are told of: the latest.
const CHANGES: usize = 6;

/// A few lines, in order of time, each with the time since the beginning and the device.
pub fn of(violation: &Violation, history: &History, tables: &Tables) -> String {
    let mut story = format!("{violation}\n");
    for line in shortened(lines(history, &moments(violation, history))) {
        story.push_str(&line);
        story.push('\n');
    }
    for token in messages(violation) {
        writeln!(story, "{:>10}  {token} {}", "", standing(token, tables)).unwrap_or_default();
    }
    story
}

fn messages(violation: &Violation) -> impl Iterator<Item = Token> {
    violation.messages.iter().copied().take(MESSAGES)
}

/// The records that matter, in order.
fn moments(violation: &Violation, history: &History) -> BTreeSet<Moment> {
    let about: BTreeSet<Token> = messages(violation).collect();
    let all = || history.records.iter().enumerate();
    let is_about = |record: &Record| message(&record.what).is_some_and(|token| about.contains(&token));
    let mut moments: BTreeSet<Moment> = all().filter(|(_, record)| is_about(record)).map(|(at, _)| at).collect();
    let stretch = match (moments.first(), moments.last()) {
        (Some(first), Some(last)) => *first..=*last,
        _ => 0..=history.records.len(),
    };
    if let Some(device) = violation.device {
        let turns = all().filter(|(at, record)| record.device == Some(device) && is_turn(&record.what, *at, &stretch));
        moments.extend(latest(turns.map(|(at, _)| at)));
    }
    let device_user = violation.device.map(|device| history.devices[device].user);
    if let Some(user) = violation.user.or(device_user) {
        let groups = groups(history, &about);
        let changes = all().filter(|(at, record)| at <= stretch.end() && is_change(&record.what, user, &groups));
        moments.extend(latest(changes.map(|(at, _)| at)));
    }
    let groups = groups(history, &about);
    let settings = all().filter(|(at, record)| at <= stretch.end() && is_setting(&record.what, &groups));
    moments.extend(latest(settings.map(|(at, _)| at)));
    moments
}

fn latest(moments: impl Iterator<Item = Moment>) -> Vec<Moment> {
    let moments: Vec<Moment> = moments.collect();
    moments[moments.len().saturating_sub(CHANGES)..].to_vec()
}

/// Whether a device begins or ends: in the stretch, or, if it is there for the first time, before it.
fn is_turn(what: &What, at: Moment, stretch: &std::ops::RangeInclusive<Moment>) -> bool {
    match what {
        What::Installed => at <= *stretch.end(),
        What::Started | What::Crashed | What::Left => stretch.contains(&at),
        _ => false,
    }
}

fn is_change(what: &What, user: UserId, groups: &BTreeSet<Conversation>) -> bool {
    match what {
        What::Change { group, user: whom, .. } | What::Changed { group, user: whom, .. } => {
            *whom == user && (groups.is_empty() || groups.contains(&Conversation::Group(*group)))
        }
        _ => false,
    }
}

/// Whether it changes what a group is to which messages were sent.
fn is_setting(what: &What, groups: &BTreeSet<Conversation>) -> bool {
    match what {
        What::Set { group, .. } | What::SetDone { group, .. } => groups.contains(&Conversation::Group(*group)),
        _ => false,
    }
}

/// Where messages were sent.
fn groups(history: &History, about: &BTreeSet<Token>) -> BTreeSet<Conversation> {
    let to = history.records.iter().filter_map(|record| match record.what {
        What::Send { message, to } if about.contains(&message) => Some(to),
        _ => None,
    });
    to.collect()
}

fn message(what: &What) -> Option<Token> {
    match what {
        What::Send { message, .. }
        | What::Acknowledged { message, .. }
        | What::Refused { message, .. }
        | What::GivenUp { message, .. }
        | What::RollCall { message, .. } => Some(*message),
        What::Came { said, .. } => said.token,
        _ => None,
    }
}

/// A line for each record, or for several that tell the same of the same device.
fn lines(history: &History, moments: &BTreeSet<Moment>) -> Vec<String> {
    let mut told: Vec<(u64, String, usize)> = Vec::new();
    for &at in moments {
        let record = &history.records[at];
        let line = format!("{:<8} {}", device(history, record.device), happening(&record.what));
        // The same of a message is told once, wherever it comes again; all else keeps its place.
        let same = |(_, before, _): &&mut (u64, String, usize)| *before == line;
        let before = match message(&record.what) {
            Some(_) => told.iter_mut().find(same),
            None => told.last_mut().filter(same),
        };
        match before {
            Some((_, _, times)) => *times += 1,
            None => told.push((record.at_ms, line, 1)),
        }
    }
    let line = |(at_ms, line, times): (u64, String, usize)| {
        let times = if times > 1 {
            format!(" … {times} times")
        } else {
            String::new()
        };
        format!("{:>6}.{:03}  {line}{times}", at_ms / 1000, at_ms % 1000)
    };
    told.into_iter().map(line).collect()
}

fn device(history: &History, device: Option<DeviceIndex>) -> &str {
    device.map_or("", |device| &history.devices[device].name)
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES {
        let last = lines.split_off(lines.len() - LAST);
        let left_out = lines.len() - (LINES - LAST - 1);
        lines.truncate(LINES - LAST - 1);
        lines.push(format!("{:>10}  … {left_out} more", ""));
        lines.extend(last);
    }
    lines
}

fn happening(what: &What) -> String {
    match what {
        What::Send { message, to } => format!("sends {message} to {to}, {} bytes", message.bytes),
        What::Acknowledged { message, answer } => format!("is told that {message} is {}", told(answer)),
        What::Refused { message, code } => format!("is refused {message} with {code}"),
        What::GivenUp { message, reason } => format!("gives {message} up: {reason}"),
        What::Came { by, said } => {
            let name = said.token.map_or("a change".to_owned(), |token| token.to_string());
            let garbled = if said.intact { "" } else { ", garbled" };
            let inbox = match said.seq {
                0 => String::new(),
                seq => format!(", {seq} of the inbox"),
            };
            let place = format!("{} of {}", said.conversation_seq, said.conversation);
            format!("gets {name} by {}: {place}{inbox}{garbled}", way(*by))
        }
        What::Cursor { seq } => format!("has everything up to {seq}"),
        What::GroupCursor { group, seq } => format!("has everything of g{group} up to {seq}"),
        What::Installed => "is installed".to_owned(),
        What::Started => "starts".to_owned(),
        What::Crashed => "crashes".to_owned(),
        What::Left => "leaves".to_owned(),
        What::Connected => "is connected".to_owned(),
        What::Disconnected { reason } => format!("is disconnected: {reason}"),
        What::Change { group, user, turn } => format!("u{user} is to {} g{group}", infinitive(*turn)),
        What::Changed { group, user, turn } => format!("u{user} has {} g{group}", participle(*turn)),
        What::Founded { group, .. } => format!("g{group} is made"),
        What::Set { group, setting, is_on } => format!("g{group} is to {}: {setting}", starts(*is_on)),
        What::SetDone { group, setting, is_on } => format!("g{group} has {}: {setting}", started(*is_on)),
        What::Asked { group } => format!("asks for a page of g{group}"),
        What::Denied { group, code } => format!("is denied g{group} with {code}"),
        What::Calm => "the faults stop".to_owned(),
        What::Settled => "all has settled".to_owned(),
        What::RollCall { message, user } => format!("{message} calls u{user}"),
        What::RollCalled => "the roll call is over".to_owned(),
    }
}

fn told(answer: &Answer) -> String {
    let inbox = match answer.seq {
        0 => String::new(),
        seq => format!(" and {seq} of the inbox"),
    };
    format!("{} of the conversation{inbox}", answer.conversation_seq)
}

fn way(by: Path) -> &'static str {
    match by {
        Path::Inbox => "its inbox",
        Path::GroupLog => "the group's log",
        Path::Push => "push",
        Path::Sync => "SYNC",
        Path::Pull => "PULL",
    }
}

fn starts(is_on: bool) -> &'static str {
    if is_on { "begin" } else { "end" }
}

fn started(is_on: bool) -> &'static str {
    if is_on { "begun" } else { "ended" }
}

fn infinitive(turn: Turn) -> &'static str {
    match turn {
        Turn::Joins => "join",
        Turn::Leaves => "leave",
    }
}

fn participle(turn: Turn) -> &'static str {
    match turn {
        Turn::Joins => "joined",
        Turn::Leaves => "left",
    }
}

/// Where a message stands.
fn standing(token: Token, tables: &Tables) -> String {
    let places = tables.timelines.iter().flat_map(|(key, timeline)| {
        let slots = timeline.slots.iter().filter(move |(_, slot)| match slot {
            Slot::Entry(said) => said.token == Some(token),
            Slot::Dangling { .. } | Slot::Seal => false,
        });
        slots.map(move |(seq, _)| format!("{seq} of {key}"))
    });
    let places: Vec<String> = places.collect();
    if places.is_empty() {
        "stands nowhere".to_owned()
    } else {
        format!("stands at {}", places.join(", "))
    }
}
