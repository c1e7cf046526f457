//! What came to each device: as it stands, each once and in order, with nothing left out below its cursor, and in the end all.
//!
//! A device that is installed anew begins with nothing, so each stretch from one installation to the next is judged by itself.

use super::case::{Case, Identity, identity};
use super::groups::GroupLogs;
use super::{Found, Harm, Promise, Violation, name};
use crate::history::{Device, DeviceIndex, Kind, Moment, Path, Said, Token, What};
use crate::tables::{Place, Slot, Timeline};
use std::collections::{BTreeSet, HashMap};
use wigwag_store::UserId;

/// Messages that a violation names at most.
const NAMED: usize = 20;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    let mut of_device: HashMap<DeviceIndex, Vec<Moment>> = HashMap::new();
    for (at, record) in case.history.records.iter().enumerate() {
        if let Some(device) = record.device {
            of_device.entry(device).or_default().push(at);
        }
    }
    let ends = Ends::of(case);
    for (device, of) in case.history.devices.iter().enumerate() {
        if let Some(moments) = of_device.get(&device) {
            follow(case, &ends, (device, of), moments, found);
        }
    }
}

/// Goes through all that a device saw.
fn follow(case: &Case<'_>, ends: &Ends, (device, of): (DeviceIndex, &Device), moments: &[Moment], found: &mut Found) {
    let first = moments.first().copied().unwrap_or_default();
    let mut install = Install::new(device, of, first);
    for &at in moments {
        match &case.history.records[at].what {
            What::Installed => {
                install.skipped_nothing(case, found);
                install = Install::new(device, of, at);
            }
            What::Came { by, said } => install.came(case, *by, said, found),
            What::Cursor { seq } => install.cursor = install.cursor.max(*seq),
            What::GroupCursor { group, seq } => install.groups.cursor(*group, *seq),
            _ => {}
        }
    }
    install.skipped_nothing(case, found);
    if case.is_settled() && of.kind != Kind::Raw {
        install.has_all(case, ends, found);
    }
}

/// What a device has since it was installed.
struct Install<'a> {
    device: DeviceIndex,
    of: &'a Device,
    /// Seqs of the inbox that came.
    got: BTreeSet<u64>,
    /// What the SDK handed on, and how.
    handed_on: HashMap<Identity, Path>,
    /// The last one that the SDK handed on.
    last: u64,
    /// Up to where the device was told that it has everything.
    cursor: u64,
    groups: GroupLogs<'a>,
}

impl<'a> Install<'a> {
    fn new(device: DeviceIndex, of: &'a Device, at: Moment) -> Self {
        Self {
            device,
            of,
            got: BTreeSet::new(),
            handed_on: HashMap::new(),
            last: 0,
            cursor: 0,
            groups: GroupLogs::new(device, of, at),
        }
    }

    fn came(&mut self, case: &Case<'_>, by: Path, said: &Said, found: &mut Found) {
        self.is_as_it_stands(case, by, said, found);
        if matches!(by, Path::Inbox | Path::GroupLog) {
            self.comes_one_way(by, said, found);
        }
        match by {
            Path::Inbox => {
                self.is_next(said, found);
                self.last = self.last.max(said.seq);
                self.cursor = self.cursor.max(said.seq);
            }
            Path::GroupLog => self.groups.came(said, found),
            Path::Push | Path::Sync | Path::Pull => {}
        }
        // A push does not make up for a page that skips what was pushed.
        if matches!(by, Path::Inbox | Path::Sync) {
            self.got.insert(said.seq);
        }
    }

    /// What the inbox hands on the log does not, and the other way round. What comes twice the same way is found by itself.
    fn comes_one_way(&mut self, by: Path, said: &Said, found: &mut Found) {
        let before = identity(said).and_then(|identity| self.handed_on.insert(identity, by));
        if before.is_some_and(|before| before != by) {
            let text = format!(
                "{}, at {} of {}, came to {} by its inbox and by the group's log",
                name(said),
                said.conversation_seq,
                said.conversation,
                self.of.name
            );
            let violation = Violation::new(Promise::G2, Harm::Duplicated, text);
            found.push(violation.with(said.token).on(self.device));
        }
    }

    fn is_next(&self, said: &Said, found: &mut Found) {
        let (name, device) = (name(said), &self.of.name);
        let violation = if self.got.contains(&said.seq) {
            let text = format!("{name}, at {} of the inbox, came to {device} twice", said.seq);
            Violation::new(Promise::G2, Harm::Duplicated, text)
        } else if said.seq <= self.last {
            let text = format!(
                "{name}, at {} of the inbox, came to {device} after {}",
                said.seq, self.last
            );
            Violation::new(Promise::G4, Harm::Reordered, text)
        } else {
            return;
        };
        found.push(violation.with(said.token).on(self.device));
    }

    /// What comes says what stands where it says that it is from.
    fn is_as_it_stands(&self, case: &Case<'_>, by: Path, said: &Said, found: &mut Found) {
        let slot = if said.seq > 0 {
            case.timeline(Place::Inbox(self.of.user))
                .and_then(|inbox| inbox.slots.get(&said.seq))
        } else {
            case.logged(said.conversation, said.conversation_seq)
        };
        if matches!(slot, Some(Slot::Entry(there)) if there == said) {
            return;
        }
        let place = if said.seq > 0 {
            format!("{} of the inbox", said.seq)
        } else {
            format!("{} of {}", said.conversation_seq, said.conversation)
        };
        let there = match slot {
            Some(Slot::Entry(there)) if identity(there) == identity(said) => "which says something else",
            Some(Slot::Entry(_)) => "where another one stands",
            Some(_) | None => "where nothing stands",
        };
        let text = format!("{} came to {} by {by:?} as {place}, {there}", name(said), self.of.name);
        found.push(
            Violation::new(Promise::G7, Harm::Other, text)
                .with(said.token)
                .on(self.device),
        );
    }

    /// Everything that stands below the cursor came.
    fn skipped_nothing(&self, case: &Case<'_>, found: &mut Found) {
        let Some(inbox) = case.timeline(Place::Inbox(self.of.user)) else {
            return;
        };
        let missing = self.missing(case, inbox, 1, self.cursor);
        let text = format!("the cursor of {} went to {} and skipped", self.of.name, self.cursor);
        found.extend(lacking(Promise::G3, &text, &missing, self.device));
        self.groups.skipped_nothing(case, found);
    }

    /// Everything that stood when all had settled came, and the cursor stands behind it.
    fn has_all(&self, case: &Case<'_>, ends: &Ends, found: &mut Found) {
        self.groups.has_all(case, found);
        let Some(inbox) = case.timeline(Place::Inbox(self.of.user)) else {
            return;
        };
        let end = ends.of_inbox(self.of.user);
        let missing = self.missing(case, inbox, self.cursor + 1, end);
        if missing.is_empty() && self.cursor < end {
            let text = format!(
                "{} stays at {} of an inbox that goes to {end}",
                self.of.name, self.cursor
            );
            found.push(Violation::new(Promise::G7, Harm::Other, text).on(self.device));
        }
        let text = format!("{}, which is at {}, never got", self.of.name, self.cursor);
        found.extend(lacking(Promise::G7, &text, &missing, self.device));
    }

    fn missing<'t>(&self, case: &Case<'_>, inbox: &'t Timeline, from: u64, to: u64) -> Vec<(u64, &'t Said)> {
        if from > to {
            return Vec::new();
        }
        let slots = inbox.slots.range(from..=to);
        let entries = slots.filter_map(|(seq, slot)| match slot {
            Slot::Entry(said) => Some((*seq, said)),
            Slot::Dangling { .. } | Slot::Seal => None,
        });
        // What is no business of the inbox is found by itself.
        let is_missing = |(seq, said): &(u64, &Said)| !self.got.contains(seq) && case.is_for_inbox(self.of.user, said);
        entries.filter(is_missing).collect()
    }
}

/// A violation that names what a device lacks, where it lacks something: each with its seq.
pub(super) fn lacking(
    promise: Promise,
    text: &str,
    missing: &[(u64, &Said)],
    device: DeviceIndex,
) -> Option<Violation> {
    if missing.is_empty() {
        return None;
    }
    let named: Vec<String> = missing
        .iter()
        .take(5)
        .map(|(seq, said)| format!("{} at {seq}", name(said)))
        .collect();
    let more = match missing.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut violation = Violation::new(promise, Harm::Lost, format!("{text} {}{more}", named.join(", ")));
    let tokens = missing.iter().filter_map(|(_, said)| said.token).take(NAMED);
    violation.messages = tokens.collect::<BTreeSet<Token>>().into_iter().collect();
    Some(violation.on(device))
}

/// How far each inbox went when all had settled: what the roll call brought is behind that.
struct Ends(HashMap<UserId, u64>);

impl Ends {
    fn of(case: &Case<'_>) -> Self {
        let users: BTreeSet<UserId> = case.history.devices.iter().map(|device| device.user).collect();
        let end = |user| Some((user, end(case, case.timeline(Place::Inbox(user))?)));
        Self(users.into_iter().filter_map(end).collect())
    }

    fn of_inbox(&self, user: UserId) -> u64 {
        self.0.get(&user).copied().unwrap_or_default()
    }
}

/// Up to the first message of the roll call, without what was given up before it: that may be its own.
fn end(case: &Case<'_>, inbox: &Timeline) -> u64 {
    let called = inbox.entries().find(|(_, said)| case.is_after_settling(said));
    match called {
        None => inbox.counter,
        Some((seq, _)) => {
            let before = inbox.slots.range(..seq).rev();
            let mut entries = before.filter(|(_, slot)| **slot != Slot::Seal);
            entries.next().map_or(0, |(seq, _)| *seq)
        }
    }
}
