//! Who was a member of a group when, from what the checker did to make them one.
//!
//! A change takes effect somewhere between its two records. So there are users who surely are members all through a time, users
//! who surely are not, and others, of whom nothing is promised.

use crate::history::{Moment, Record, Turn, What};
use std::collections::{BTreeMap, HashMap};
use wigwag_store::{GroupId, UserId};

/// From joining to leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// From here on the user may be a member.
    pub(super) from: Moment,
    /// From here on the user is one; `None`: never surely.
    sure_from: Option<Moment>,
    /// From here on the user may be one no longer.
    sure_until: Option<Moment>,
    /// From here on the user is none.
    pub(super) until: Option<Moment>,
}

/// A change that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Which way.
    pub(super) turn: Turn,
    /// When it was begun.
    pub(super) begun: Moment,
    /// When it was made; `None`: perhaps it was not.
    pub(super) done: Option<Moment>,
}

/// The memberships of all users in all groups.
#[derive(Debug, Default)]
pub(super) struct Memberships {
    steps: BTreeMap<(GroupId, UserId), Vec<Step>>,
    spans: HashMap<(GroupId, UserId), Vec<Span>>,
    users: HashMap<GroupId, Vec<UserId>>,
}

impl Memberships {
    /// From the changes among these records.
    pub(super) fn of(records: &[Record]) -> Self {
        let mut all = Self::default();
        for (at, record) in records.iter().enumerate() {
            match record.what {
                What::Change { group, user, turn } => {
                    let steps = all.steps.entry((group, user)).or_default();
                    if steps.is_empty() {
                        all.users.entry(group).or_default().push(user);
                    }
                    // One that is tried again, for nobody knows whether it was made, is one.
                    let is_again = steps
                        .last()
                        .is_some_and(|last| last.done.is_none() && last.turn == turn);
                    if !is_again {
                        let (begun, done) = (at, None);
                        steps.push(Step { turn, begun, done });
                    }
                }
                What::Changed { group, user, turn } => {
                    let last = all.steps.get_mut(&(group, user)).and_then(|steps| steps.last_mut());
                    if let Some(step) = last.filter(|step| step.turn == turn) {
                        step.done.get_or_insert(at);
                    }
                }
                _ => {}
            }
        }
        all.spans = all.steps.iter().map(|(key, steps)| (*key, spans(steps))).collect();
        all
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
        self.steps.get(&(group, user)).map_or(&[], Vec::as_slice)
    }

    /// The changes of all users in all groups, in the order of both.
    pub(super) fn all_steps(&self) -> impl Iterator<Item = (&(GroupId, UserId), &Vec<Step>)> {
        self.steps.iter()
    }

    /// The span in which the user surely was a member from before `from` until after `until`.
    pub(super) fn sure_span(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> Option<Span> {
        let mut spans = self.spans(group, user).iter().copied();
        spans.find(|span| {
            span.sure_from.is_some_and(|sure| sure < from) && span.sure_until.is_none_or(|sure| sure > until)
        })
    }

    /// Whether the user surely was a member from before `from` until after `until`.
    pub(super) fn surely(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> bool {
        self.sure_span(group, user, from, until).is_some()
    }

    /// Whether the user may have been a member at some time between `from` and `until`.
    pub(super) fn possibly(&self, group: GroupId, user: UserId, from: Moment, until: Moment) -> bool {
        let mut spans = self.spans(group, user).iter();
        spans.any(|span| span.from <= until && span.until.is_none_or(|gone| gone >= from))
    }

    /// Whether a span is one that has not ended, and nobody has begun to end.
    pub(super) fn lasts(span: Span) -> bool {
        span.sure_until.is_none()
    }

    fn spans(&self, group: GroupId, user: UserId) -> &[Span] {
        self.spans.get(&(group, user)).map_or(&[], Vec::as_slice)
    }
}

/// Joining begins a span, and leaving ends it.
fn spans(steps: &[Step]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for step in steps {
        match (step.turn, spans.last_mut().filter(|span| span.until.is_none())) {
            (Turn::Joins, None) => spans.push(Span {
                from: step.begun,
                sure_from: step.done,
                sure_until: None,
                until: None,
            }),
            // Whether the one before it was made is not known: from here on it is.
            (Turn::Joins, Some(span)) => {
                span.sure_from = step.done;
                span.sure_until = None;
            }
            (Turn::Leaves, Some(span)) => {
                span.sure_until.get_or_insert(step.begun);
                span.until = step.done;
            }
            (Turn::Leaves, None) => {}
        }
    }
    spans
}
