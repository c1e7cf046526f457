//! What a group was and allowed when, concluded from what was done to make it so.

use crate::GroupId;
use crate::history::{Event, Moment, Record, Setting};
use crate::spans::{Spans, Step, StepEvent};
use std::collections::HashSet;

/// The settings of all groups.
#[derive(Debug, Default)]
pub struct Settings {
    spans: Spans<(GroupId, Setting)>,
    /// The settings that groups were created with.
    initial: HashSet<(GroupId, Setting)>,
}

impl Settings {
    /// From the changes among these records.
    pub fn from_records(records: &[Record]) -> Self {
        let events = records.iter().enumerate().flat_map(|(at, record)| {
            let events = step_events(&record.event).into_iter();
            events.map(move |(key, event)| (at, key, event))
        });
        let initial = records.iter().filter_map(|record| initial(&record.event));
        Self {
            spans: Spans::from_events(events),
            initial: initial.collect(),
        }
    }

    /// Whether a group was created with a setting. No announcement tells of that.
    pub fn is_initial(&self, group: GroupId, setting: Setting) -> bool {
        self.initial.contains(&(group, setting))
    }

    /// The changes of a setting of a group, in order.
    pub fn steps(&self, group: GroupId, setting: Setting) -> &[Step] {
        self.spans.steps((group, setting))
    }

    /// The changes of all settings of all groups.
    pub fn all_steps(&self) -> impl Iterator<Item = ((GroupId, Setting), &[Step])> {
        self.spans.all_steps()
    }

    /// Whether the setting surely was on from before `from` until after `until`.
    pub fn surely(&self, group: GroupId, setting: Setting, from: Moment, until: Moment) -> bool {
        self.spans.surely((group, setting), from, until)
    }

    /// Whether the setting may have been on at some time between `from` and `until`.
    pub fn possibly(&self, group: GroupId, setting: Setting, from: Moment, until: Moment) -> bool {
        self.spans.possibly((group, setting), from, until)
    }
}

fn step_events(event: &Event) -> Vec<((GroupId, Setting), StepEvent)> {
    match *event {
        Event::Set { group, setting, is_on } => vec![((group, setting), StepEvent::Begun { is_on })],
        Event::SetDone { group, setting, is_on } => vec![((group, setting), StepEvent::Done { is_on })],
        _ => {
            let both = |key| {
                [
                    (key, StepEvent::Begun { is_on: true }),
                    (key, StepEvent::Done { is_on: true }),
                ]
            };
            initial(event).into_iter().flat_map(both).collect()
        }
    }
}

fn initial(event: &Event) -> Option<(GroupId, Setting)> {
    match *event {
        Event::Founded { group, is_super: true } => Some((group, Setting::Super)),
        _ => None,
    }
}
