//! Who was a member of a group when, concluded from what was done to make them one.

use crate::history::{Event, Moment, Record, Turn};
use crate::spans::{Span, Spans, Step, StepEvent};
use crate::{GroupId, UserId};
use std::collections::HashMap;

/// The memberships of all users in all groups.
#[derive(Debug, Default)]
pub struct Memberships {
    spans: Spans<(GroupId, UserId)>,
    users: HashMap<GroupId, Vec<UserId>>,
}

impl Memberships {
    /// From the changes among these records.
    pub fn from_records(records: &[Record]) -> Self {
        let events = records.iter().enumerate().filter_map(|(at, record)| {
            let (key, event) = step_event(&record.event)?;
            Some((at, key, event))
        });
        let spans = Spans::from_events(events);
        let mut users: HashMap<GroupId, Vec<UserId>> = HashMap::new();
        for ((group, user), _) in spans.all_steps() {
            users.entry(group).or_default().push(user);
        }
        Self { spans, users }
    }

    /// Whether the run knows the group. A group whose creation was not answered is in the tables
    /// under an id that nobody knows.
    pub fn knows(&self, group: GroupId) -> bool {
        self.users.contains_key(&group)
    }

    /// All users who may ever have been members.
    pub fn users(&self, group: GroupId) -> &[UserId] {
        self.users.get(&group).map_or(&[], Vec::as_slice)
    }

    /// The changes of a user in a group, in order.
    pub fn steps(&self, group: GroupId, user: UserId) -> &[Step] {
        self.spans.steps((group, user))
    }

    /// The changes of all users in all groups.
    pub fn all_steps(&self) -> impl Iterator<Item = ((GroupId, UserId), &[Step])> {
        self.spans.all_steps()
    }

    /// The span in which the user surely was a member from before `from` until after `until`.
    pub fn sure_span(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> Option<Span> {
        self.spans.sure_span((group, user), from, until)
    }

    /// Whether the user surely was a member from before `from` until after `until`.
    pub fn surely(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> bool {
        self.spans.surely((group, user), from, until)
    }

    /// Whether the user may have been a member at some time between `from` and `until`.
    pub fn possibly(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> bool {
        self.spans.possibly((group, user), from, until)
    }
}

fn step_event(event: &Event) -> Option<((GroupId, UserId), StepEvent)> {
    let is_on = |turn: Turn| turn == Turn::Joins;
    match *event {
        Event::Change { group, user, turn } => Some(((group, user), StepEvent::Begun { is_on: is_on(turn) })),
        Event::Changed { group, user, turn } => Some(((group, user), StepEvent::Done { is_on: is_on(turn) })),
        _ => None,
    }
}
