//! Changes of members, and of what a group is, are told in the group's log: each that was made once, in the order in which they were
//! made, and to everyone who was a member and everyone whom it is about.

use super::case::{Case, about, setting};
use super::membership::Memberships;
use super::settings::Settings;
use super::spans::Step;
use super::{Found, Harm, Promise, Violation};
use crate::history::{Conversation, Moment, Said, Setting, Turn};
use crate::tables::{Place, Slot, Timeline};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use wigwag_store::{GroupId, UserId};

/// The announcements that stand in the logs, and which changes they tell of.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    /// By group and seq.
    times: HashMap<(GroupId, u64), Time>,
    /// What is told of each, in the order of the log: what it is from a seq on.
    told: BTreeMap<(GroupId, Subject), Vec<(bool, u64)>>,
}

/// What changes in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Whether this user is a member.
    Member(UserId),
    /// Whether the group is this.
    Setting(Setting),
}

/// When the change was made that an announcement tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) from: Moment,
    /// `None`: nobody was told that it was made.
    pub(super) until: Option<Moment>,
}

impl Announcements {
    pub(super) fn of<'a>(
        timelines: impl Iterator<Item = (Place, &'a Timeline)>,
        members: &Memberships,
        settings: &Settings,
    ) -> Self {
        let mut all = Self::default();
        let mut users: HashMap<(GroupId, u64), usize> = HashMap::new();
        for (group, seq, said) in announcements(timelines) {
            let subjects = subjects(said);
            users.insert((group, seq), subjects.len());
            for (subject, is_on) in subjects {
                let told = all.told.entry((group, subject)).or_default();
                // Muting somebody anew changes until when.
                let is_again = matches!(subject, Subject::Setting(Setting::MemberMuted(_)))
                    && told.last().is_some_and(|(before, _)| *before == is_on);
                if !is_again {
                    told.push((is_on, seq));
                }
            }
        }
        let mut changes: HashMap<(GroupId, u64), Vec<Step>> = HashMap::new();
        for (&(group, subject), told) in &all.told {
            let steps = match subject {
                Subject::Member(user) => members.steps(group, user),
                Subject::Setting(setting) => settings.steps(group, setting),
            };
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
    let members = case.members.all_steps();
    let members = members.map(|((group, user), steps)| ((group, Subject::Member(user)), steps));
    let settings = case.settings.all_steps();
    // What a group was made as is told by no message of its own, and roles are told beside what they are about.
    let settings = settings.filter(|((group, setting), _)| {
        !case.settings.was_made_as(*group, *setting) && !matches!(setting, Setting::Ranks(_))
    });
    let settings = settings.map(|((group, setting), steps)| ((group, Subject::Setting(setting)), steps));
    for ((group, subject), steps) in members.chain(settings) {
        let told = case.announcements.told.get(&(group, subject));
        let told = told.map_or(&[][..], Vec::as_slice);
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
            "of {} changes of {subject} in g{group} its log {what}: at {seqs:?}",
            steps.len()
        );
        let violation = Violation::new(promise, harm, text);
        found.push(match subject {
            Subject::Member(user) => violation.of(user),
            Subject::Setting(_) => violation,
        });
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
        let have = copies.get(&(group, seq)).map_or(&[][..], Vec::as_slice);
        let is_due = |user: UserId| {
            about.iter().any(|(whom, _)| *whom == user)
                || (case.is_for_inbox(user, said) && case.members.surely(group, user, from, until))
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
fn difference(steps: &[Step], told: &[(bool, u64)]) -> Option<(Harm, &'static str)> {
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
    let same = told.iter().zip(steps).all(|((is_on, _), step)| *is_on == step.is_on);
    (!same).then_some((Harm::Reordered, "tells in another order"))
}

/// What an announcement tells of.
fn subjects(said: &Said) -> Vec<(Subject, bool)> {
    let members = about(said).into_iter();
    let members = members.map(|(user, turn)| (Subject::Member(user), turn == Turn::Joins));
    let setting = setting(said).map(|(setting, is_on)| (Subject::Setting(setting), is_on));
    members.chain(setting).collect()
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(user) => write!(f, "u{user}"),
            Self::Setting(setting) => write!(f, "{setting}"),
        }
    }
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
