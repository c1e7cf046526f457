//! G1, G2 and G4 for announcements: each change of members or settings is announced in the group's
//! log once, in the order in which the changes were made, and to every member and every user that
//! it is about.

use crate::case::{Case, membership_changes, setting};
use crate::history::{Moment, Setting, Turn};
use crate::membership::Memberships;
use crate::message::{Conversation, Observed};
use crate::settings::Settings;
use crate::spans::Step;
use crate::tables::{Tables, Timeline, TimelineKey};
use crate::violation::{Harm, Promise, Violation};
use crate::{GroupId, UserId};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// The announcements in the logs, and the changes that they tell of.
#[derive(Debug, Default)]
pub struct Announcements {
    /// By group and seq.
    times: HashMap<(GroupId, u64), ChangeTime>,
    /// In the order of the log: whether it is on, and from which seq.
    announced: BTreeMap<(GroupId, Subject), Vec<(bool, u64)>>,
}

/// What changes in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Whether this user is a member.
    Member(UserId),
    /// Whether this setting is on.
    Setting(Setting),
}

/// When the change was made that an announcement tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeTime {
    /// When it began.
    pub from: Moment,
    /// When it was made; `None` if nobody was told so.
    pub until: Option<Moment>,
}

impl Announcements {
    /// Matches the announcements in the logs with the changes that were made.
    pub(crate) fn new(tables: &Tables, members: &Memberships, settings: &Settings) -> Self {
        let mut all = Self::default();
        let mut subject_counts: HashMap<(GroupId, u64), usize> = HashMap::new();
        for (group, seq, observed) in announcements(timelines(tables)) {
            let subjects = subjects(observed);
            subject_counts.insert((group, seq), subjects.len());
            for (subject, is_on) in subjects {
                let announced = all.announced.entry((group, subject)).or_default();
                // Muting a member again changes the end of the mute, and nothing else.
                let is_again = matches!(subject, Subject::Setting(Setting::MemberMuted(_)))
                    && announced.last().is_some_and(|(before, _)| *before == is_on);
                if !is_again {
                    announced.push((is_on, seq));
                }
            }
        }
        let mut changes: HashMap<(GroupId, u64), Vec<Step>> = HashMap::new();
        for (&(group, subject), announced) in &all.announced {
            let steps = match subject {
                Subject::Member(user) => members.steps(group, user),
                Subject::Setting(setting) => settings.steps(group, setting),
            };
            if difference(steps, announced).is_none() {
                for ((_, seq), step) in announced.iter().zip(steps) {
                    changes.entry((group, *seq)).or_default().push(*step);
                }
            }
        }
        all.times = changes
            .into_iter()
            .filter(|(position, steps)| subject_counts.get(position) == Some(&steps.len()))
            .filter_map(|(position, steps)| Some((position, time(&steps)?)))
            .collect();
        all
    }

    /// When the change was made that is announced at this seq of a group's log; `None` if no change
    /// of the run matches it.
    pub fn time(&self, group: GroupId, seq: u64) -> Option<ChangeTime> {
        self.times.get(&(group, seq)).copied()
    }
}

/// Checks the announcements of all groups.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    // A history that was copied before the tables were read may lack changes that they have.
    if case.is_settled() {
        each_announced_once(case, found);
        all_are_told(case, found);
    }
}

fn each_announced_once(case: &Case<'_>, found: &mut Vec<Violation>) {
    let members = case.members.all_steps();
    let members = members.map(|((group, user), steps)| ((group, Subject::Member(user)), steps));
    let settings = case.settings.all_steps();
    // The settings that a group is created with are not announced, and roles are not checked here.
    let settings = settings.filter(|((group, setting), _)| {
        !case.settings.is_initial(*group, *setting) && !matches!(setting, Setting::Ranks(_))
    });
    let settings = settings.map(|((group, setting), steps)| ((group, Subject::Setting(setting)), steps));
    for ((group, subject), steps) in members.chain(settings) {
        let announced = case.announcements.announced.get(&(group, subject));
        let announced = announced.map_or(&[][..], Vec::as_slice);
        let Some((harm, how)) = difference(steps, announced) else {
            continue;
        };
        let promise = match harm {
            Harm::Lost => Promise::G1,
            Harm::Reordered => Promise::G4,
            _ => Promise::G2,
        };
        let seqs: Vec<u64> = announced.iter().map(|(_, seq)| *seq).collect();
        let text = format!(
            "there were {} changes of {subject} in g{group}, and its log {how}: at {seqs:?}",
            steps.len()
        );
        let violation = Violation::new(promise, harm, text);
        found.push(match subject {
            Subject::Member(user) => violation.of(user),
            Subject::Setting(_) => violation,
        });
    }
}

/// A change is in the inbox of every user that it is about and, unless the group is a super group,
/// of every user who was a member all through it.
fn all_are_told(case: &Case<'_>, found: &mut Vec<Violation>) {
    let copies = announcement_copies(case);
    for (group, seq, observed) in announcements(case.timelines()) {
        let time = case.announcements.time(group, seq);
        let Some((from, until)) = time.and_then(|time| Some((time.from, time.until?))) else {
            continue;
        };
        let about = membership_changes(observed);
        let have = copies.get(&(group, seq)).map_or(&[][..], Vec::as_slice);
        let is_due = |user: UserId| {
            about.iter().any(|(whom, _)| *whom == user)
                || (case.is_for_inbox(user, observed) && case.members.surely(group, user, from, until))
        };
        for &user in case.members.users(group) {
            if is_due(user) && !have.contains(&user) {
                let text = format!("the change at {seq} of g{group} is not in the inbox of u{user}");
                found.push(Violation::new(Promise::G1, Harm::Lost, text).of(user));
            }
        }
    }
}

/// The users who have a copy of each announcement.
fn announcement_copies(case: &Case<'_>) -> HashMap<(GroupId, u64), Vec<UserId>> {
    let mut copies: HashMap<(GroupId, u64), Vec<UserId>> = HashMap::new();
    for (key, timeline) in case.timelines() {
        let TimelineKey::Inbox(user) = key else { continue };
        for (_, observed) in timeline.entries() {
            if let (Some(_), Conversation::Group(group)) = (&observed.change, observed.conversation) {
                copies.entry((group, observed.conversation_seq)).or_default().push(user);
            }
        }
    }
    copies
}

/// How the announcements differ from the changes. Each change that was made is announced. It may
/// be unknown whether the last one was made.
fn difference(steps: &[Step], announced: &[(bool, u64)]) -> Option<(Harm, &'static str)> {
    let sure = steps
        .iter()
        .rposition(|step| step.done.is_some())
        .map_or(0, |last| last + 1);
    if announced.len() < sure {
        return Some((Harm::Lost, "does not tell of all"));
    }
    if announced.len() > steps.len() {
        return Some((Harm::Duplicated, "tells of more"));
    }
    let same = announced
        .iter()
        .zip(steps)
        .all(|((is_on, _), step)| *is_on == step.is_on);
    (!same).then_some((Harm::Reordered, "tells of them in another order"))
}

/// The subjects of an announcement, and whether each is on from then on.
fn subjects(observed: &Observed) -> Vec<(Subject, bool)> {
    let members = membership_changes(observed).into_iter();
    let members = members.map(|(user, turn)| (Subject::Member(user), turn == Turn::Joins));
    let setting = setting(observed).map(|(setting, is_on)| (Subject::Setting(setting), is_on));
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

/// The time in which all of these changes were made; `None` if there are none.
fn time(steps: &[Step]) -> Option<ChangeTime> {
    let from = steps.iter().map(|step| step.begun).min()?;
    let done: Option<Vec<Moment>> = steps.iter().map(|step| step.done).collect();
    let until = done.and_then(|done| done.into_iter().max());
    Some(ChangeTime { from, until })
}

fn timelines(tables: &Tables) -> impl Iterator<Item = (TimelineKey, &Timeline)> {
    tables.timelines.iter().map(|(key, timeline)| (*key, timeline))
}

/// All announcements in the logs of groups.
fn announcements<'a>(
    timelines: impl Iterator<Item = (TimelineKey, &'a Timeline)>,
) -> impl Iterator<Item = (GroupId, u64, &'a Observed)> {
    let logs = timelines.filter_map(|(key, timeline)| match key {
        TimelineKey::Log(Conversation::Group(group)) => Some((group, timeline)),
        _ => None,
    });
    logs.flat_map(|(group, timeline)| {
        let announced = timeline.entries().filter(|(_, observed)| observed.change.is_some());
        announced.map(move |(seq, observed)| (group, seq, observed))
    })
}
