//! G3 and G7 for what a device gets by the logs of super groups: each message once and in order,
//! none left out below the cursor, and in the end all that was sent while the user was a member.

use crate::GroupId;
use crate::case::Case;
use crate::history::{Device, DeviceIndex, Moment};
use crate::message::{Conversation, Observed};
use crate::spans::Span;
use crate::stream::{Stream, lacking};
use crate::tables::TimelineKey;
use crate::violation::{Promise, Violation};
use std::collections::BTreeMap;

/// What a device has of the logs since it was installed.
pub(super) struct GroupLogs<'a> {
    index: DeviceIndex,
    device: &'a Device,
    installed: Moment,
    logs: BTreeMap<GroupId, Stream>,
}

impl<'a> GroupLogs<'a> {
    pub(super) fn new(index: DeviceIndex, device: &'a Device, installed: Moment) -> Self {
        Self {
            index,
            device,
            installed,
            logs: BTreeMap::new(),
        }
    }

    pub(super) fn move_cursor(&mut self, group: GroupId, seq: u64) {
        self.logs.entry(group).or_default().move_cursor(seq);
    }

    pub(super) fn came(&mut self, observed: &Observed, found: &mut Vec<Violation>) {
        let Conversation::Group(group) = observed.conversation else {
            return;
        };
        let log = self.logs.entry(group).or_default();
        let place = format!("g{group}");
        let violation = log.hand_on(observed.conversation_seq, observed, &place, &self.device.name);
        found.extend(violation.map(|violation| violation.on(self.index)));
    }

    /// No due message below a cursor is left out.
    pub(super) fn skipped_nothing(&self, case: &Case<'_>, found: &mut Vec<Violation>) {
        for (group, log) in &self.logs {
            let missing = self.missing(case, *group, log, 0, log.cursor());
            let name = &self.device.name;
            let text = format!("the cursor of {name} in g{group} went to {} and skipped", log.cursor());
            let violation = lacking(Promise::G3, &text, &missing);
            found.extend(violation.map(|violation| violation.on(self.index)));
        }
    }

    /// Every due message came.
    pub(super) fn has_all(&self, case: &Case<'_>, found: &mut Vec<Violation>) {
        let nothing = Stream::default();
        for group in case.super_groups() {
            let log = self.logs.get(&group).unwrap_or(&nothing);
            let missing = self.missing(case, group, log, log.cursor(), u64::MAX);
            let name = &self.device.name;
            let text = format!("{name}, which is at {} of g{group}, never got", log.cursor());
            let violation = lacking(Promise::G7, &text, &missing);
            found.extend(violation.map(|violation| violation.on(self.index)));
        }
    }

    /// The messages after a seq, up to another, that were due and did not come.
    fn missing<'t>(
        &self,
        case: &Case<'t>,
        group: GroupId,
        log: &Stream,
        after: u64,
        to: u64,
    ) -> Vec<(u64, &'t Observed)> {
        let Some(timeline) = case.timeline(TimelineKey::group(group)) else {
            return Vec::new();
        };
        let is_due = |seq, observed: &Observed| self.is_due(case, group, seq, observed);
        log.missing(timeline, after.saturating_add(1)..=to, is_due)
    }

    /// Whether the device is to get a message of the log. The user was a member from its sending to
    /// its acknowledgement, and the device was installed before or reads it as a member of the same
    /// span. Changes of their own membership, and what was said before the group became a super
    /// group, come by the inbox.
    fn is_due(&self, case: &Case<'_>, group: GroupId, seq: u64, observed: &Observed) -> bool {
        if case.is_for_inbox(self.device.user, observed) {
            return false;
        }
        let time = match observed.token {
            Some(token) => case.message(token).and_then(|message| {
                let until = message.acknowledged();
                Some((message.begun, until?)).filter(|(from, _)| *from < case.settled_at)
            }),
            None => case
                .announcements
                .time(group, seq)
                .and_then(|time| Some((time.from, time.until?))),
        };
        let is_due = time.and_then(|(from, until)| {
            let span = case.members.sure_span(group, self.device.user, from, until)?;
            Some(self.installed < from || Span::lasts(span))
        });
        is_due.unwrap_or(false)
    }
}
