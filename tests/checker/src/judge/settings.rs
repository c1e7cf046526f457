//! What a group was and allowed when, from what the checker did to make it so.

use super::spans::{Spans, Step, Told};
use crate::history::{Moment, Record, Setting, What};
use std::collections::HashSet;
use wigwag_store::GroupId;

/// The settings of all groups.
#[derive(Debug, Default)]
pub(super) struct Settings {
    spans: Spans<(GroupId, Setting)>,
    /// What groups were from their beginning.
    made: HashSet<(GroupId, Setting)>,
}

impl Settings {
    /// From the changes among these records.
    pub(super) fn of(records: &[Record]) -> Self {
        let records_told = records.iter().enumerate().flat_map(|(at, record)| {
            let told = told(&record.what).into_iter();
            told.map(move |(of, told)| (at, of, told))
        });
        let made = records.iter().filter_map(|record| made(&record.what));
        Self {
            spans: Spans::of(records_told),
            made: made.collect(),
        }
    }

    /// Whether a group was so from its beginning: no message tells of that.
    pub(super) fn was_made_as(&self, group: GroupId, setting: Setting) -> bool {
        self.made.contains(&(group, setting))
    }

    /// The changes of a setting of a group, in order.
    pub(super) fn steps(&self, group: GroupId, setting: Setting) -> &[Step] {
        self.spans.steps((group, setting))
    }

    /// The changes of all settings of all groups, in the order of both.
    pub(super) fn all_steps(&self) -> impl Iterator<Item = ((GroupId, Setting), &[Step])> {
        self.spans.all_steps()
    }

    /// Whether it surely was so from before `from` until after `until`.
    pub(super) fn surely(&self, group: GroupId, setting: Setting, from: Moment, until: Moment) -> bool {
        self.spans.surely((group, setting), from, until)
    }

    /// Whether it may have been so at some time between `from` and `until`.
    pub(super) fn possibly(&self, group: GroupId, setting: Setting, from: Moment, until: Moment) -> bool {
        self.spans.possibly((group, setting), from, until)
    }
}

fn told(what: &What) -> Vec<((GroupId, Setting), Told)> {
    match *what {
        What::Set { group, setting, is_on } => vec![((group, setting), Told::Begun { is_on })],
        What::SetDone { group, setting, is_on } => vec![((group, setting), Told::Done { is_on })],
        _ => {
            let both = |of| [(of, Told::Begun { is_on: true }), (of, Told::Done { is_on: true })];
            made(what).into_iter().flat_map(both).collect()
        }
    }
}

fn made(what: &What) -> Option<(GroupId, Setting)> {
    match *what {
        What::Founded { group, is_super: true } => Some((group, Setting::Super)),
        _ => None,
    }
}
