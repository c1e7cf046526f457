//! Changes of members are told in the group's log: each that was made once, in the order in which they were made, and to
//! everyone who was a member and everyone whom it is about.

use super::case::{Case, about};
use super::membership::{Memberships, Step};
use super::{Found, Harm, Promise, Violation};
use crate::history::{Conversation, Moment, Said, Turn};
use crate::tables::{Place, Slot, Timeline};
use std::collections::{BTreeMap, HashMap};
use wigwag_store::{GroupId, UserId};

/// The announcements that stand in the logs, and which changes they tell of.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    /// By group and seq.
    times: HashMap<(GroupId, u64), Time>,
    /// What is told of a user in a group, in the order of the log.
    told: BTreeMap<(GroupId, UserId), Vec<(Turn, u64)>>,
}

/// When the change was made that an announcement tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) from: Moment,
    /// `None`: nobody was told that it was made.
    pub(super) until: Option<Moment>,
}

impl Announcements {
    pub(super) fn of<'a>(timelines: impl Iterator<Item = (Place, &'a Timeline)>, members: &Memberships) -> Self {
        let mut all = Self::default();
        let mut users: HashMap<(GroupId, u64), usize> = HashMap::new();
        for (group, seq, said) in announcements(timelines) {
            let about = about(said);
            users.insert((group, seq), about.len());
            for (user, turn) in about {
                all.told.entry((group, user)).or_default().push((turn, seq));
            }
        }
        let mut changes: HashMap<(GroupId, u64), Vec<Step>> = HashMap::new();
        for (&(group, user), told) in &all.told {
            let steps = members.steps(group, user);
            if difference(steps, told).is_none() {
                for ((_, seq), step) in told.iter().zip(steps) {
                    changes.entry((group, *seq)).or_default().push(*step);
                }
            }
        }
        all.times = changes
            .into_iter()
            .filter(|(place, steps)| users.get(place) == Some(&steps.len()))
            .filter_map(|(place, steps)| Some((place, time(&steps)?)))
            .collect();
        all
    }

    /// When a group's change was made that stands at this seq; `None` where no change that the checker made answers to it.
    pub(super) fn time(&self, group: GroupId, seq: u64) -> Option<Time> {
        self.times.get(&(group, seq)).copied()
    }
}

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    // What was copied before the tables were read may lack changes that they have.
    if case.is_settled() {
        each_is_told_once(case, found);
        all_are_told(case, found);
    }
}

fn each_is_told_once(case: &Case<'_>, found: &mut Found) {
    let changed = case.members.all_steps();
    for (&(group, user), steps) in changed {
        let told = case
            .announcements
            .told
            .get(&(group, user))
            .map_or(&[][..], Vec::as_slice);
        let Some((harm, what)) = difference(steps, told) else {
            continue;
        };
        let promise = match harm {
            Harm::Lost => Promise::G1,
            Harm::Reordered => Promise::G4,
            _ => Promise::G2,
        };
        let seqs: Vec<u64> = told.iter().map(|(_, seq)| *seq).collect();
        let text = format!(
            "of {} changes of u{user} in g{group} its log {what}: at {seqs:?}",
            steps.len()
        );
        found.push(Violation::new(promise, harm, text).of(user));
    }
}

/// Members through all of the change, and those whom it is about, have it in their inboxes; of a super group, only the latter.
fn all_are_told(case: &Case<'_>, found: &mut Found) {
    let mut copies: HashMap<(GroupId, u64), Vec<UserId>> = HashMap::new();
    for (place, timeline) in case.timelines() {
        let Place::Inbox(user) = place else { continue };
        for slot in timeline.slots.values() {
            if let Slot::Entry(Said {
                change: Some(_),
                conversation: Conversation::Group(group),
                conversation_seq,
                ..
            }) = slot
            {
                copies.entry((*group, *conversation_seq)).or_default().push(user);
            }
        }
    }
    for (group, seq, said) in announcements(case.timelines()) {
        let Some(Time {
            from,
            until: Some(until),
        }) = case.announcements.time(group, seq)
        else {
            continue;
        };
        let about = about(said);
        let is_super = case.is_super(Conversation::Group(group));
        let have = copies.get(&(group, seq)).map_or(&[][..], Vec::as_slice);
        let is_due = |user: UserId| {
            about.iter().any(|(whom, _)| *whom == user) || (!is_super && case.members.surely(group, user, from, until))
        };
        for &user in case.members.users(group) {
            if is_due(user) && !have.contains(&user) {
                let text = format!("the change at {seq} of g{group} is not in the inbox of u{user}");
                found.push(Violation::new(Promise::G1, Harm::Lost, text).of(user));
            }
        }
    }
}

/// How what is told of a user differs from what was done: every change that was made is told, and the last one may be that nobody
/// knows to have been made.
fn difference(steps: &[Step], told: &[(Turn, u64)]) -> Option<(Harm, &'static str)> {
    let sure = steps
        .iter()
        .rposition(|step| step.done.is_some())
        .map_or(0, |last| last + 1);
    if told.len() < sure {
        return Some((Harm::Lost, "does not tell of all"));
    }
    if told.len() > steps.len() {
        return Some((Harm::Duplicated, "tells more often than there were"));
    }
    let same = told.iter().zip(steps).all(|((turn, _), step)| *turn == step.turn);
    (!same).then_some((Harm::Reordered, "tells in another order"))
}

/// The time in which all of these changes were made; `None` of none.
fn time(steps: &[Step]) -> Option<Time> {
    let from = steps.iter().map(|step| step.begun).min()?;
    let done: Option<Vec<Moment>> = steps.iter().map(|step| step.done).collect();
    let until = done.and_then(|done| done.into_iter().max());
    Some(Time { from, until })
}

/// All announcements of the logs of groups.
fn announcements<'a>(
    timelines: impl Iterator<Item = (Place, &'a Timeline)>,
) -> impl Iterator<Item = (GroupId, u64, &'a Said)> {
    let logs = timelines.filter_map(|(place, timeline)| match place {
        Place::Log(Conversation::Group(group)) => Some((group, timeline)),
        _ => None,
    });
    logs.flat_map(|(group, timeline)| {
        let told = timeline.entries().filter(|(_, said)| said.change.is_some());
        told.map(move |(seq, said)| (group, seq, said))
    })
}
