//! Explains a violation by the events that matter: who did what when, and where the message is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use wigwag_invariants::UserId;
use wigwag_invariants::{
    Answer, Channel, Conversation, DeviceIndex, Event, History, Moment, Record, Row, Tables, Token, Turn, Violation,
};

/// Messages of a violation that are explained. The others usually went the same way.
const MESSAGES: usize = 3;

/// Lines of events.
const LINES: usize = 20;

/// How many of the last lines are kept if there are more.
const LAST: usize = 8;

/// Changes of one membership or setting, the latest ones.
const CHANGES: usize = 6;

/// The violation, then lines with the time since the run began, the device and the event.
pub fn explain(violation: &Violation, history: &History, tables: &Tables) -> String {
    let mut text = format!("{violation}\n");
    for line in shortened(lines(history, &moments(violation, history))) {
        text.push_str(&line);
        text.push('\n');
    }
    for token in messages(violation) {
        writeln!(text, "{:>10}  {token} {}", "", positions(token, tables)).unwrap_or_default();
    }
    text
}

fn messages(violation: &Violation) -> impl Iterator<Item = Token> {
    violation.messages.iter().copied().take(MESSAGES)
}

/// The events that matter, in order.
fn moments(violation: &Violation, history: &History) -> BTreeSet<Moment> {
    let about: BTreeSet<Token> = messages(violation).collect();
    let all = || history.records.iter().enumerate();
    let is_about = |record: &Record| message(&record.event).is_some_and(|token| about.contains(&token));
    let mut moments: BTreeSet<Moment> = all().filter(|(_, record)| is_about(record)).map(|(at, _)| at).collect();
    let stretch = match (moments.first(), moments.last()) {
        (Some(first), Some(last)) => *first..=*last,
        _ => 0..=history.records.len(),
    };
    if let Some(device) = violation.device {
        let own = all().filter(|(_, record)| record.device == Some(device));
        let starts = own.filter(|(at, record)| is_start_or_end(&record.event, *at, &stretch));
        moments.extend(latest(starts.map(|(at, _)| at)));
    }
    let device_user = violation.device.map(|device| history.devices[device].user);
    let groups = conversations(history, &about);
    if let Some(user) = violation.user.or(device_user) {
        let changes = all().filter(|(at, record)| at <= stretch.end() && is_change(&record.event, user, &groups));
        moments.extend(latest(changes.map(|(at, _)| at)));
    }
    let settings = all().filter(|(at, record)| at <= stretch.end() && is_setting(&record.event, &groups));
    moments.extend(latest(settings.map(|(at, _)| at)));
    moments
}

fn latest(moments: impl Iterator<Item = Moment>) -> Vec<Moment> {
    let moments: Vec<Moment> = moments.collect();
    moments[moments.len().saturating_sub(CHANGES)..].to_vec()
}

/// Whether a device starts or ends within the stretch, or is installed by the end of it.
fn is_start_or_end(event: &Event, at: Moment, stretch: &RangeInclusive<Moment>) -> bool {
    match event {
        Event::Installed => at <= *stretch.end(),
        Event::Started | Event::Crashed | Event::Left => stretch.contains(&at),
        _ => false,
    }
}

fn is_change(event: &Event, user: UserId, groups: &BTreeSet<Conversation>) -> bool {
    match event {
        Event::Change { group, user: whom, .. } | Event::Changed { group, user: whom, .. } => {
            *whom == user && (groups.is_empty() || groups.contains(&Conversation::Group(*group)))
        }
        _ => false,
    }
}

/// Whether it changes a setting of one of these groups.
fn is_setting(event: &Event, groups: &BTreeSet<Conversation>) -> bool {
    match event {
        Event::Set { group, .. } | Event::SetDone { group, .. } => groups.contains(&Conversation::Group(*group)),
        _ => false,
    }
}

/// The conversations that messages were sent to.
fn conversations(history: &History, about: &BTreeSet<Token>) -> BTreeSet<Conversation> {
    let to = history.records.iter().filter_map(|record| match record.event {
        Event::Send { message, to } if about.contains(&message) => Some(to),
        _ => None,
    });
    to.collect()
}

fn message(event: &Event) -> Option<Token> {
    match event {
        Event::Send { message, .. }
        | Event::Acknowledged { message, .. }
        | Event::Refused { message, .. }
        | Event::GivenUp { message, .. }
        | Event::RollCall { message, .. } => Some(*message),
        Event::Came { observed, .. } => observed.token,
        _ => None,
    }
}

/// A line for each event, or for several equal events of one device.
fn lines(history: &History, moments: &BTreeSet<Moment>) -> Vec<String> {
    let mut counted: Vec<(u64, String, usize)> = Vec::new();
    for &at in moments {
        let record = &history.records[at];
        let line = format!("{:<8} {}", device(history, record.device), describe(&record.event));
        // Equal events of a message share a line, other equal events only if nothing is between.
        let same = |(_, before, _): &&mut (u64, String, usize)| *before == line;
        let before = match message(&record.event) {
            Some(_) => counted.iter_mut().find(same),
            None => counted.last_mut().filter(same),
        };
        match before {
            Some((_, _, times)) => *times += 1,
            None => counted.push((record.at_ms, line, 1)),
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
    counted.into_iter().map(line).collect()
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

fn describe(event: &Event) -> String {
    match event {
        Event::Send { message, to } => format!("sends {message} to {to}, {} bytes", message.bytes),
        Event::Acknowledged { message, answer } => format!("is answered that {message} is {}", describe_answer(answer)),
        Event::Refused { message, code } => format!("is refused {message} with {code}"),
        Event::GivenUp { message, reason } => format!("gives {message} up: {reason}"),
        Event::Came { by, observed } => {
            let name = observed.token.map_or("a change".to_owned(), |token| token.to_string());
            let garbled = if observed.intact { "" } else { ", garbled" };
            let inbox = match observed.seq {
                0 => String::new(),
                seq => format!(", {seq} of the inbox"),
            };
            let position = format!("{} of {}", observed.conversation_seq, observed.conversation);
            format!("gets {name} by {}: {position}{inbox}{garbled}", channel(*by))
        }
        Event::Cursor { seq } => format!("has everything up to {seq}"),
        Event::GroupCursor { group, seq } => format!("has everything of g{group} up to {seq}"),
        Event::Installed => "is installed".to_owned(),
        Event::Started => "starts".to_owned(),
        Event::Crashed => "crashes".to_owned(),
        Event::Left => "is closed".to_owned(),
        Event::Connected => "is connected".to_owned(),
        Event::Disconnected { reason } => format!("is disconnected: {reason}"),
        Event::Change { group, user, turn } => format!("u{user} begins to {} g{group}", infinitive(*turn)),
        Event::Changed { group, user, turn } => format!("u{user} has {} g{group}", participle(*turn)),
        Event::Founded { group, .. } => format!("g{group} is created"),
        Event::Set { group, setting, is_on } => format!("g{group} begins to {}: {setting}", start_or_stop(*is_on)),
        Event::SetDone { group, setting, is_on } => format!("g{group} has {}: {setting}", started_or_stopped(*is_on)),
        Event::Asked { group } => format!("asks for a page of g{group}"),
        Event::Denied { group, code } => format!("is refused a page of g{group} with {code}"),
        Event::Calm => "the faults stop".to_owned(),
        Event::Settled => "all has settled".to_owned(),
        Event::RollCall { message, user } => format!("{message} is the roll call of u{user}"),
        Event::RollCalled => "the roll call is over".to_owned(),
    }
}

fn describe_answer(answer: &Answer) -> String {
    let inbox = match answer.seq {
        0 => String::new(),
        seq => format!(" and {seq} of the inbox"),
    };
    format!("{} of the conversation{inbox}", answer.conversation_seq)
}

fn channel(by: Channel) -> &'static str {
    match by {
        Channel::Inbox => "its inbox",
        Channel::GroupLog => "the group's log",
        Channel::Push => "push",
        Channel::Sync => "SYNC",
        Channel::Pull => "PULL",
    }
}

fn start_or_stop(is_on: bool) -> &'static str {
    if is_on { "start" } else { "stop" }
}

fn started_or_stopped(is_on: bool) -> &'static str {
    if is_on { "started" } else { "stopped" }
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

/// Where a message is stored.
fn positions(token: Token, tables: &Tables) -> String {
    let positions = tables.timelines.iter().flat_map(|(key, timeline)| {
        let rows = timeline.rows.iter().filter(move |(_, row)| match row {
            Row::Entry(observed) => observed.token == Some(token),
            Row::Dangling { .. } | Row::Seal => false,
        });
        rows.map(move |(seq, _)| (key.to_string(), *seq))
    });
    // By the name of the timeline: g7, p1-2, u2.
    let mut positions: Vec<(String, u64)> = positions.collect();
    positions.sort();
    if positions.is_empty() {
        return "is stored nowhere".to_owned();
    }
    let positions: Vec<String> = positions.iter().map(|(key, seq)| format!("{seq} of {key}")).collect();
    format!("is stored at {}", positions.join(", "))
}
