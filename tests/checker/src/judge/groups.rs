//! What came to a device of the super groups of its user, by their logs: each message once and in order, with nothing left out
//! below its cursor, and in the end all that was sent while the user was a member.

use super::announcements::Time;
use super::case::Case;
use super::devices::lacking;
use super::spans::Span;
use super::{Found, Harm, Promise, Violation, name};
use crate::history::{Conversation, Device, DeviceIndex, Moment, Said};
use crate::tables::Place;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_store::GroupId;

/// What a device has of the logs since it was installed.
pub(super) struct GroupLogs<'a> {
    device: DeviceIndex,
    of: &'a Device,
    installed: Moment,
    groups: BTreeMap<GroupId, Log>,
}

#[derive(Debug, Default)]
struct Log {
    got: BTreeSet<u64>,
    last: u64,
    cursor: u64,
}

impl<'a> GroupLogs<'a> {
    pub(super) fn new(device: DeviceIndex, of: &'a Device, installed: Moment) -> Self {
        Self {
            device,
            of,
            installed,
            groups: BTreeMap::new(),
        }
    }

    pub(super) fn cursor(&mut self, group: GroupId, seq: u64) {
        let log = self.groups.entry(group).or_default();
        log.cursor = log.cursor.max(seq);
    }

    pub(super) fn came(&mut self, said: &Said, found: &mut Found) {
        let Conversation::Group(group) = said.conversation else {
            return;
        };
        let (name, device) = (name(said), &self.of.name);
        let log = self.groups.entry(group).or_default();
        let seq = said.conversation_seq;
        let violation = if log.got.contains(&seq) {
            let text = format!("{name}, at {seq} of g{group}, came to {device} twice");
            Some(Violation::new(Promise::G2, Harm::Duplicated, text))
        } else if seq <= log.last {
            let text = format!("{name}, at {seq} of g{group}, came to {device} after {}", log.last);
            Some(Violation::new(Promise::G4, Harm::Reordered, text))
        } else {
            None
        };
        found.extend(violation.map(|violation| violation.with(said.token).on(self.device)));
        log.got.insert(seq);
        log.last = log.last.max(seq);
        log.cursor = log.cursor.max(seq);
    }

    /// Nothing that was due is left out below a cursor.
    pub(super) fn skipped_nothing(&self, case: &Case<'_>, found: &mut Found) {
        for (group, log) in &self.groups {
            let missing = self.missing(case, *group, log, 0, log.cursor);
            let text = format!(
                "the cursor of {} in g{group} went to {} and skipped",
                self.of.name, log.cursor
            );
            found.extend(lacking(Promise::G3, &text, &missing, self.device));
        }
    }

    /// Everything that was due came.
    pub(super) fn has_all(&self, case: &Case<'_>, found: &mut Found) {
        let nothing = Log::default();
        for group in case.super_groups() {
            let log = self.groups.get(&group).unwrap_or(&nothing);
            let missing = self.missing(case, group, log, log.cursor, u64::MAX);
            let text = format!("{}, which is at {} of g{group}, never got", self.of.name, log.cursor);
            found.extend(lacking(Promise::G7, &text, &missing, self.device));
        }
    }

    /// What was due after a seq, up to another, and did not come.
    fn missing<'t>(&self, case: &Case<'t>, group: GroupId, log: &Log, after: u64, to: u64) -> Vec<(u64, &'t Said)> {
        let Some(there) = case.timeline(Place::Log(Conversation::Group(group))) else {
            return Vec::new();
        };
        let entries = there.entries().filter(|(seq, _)| after < *seq && *seq <= to);
        entries
            .filter(|(seq, said)| !log.got.contains(seq) && self.is_due(case, group, *seq, said))
            .collect()
    }

    /// Whether the device is to get a message of the log: the user was a member all through its time, and the device either was
    /// there already or reads it afterwards, as a member still in the same span. Of their own
    /// coming and going, and of what was said while the group was an ordinary one, the inbox tells.
    fn is_due(&self, case: &Case<'_>, group: GroupId, seq: u64, said: &Said) -> bool {
        if case.is_for_inbox(self.of.user, said) {
            return false;
        }
        let time = match said.token {
            Some(token) => case.message(token).and_then(|message| {
                let until = message.acknowledged();
                Some((message.begun, until?)).filter(|(from, _)| *from < case.settled_at)
            }),
            None => match case.announcements.time(group, seq) {
                Some(Time {
                    from,
                    until: Some(until),
                }) => Some((from, until)),
                _ => None,
            },
        };
        let span = time.and_then(|(from, until)| {
            let span = case.members.sure_span(group, self.of.user, from, until)?;
            Some(self.installed < from || Span::lasts(span))
        });
        span.unwrap_or(false)
    }
}
