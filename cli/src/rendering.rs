//! Formats messages, signals and group changes for people.

use crate::command_error::CommandError;
use crate::names::Names;
use crate::output::{Printer, content, printable};
use serde_json::json;
use wigwag_client::{GroupChange, GroupChangeType, GroupRole, Message, SessionType, SignalMsg, SignalType};

/// Maximum number of users that a line names.
const NAMES_PER_LINE: usize = 5;

/// The conversation that the reader looks at. Messages from elsewhere say where they are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Focus {
    Peer(u64),
    Group(u64),
    Room(u64),
    None,
}

impl Focus {
    fn on_message(message: &Message, me: u64) -> Self {
        match message.session_type() {
            SessionType::Group => Self::Group(message.receiver_id),
            SessionType::Room => Self::Room(message.receiver_id),
            SessionType::Single | SessionType::Unspecified if message.sender_id == me => {
                Self::Peer(message.receiver_id)
            }
            SessionType::Single | SessionType::Unspecified => Self::Peer(message.sender_id),
        }
    }
}

/// Prints a message.
pub(crate) async fn message(
    printer: &mut Printer,
    names: &mut Names,
    me: u64,
    here: Focus,
    message: &Message,
) -> Result<(), CommandError> {
    if let Some(change) = &message.group_change
        && !change.name.is_empty()
    {
        names.call_group(message.receiver_id, &change.name);
    }
    let own = message.sender_id == me;
    let from = name(names, me, message.sender_id).await;
    let there = Focus::on_message(message, me);
    let place = match there {
        _ if there == here => String::new(),
        Focus::Group(id) => format!(" (in group {})", printable(&names.for_group(id).await)),
        Focus::Room(id) => format!(" (in room {id})"),
        Focus::Peer(id) if own => format!(" to {}", printable(&names.for_user(id).await)),
        Focus::Peer(_) if here == Focus::None => String::new(),
        Focus::Peer(_) | Focus::None => " (to you)".to_owned(),
    };
    let line = match &message.group_change {
        Some(change) => {
            let change = printable(&describe_change(names, me, message, change).await);
            format!("* {change}{place}")
        }
        None => format!("{}{place}: {}", printable(&from), content(message)),
    };
    let plain = if own {
        None
    } else {
        names.plain(message.sender_id).await
    };
    printer.message(message, plain.unwrap_or(&from), own, &line)
}

/// Prints a signal.
pub(crate) async fn signal(printer: &mut Printer, names: &mut Names, signal: &SignalMsg) -> Result<(), CommandError> {
    let from = names.for_user(signal.sender_id).await;
    let line = if signal.signal_type() == SignalType::Typing {
        format!("({} is typing)", printable(&from))
    } else {
        let text = String::from_utf8_lossy(&signal.content);
        format!("({} signals: {})", printable(&from), printable(&text))
    };
    printer.note("signal", &json!({ "from": from, "signal": signal }), &line)
}

async fn name(names: &mut Names, me: u64, user_id: u64) -> String {
    if user_id == me {
        return "you".to_owned();
    }
    names.for_user(user_id).await
}

/// The first few names, and how many more there are.
async fn list(names: &mut Names, me: u64, user_ids: &[u64]) -> String {
    let mut parts = Vec::new();
    for user_id in user_ids.iter().take(NAMES_PER_LINE) {
        parts.push(name(names, me, *user_id).await);
    }
    match user_ids.len().saturating_sub(NAMES_PER_LINE) {
        0 => {}
        more => parts.push(format!("{more} more")),
    }
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nobody".to_owned(),
    }
}

/// Describes a change of a group.
async fn describe_change(names: &mut Names, me: u64, message: &Message, change: &GroupChange) -> String {
    let who = name(names, me, message.sender_id).await;
    let others: Vec<u64> = match change.r#type() {
        GroupChangeType::Created => {
            let others = change.user_ids.iter().filter(|user| **user != message.sender_id);
            others.copied().collect()
        }
        _ => change.user_ids.clone(),
    };
    let targets = list(names, me, &others).await;
    let kind = if change.super_group { "super group" } else { "group" };
    let called = &change.name;
    match change.r#type() {
        GroupChangeType::Created if others.is_empty() => format!("{who} created the {kind} {called}"),
        GroupChangeType::Created => format!("{who} created the {kind} {called} with {targets}"),
        GroupChangeType::MembersAdded => format!("{who} added {targets}"),
        GroupChangeType::MembersRemoved => format!("{who} removed {targets}"),
        GroupChangeType::MemberLeft => format!("{who} left"),
        GroupChangeType::Renamed => format!("{who} named the group {called}"),
        GroupChangeType::Role if change.role() == GroupRole::Admin => format!("{who} made {targets} an admin"),
        GroupChangeType::Role => format!("{who} made {targets} a plain member"),
        GroupChangeType::HandedOver => format!("{who} made {targets} the owner"),
        GroupChangeType::MemberMuted => {
            let ms = change.until.saturating_sub(message.send_time);
            format!("{who} muted {targets} for {}", format_duration(ms))
        }
        GroupChangeType::MemberUnmuted => format!("{who} let {targets} send again"),
        GroupChangeType::Muted => format!("{who} muted the group: only its owner and admins may send"),
        GroupChangeType::Unmuted => format!("{who} let all members send again"),
        GroupChangeType::HistoryOpened => format!("{who} opened the history to members who join later"),
        GroupChangeType::HistoryClosed => format!("{who} closed the history to members who join later"),
        GroupChangeType::BecameSuper => format!("{who} turned the group into a super group"),
        GroupChangeType::Dissolved => format!("{who} dissolved the group"),
        GroupChangeType::Unspecified => format!("{who} changed the group"),
    }
}

/// Formats a duration in ms, rounded to its largest unit.
pub(crate) fn format_duration(ms: i64) -> String {
    let seconds = u64::try_from(ms).unwrap_or(0).div_ceil(1000);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", (seconds + 30) / 60),
        7200..172_800 => format!("{} h", (seconds + 1800) / 3600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_client::Api;

    const ME: u64 = 1;

    #[tokio::test]
    async fn a_group_is_shown_with_its_latest_name() {
        let mut names = names();
        assert_eq!(names.for_group(7).await, "7");
        names.call_group(7, "club");
        assert_eq!(names.for_group(7).await, "club (7)");
    }

    fn names() -> Names {
        // No server answers there, so unknown names stay ids.
        let mut names = Names::new(Api::new("http://127.0.0.1:9".parse().unwrap()));
        names.call(2, "alice");
        names.call(3, "bob");
        names
    }

    async fn line(kind: GroupChangeType, change: GroupChange) -> String {
        let change = GroupChange {
            r#type: kind.into(),
            ..change
        };
        let message = Message {
            sender_id: 2,
            ..Message::default()
        };
        describe_change(&mut names(), ME, &message, &change).await
    }

    fn users(user_ids: &[u64]) -> GroupChange {
        GroupChange {
            user_ids: user_ids.to_vec(),
            ..GroupChange::default()
        }
    }

    #[tokio::test]
    async fn a_group_change_is_one_line() {
        let added = GroupChangeType::MembersAdded;
        assert_eq!(line(added, users(&[3])).await, "alice added bob");
        assert_eq!(line(added, users(&[3, 1, 77])).await, "alice added bob, you and 77");
        let many: Vec<u64> = (100..200).collect();
        assert_eq!(
            line(added, users(&many)).await,
            "alice added 100, 101, 102, 103, 104 and 95 more"
        );
        let created = GroupChange {
            name: "club".to_owned(),
            ..users(&[2, 3])
        };
        assert_eq!(
            line(GroupChangeType::Created, created).await,
            "alice created the group club with bob"
        );
        let muted = GroupChange {
            until: 600_000,
            ..users(&[1])
        };
        assert_eq!(
            line(GroupChangeType::MemberMuted, muted).await,
            "alice muted you for 10 min"
        );
        let admin = GroupChange {
            role: GroupRole::Admin.into(),
            ..users(&[3])
        };
        assert_eq!(line(GroupChangeType::Role, admin).await, "alice made bob an admin");
    }

    #[tokio::test]
    async fn every_type_of_change_has_a_description() {
        for kind in 1..=15 {
            let kind = GroupChangeType::try_from(kind).unwrap();
            let line = line(kind, users(&[3])).await;
            assert!(
                line.starts_with("alice ") && line != "alice changed the group",
                "{kind:?}: {line}"
            );
        }
    }

    #[test]
    fn a_duration_is_rounded() {
        assert_eq!(format_duration(90_000), "90 s");
        assert_eq!(format_duration(599_000), "10 min");
        assert_eq!(format_duration(7_200_000), "2 h");
        assert_eq!(format_duration(7 * 86_400_000), "7 days");
        assert_eq!(format_duration(-5), "0 s");
    }
}
