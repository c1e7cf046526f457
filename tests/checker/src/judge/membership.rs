//! Who was a member of a group when, from what the checker did to make them one.

use super::spans::{Span, Spans, Step, Told};
use crate::history::{Moment, Record, Turn, What};
use std::collections::HashMap;
use wigwag_store::{GroupId, UserId};

/// The memberships of all users in all groups.
#[derive(Debug, Default)]
pub(super) struct Memberships {
    spans: Spans<(GroupId, UserId)>,
    users: HashMap<GroupId, Vec<UserId>>,
}

impl Memberships {
    /// From the changes among these records.
    pub(super) fn of(records: &[Record]) -> Self {
        let told = records.iter().enumerate().filter_map(|(at, record)| {
            let ((group, user), told) = told(&record.what)?;
            Some((at, (group, user), told))
        });
        let spans = Spans::of(told);
        let mut users: HashMap<GroupId, Vec<UserId>> = HashMap::new();
        for ((group, user), _) in spans.all_steps() {
            users.entry(group).or_default().push(user);
        }
        Self { spans, users }
    }

    /// Whether anything is known of a group: one whose creation was not answered has another id than the one that was.
    pub(super) fn knows(&self, group: GroupId) -> bool {
        self.users.contains_key(&group)
    }

    /// Whoever may ever have been a member.
    pub(super) fn users(&self, group: GroupId) -> &[UserId] {
        self.users.get(&group).map_or(&[], Vec::as_slice)
    }

    /// The changes of a user in a group, in order.
    pub(super) fn steps(&self, group: GroupId, user: UserId) -> &[Step] {
        self.spans.steps((group, user))
    }

    /// The changes of all users in all groups, in the order of both.
    pub(super) fn all_steps(&self) -> impl Iterator<Item = ((GroupId, UserId), &[Step])> {
        self.spans.all_steps()
    }

    /// The span in which the user surely was a member from before `from` until after `until`.
    pub(super) fn sure_span(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> Option<Span> {
        self.spans.sure_span((group, user), from, until)
    }

    /// Whether the user surely was a member from before `from` until after `until`.
    pub(super) fn surely(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> bool {
        self.spans.surely((group, user), from, until)
    }

    /// Whether the user may have been a member at some time between `from` and `until`.
    pub(super) fn possibly(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> bool {
        self.spans.possibly((group, user), from, until)
    }
}

fn told(what: &What) -> Option<((GroupId, UserId), Told)> {
    let is_on = |turn: Turn| turn == Turn::Joins;
    match *what {
        What::Change { group, user, turn } => Some(((group, user), Told::Begun { is_on: is_on(turn) })),
        What::Changed { group, user, turn } => Some(((group, user), Told::Done { is_on: is_on(turn) })),
        _ => None,
    }
}
