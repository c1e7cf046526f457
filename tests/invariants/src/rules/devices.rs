//! G2, G3, G4 and G7 for what reached each device: as it is stored, once and in order, none left
//! out below the cursor, and in the end everything.
//!
//! A device that is installed again begins with nothing, so each stretch from one installation to
//! the next is checked by itself.

use crate::UserId;
use crate::case::{Case, Identity, identity};
use crate::history::{Channel, Device, DeviceIndex, DeviceKind, Event, Moment};
use crate::message::Observed;
use crate::rules::group_logs::GroupLogs;
use crate::stream::{Stream, lacking};
use crate::tables::{Row, Timeline, TimelineKey};
use crate::violation::{Harm, Promise, Violation};
use std::collections::{BTreeSet, HashMap};

/// Checks all devices.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    let mut moments: HashMap<DeviceIndex, Vec<Moment>> = HashMap::new();
    for (at, record) in case.history.records.iter().enumerate() {
        if let Some(device) = record.device {
            moments.entry(device).or_default().push(at);
        }
    }
    let ends = InboxEnds::new(case);
    for (index, device) in case.history.devices.iter().enumerate() {
        if let Some(moments) = moments.get(&index) {
            follow(case, &ends, (index, device), moments, found);
        }
    }
}

/// Goes through all that a device saw.
fn follow(
    case: &Case<'_>,
    ends: &InboxEnds,
    (index, device): (DeviceIndex, &Device),
    moments: &[Moment],
    found: &mut Vec<Violation>,
) {
    let first = moments.first().copied().unwrap_or_default();
    let mut install = Install::new(index, device, first);
    for &at in moments {
        match &case.history.records[at].event {
            Event::Installed => {
                install.skipped_nothing(case, found);
                install = Install::new(index, device, at);
            }
            Event::Came { by, observed } => install.came(case, *by, observed, found),
            Event::Cursor { seq } => install.inbox.move_cursor(*seq),
            Event::GroupCursor { group, seq } => install.groups.move_cursor(*group, *seq),
            _ => {}
        }
    }
    install.skipped_nothing(case, found);
    if case.is_settled() && device.kind != DeviceKind::Raw {
        install.has_all(case, ends, found);
    }
}

/// What a device has since it was installed.
struct Install<'a> {
    index: DeviceIndex,
    device: &'a Device,
    inbox: Stream,
    /// What the SDK handed on, and how.
    handed_on: HashMap<Identity, Channel>,
    groups: GroupLogs<'a>,
}

impl<'a> Install<'a> {
    fn new(index: DeviceIndex, device: &'a Device, at: Moment) -> Self {
        Self {
            index,
            device,
            inbox: Stream::default(),
            handed_on: HashMap::new(),
            groups: GroupLogs::new(index, device, at),
        }
    }

    fn came(&mut self, case: &Case<'_>, by: Channel, observed: &Observed, found: &mut Vec<Violation>) {
        self.is_as_stored(case, by, observed, found);
        if matches!(by, Channel::Inbox | Channel::GroupLog) {
            self.comes_by_one_channel(by, observed, found);
        }
        match by {
            Channel::Inbox => {
                let name = &self.device.name;
                let violation = self.inbox.hand_on(observed.seq, observed, "the inbox", name);
                found.extend(violation.map(|violation| violation.on(self.index)));
            }
            Channel::GroupLog => self.groups.came(observed, found),
            Channel::Sync => self.inbox.add(observed.seq),
            // A push does not make up for a page that skips the message.
            Channel::Push | Channel::Pull => {}
        }
    }

    /// A message comes by the inbox or by the log. One that comes twice by the same is reported by
    /// itself.
    fn comes_by_one_channel(&mut self, by: Channel, observed: &Observed, found: &mut Vec<Violation>) {
        let before = identity(observed).and_then(|identity| self.handed_on.insert(identity, by));
        if before.is_some_and(|before| before != by) {
            let text = format!(
                "{}, at {} of {}, came to {} by its inbox and by the group's log",
                observed.name(),
                observed.conversation_seq,
                observed.conversation,
                self.device.name
            );
            let violation = Violation::new(Promise::G2, Harm::Duplicated, text);
            found.push(violation.with(observed.token).on(self.index));
        }
    }

    /// A message is what is stored at the seq that it names.
    fn is_as_stored(&self, case: &Case<'_>, by: Channel, observed: &Observed, found: &mut Vec<Violation>) {
        let inbox = || case.timeline(TimelineKey::Inbox(self.device.user));
        let row = if observed.seq > 0 {
            inbox().and_then(|inbox| inbox.rows.get(&observed.seq))
        } else {
            case.logged(observed.conversation, observed.conversation_seq)
        };
        if matches!(row, Some(Row::Entry(there)) if there == observed) {
            return;
        }
        let position = if observed.seq > 0 {
            format!("{} of the inbox", observed.seq)
        } else {
            format!("{} of {}", observed.conversation_seq, observed.conversation)
        };
        let there = match row {
            Some(Row::Entry(there)) if identity(there) == identity(observed) => "which has it with other fields",
            Some(Row::Entry(_)) => "which holds another message",
            Some(_) | None => "which holds nothing",
        };
        let name = &self.device.name;
        let text = format!("{} came to {name} by {by:?} as {position}, {there}", observed.name());
        let violation = Violation::new(Promise::G7, Harm::Other, text);
        found.push(violation.with(observed.token).on(self.index));
    }

    /// Every entry below the cursor came.
    fn skipped_nothing(&self, case: &Case<'_>, found: &mut Vec<Violation>) {
        let Some(inbox) = case.timeline(TimelineKey::Inbox(self.device.user)) else {
            return;
        };
        let cursor = self.inbox.cursor();
        let missing = self.missing(case, inbox, 1, cursor);
        let text = format!("the cursor of {} went to {cursor} and skipped", self.device.name);
        let violation = lacking(Promise::G3, &text, &missing);
        found.extend(violation.map(|violation| violation.on(self.index)));
        self.groups.skipped_nothing(case, found);
    }

    /// Every entry that was stored when all had settled came, and the cursor is at the end.
    fn has_all(&self, case: &Case<'_>, ends: &InboxEnds, found: &mut Vec<Violation>) {
        self.groups.has_all(case, found);
        let Some(inbox) = case.timeline(TimelineKey::Inbox(self.device.user)) else {
            return;
        };
        let (name, cursor) = (&self.device.name, self.inbox.cursor());
        let end = ends.end(self.device.user);
        let missing = self.missing(case, inbox, cursor + 1, end);
        if missing.is_empty() && cursor < end {
            let text = format!("{name} stays at {cursor} of an inbox that goes to {end}");
            found.push(Violation::new(Promise::G7, Harm::Other, text).on(self.index));
        }
        let text = format!("{name}, which is at {cursor}, never got");
        let violation = lacking(Promise::G7, &text, &missing);
        found.extend(violation.map(|violation| violation.on(self.index)));
    }

    fn missing<'t>(&self, case: &Case<'_>, inbox: &'t Timeline, from: u64, to: u64) -> Vec<(u64, &'t Observed)> {
        // A copy that should not be in the inbox is reported by itself.
        let is_due = |_, observed: &Observed| case.is_for_inbox(self.device.user, observed);
        self.inbox.missing(inbox, from..=to, is_due)
    }
}

/// How far each inbox went when all had settled. The messages of the roll call are behind that.
struct InboxEnds(HashMap<UserId, u64>);

impl InboxEnds {
    fn new(case: &Case<'_>) -> Self {
        let users: BTreeSet<UserId> = case.history.devices.iter().map(|device| device.user).collect();
        let end = |user| Some((user, inbox_end(case, case.timeline(TimelineKey::Inbox(user))?)));
        Self(users.into_iter().filter_map(end).collect())
    }

    fn end(&self, user: UserId) -> u64 {
        self.0.get(&user).copied().unwrap_or_default()
    }
}

/// The last entry before the first message of the roll call. Seals before that message may belong
/// to the roll call as well.
fn inbox_end(case: &Case<'_>, inbox: &Timeline) -> u64 {
    let called = inbox.entries().find(|(_, observed)| case.is_after_settling(observed));
    match called {
        None => inbox.counter,
        Some((seq, _)) => {
            let before = inbox.rows.range(..seq).rev();
            let mut entries = before.filter(|(_, row)| **row != Row::Seal);
            entries.next().map_or(0, |(seq, _)| *seq)
        }
    }
}
