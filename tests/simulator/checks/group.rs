//! A group is what its log says: its settings, its members, the rows of users and of shards.

use crate::engine::Engine;
use crate::harness::group::{GROUP, group_info};
use crate::harness::{LATER, WHOLE_TIMELINE, logged_message};
use std::collections::{BTreeMap, BTreeSet};
use wigwag_domain::groups::Group;
use wigwag_domain::groups::membership::{Membership, ShardMember};
use wigwag_domain::task::Task;
use wigwag_domain::{TimelineId, UserId};
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message};
use wigwag_store::{Store, groups, timelines};

/// A group of one shard without messages, read in two ways: from its log, and from its rows.
pub(crate) struct GroupCheck {
    by_log: GroupByLog,
    /// What the log contradicts itself in.
    errors: Vec<String>,
    announced: BTreeSet<u64>,
    /// The versions of the announced changes, in the order of the log.
    versions: Vec<u64>,
    group: Group,
    /// The version of the last change that began.
    version: u64,
    is_unfinished: bool,
    memberships: BTreeMap<UserId, Option<Membership>>,
    shard: Vec<ShardMember>,
}

impl GroupCheck {
    /// Reads the group, with the rows of these users. Gives up the holes of the log.
    pub(crate) async fn new(engine: &Engine, store: &Store, users: impl Iterator<Item = UserId>) -> Self {
        let log = TimelineId::group(GROUP);
        let page = timelines::read(store, &log, WHOLE_TIMELINE, LATER)
            .await
            .unwrap()
            .unwrap();
        let (mut by_log, mut errors) = (GroupByLog::default(), Vec::new());
        let (mut announced, mut versions) = (BTreeSet::new(), Vec::new());
        for (seq, entry) in &page.entries {
            let message = logged_message(entry);
            let change = message.group_change.clone().unwrap_or_default();
            errors.extend(by_log.hear(*seq, &message, &change));
            versions.push(message.session);
            announced.insert(*seq);
        }
        if page.cursor != page.max_seq {
            errors.push(format!("the log is not dense: {} of {}", page.cursor, page.max_seq));
        }
        let info = group_info(engine);
        let mut memberships = BTreeMap::new();
        for user in users {
            memberships.insert(user, groups::membership(store, GROUP, user).await.unwrap());
        }
        Self {
            by_log,
            errors,
            announced,
            versions,
            group: groups::group(store, GROUP).await.unwrap().unwrap(),
            version: info["version"]["N"].as_str().unwrap().parse().unwrap(),
            is_unfinished: info.get("change").is_some() || info.get("change_seq").is_some(),
            memberships,
            shard: groups::shard(store, GROUP, 0).await.unwrap(),
        }
    }

    /// The seqs of the announcements.
    pub(crate) fn announced(&self) -> &BTreeSet<u64> {
        &self.announced
    }

    /// Says if fewer changes are announced than were made.
    pub(crate) fn unannounced(&self, made: usize) -> Option<String> {
        // Users who leave a dissolved group do so silently.
        let is_missing = made > self.versions.len() && self.by_log.dissolved_at.is_none();
        is_missing.then(|| format!("{made} changes were made, but {} are announced", self.versions.len()))
    }

    /// What does not agree, once nobody changes the group any more.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        let (mut errors, by_log, group) = (self.errors.clone(), &self.by_log, &self.group);
        let last = self.versions.last().copied().filter(|_| by_log.dissolved_at.is_some());
        if !self.versions.iter().copied().eq(1..=last.unwrap_or(self.version)) {
            let (version, versions) = (self.version, &self.versions);
            errors.push(format!("of {version} changes these are announced: {versions:?}"));
        }
        if self.is_unfinished {
            errors.push("a change is not finished".to_owned());
        }
        let members = by_log.roles.len();
        if (&group.name, Some(group.owner), group.members as usize) != (&by_log.name, by_log.owner, members) {
            errors.push(format!("the log tells {by_log:?}, but there is {group:?}"));
        }
        let settings = group.settings;
        // Between a setting and its announcement others may have taken a seq.
        let agrees = |after: Option<u64>, told: Option<u64>| after.is_some() == told.is_some() && after <= told;
        if (settings.muted, settings.open_history) != (by_log.muted, by_log.open_history)
            || !agrees(settings.super_after, by_log.super_from)
            || !agrees(settings.dissolved_after, by_log.dissolved_at)
            || settings.shards != 1
        {
            errors.push(format!("the log tells {by_log:?}, but the settings are {settings:?}"));
        }
        for &user in self.memberships.keys() {
            errors.extend(self.member_contradictions(user));
        }
        errors
    }

    /// What does not agree for one user: the log, the user's row, the rows of the shard.
    fn member_contradictions(&self, user: UserId) -> Vec<String> {
        let (mut errors, by_log) = (Vec::new(), &self.by_log);
        let told = by_log.intervals.get(&user).map_or(&[][..], Vec::as_slice);
        let rows: Vec<&ShardMember> = self.shard.iter().filter(|row| row.user == user).collect();
        let membership = self.memberships[&user].as_ref();
        let (intervals, role, until) = membership.map_or((vec![], Role::Member, 0), |it| {
            (it.intervals.clone(), it.role, it.muted_until_ms)
        });
        let in_shard: Vec<_> = rows.iter().map(|row| row.interval).collect();
        if in_shard != intervals {
            errors.push(format!(
                "user {user} has the intervals {intervals:?}, the shard {in_shard:?}"
            ));
        }
        let agrees = intervals.len() == told.len()
            && intervals.iter().zip(told).all(|(interval, (came, went))| {
                // Users who leave a dissolved group do so silently.
                let is_told = |left: &u64| went.is_some() || by_log.dissolved_at.is_none_or(|end| *left < end);
                interval.joined_after < *came && interval.left.filter(is_told) == *went
            });
        let are_apart = intervals
            .windows(2)
            .all(|two| two[0].left.is_some_and(|left| left <= two[1].joined_after));
        if !agrees || !are_apart {
            errors.push(format!(
                "user {user} came and went at {told:?}, but has the intervals {intervals:?}"
            ));
        }
        let has_left_the_end =
            by_log.dissolved_at.is_some() && intervals.last().is_some_and(|interval| interval.left.is_some());
        if let Some(role_by_log) = by_log.roles.get(&user).filter(|_| !has_left_the_end) {
            let expected = (*role_by_log, by_log.muted_until_ms.get(&user).copied().unwrap_or(0));
            let row = rows.last().map(|row| (row.role, row.muted_until_ms));
            if (role, until) != expected || row != Some(expected) {
                errors.push(format!(
                    "user {user} should be {expected:?}, but is {:?}, and {row:?} in the shard",
                    (role, until)
                ));
            }
        }
        errors
    }
}

/// A group, as the changes in its log tell it.
#[derive(Debug, Default)]
struct GroupByLog {
    name: String,
    roles: BTreeMap<UserId, Role>,
    muted_until_ms: BTreeMap<UserId, i64>,
    /// The seqs of the announcements that each user came with and went with.
    intervals: BTreeMap<UserId, Vec<(u64, Option<u64>)>>,
    muted: bool,
    open_history: bool,
    super_from: Option<u64>,
    dissolved_at: Option<u64>,
    owner: Option<UserId>,
}

impl GroupByLog {
    /// Hears of a change. Returns what is impossible about it.
    fn hear(&mut self, seq: u64, message: &Message, change: &GroupChange) -> Option<String> {
        let users: Vec<UserId> = change.user_ids.iter().copied().map(UserId).collect();
        if self.dissolved_at.is_some() {
            return Some(format!("{seq} comes after the end of the group"));
        }
        match change.r#type() {
            GroupChangeType::Created => {
                self.name.clone_from(&change.name);
                self.owner = Some(UserId(message.sender_id));
                self.super_from = change.super_group.then_some(0);
                return self.come(seq, users);
            }
            GroupChangeType::MembersAdded => return self.come(seq, users),
            GroupChangeType::MembersRemoved => return self.go(seq, users),
            GroupChangeType::MemberLeft => return self.go(seq, vec![UserId(message.sender_id)]),
            GroupChangeType::Renamed => self.name.clone_from(&change.name),
            GroupChangeType::Role => {
                let role = if change.role == 2 { Role::Admin } else { Role::Member };
                self.roles.insert(users[0], role);
            }
            GroupChangeType::HandedOver => {
                self.roles.insert(UserId(message.sender_id), Role::Admin);
                self.roles.insert(users[0], Role::Owner);
                self.muted_until_ms.remove(&users[0]);
                self.owner = Some(users[0]);
            }
            GroupChangeType::MemberMuted | GroupChangeType::MemberUnmuted => {
                self.muted_until_ms.insert(users[0], change.until);
            }
            GroupChangeType::Muted => self.muted = true,
            GroupChangeType::Unmuted => self.muted = false,
            GroupChangeType::HistoryOpened => self.open_history = true,
            GroupChangeType::HistoryClosed => self.open_history = false,
            GroupChangeType::BecameSuper => self.super_from = Some(seq),
            GroupChangeType::Dissolved => self.dissolved_at = Some(seq),
            GroupChangeType::Unspecified => return Some(format!("{seq} tells of no change")),
        }
        None
    }

    fn come(&mut self, seq: u64, users: Vec<UserId>) -> Option<String> {
        for user in users {
            let role = if Some(user) == self.owner {
                Role::Owner
            } else {
                Role::Member
            };
            if self.roles.insert(user, role).is_some() {
                return Some(format!("{seq} adds user {user}, who is in the group"));
            }
            self.intervals.entry(user).or_default().push((seq, None));
        }
        None
    }

    fn go(&mut self, seq: u64, users: Vec<UserId>) -> Option<String> {
        for user in users {
            if self.roles.remove(&user).is_none_or(|role| role == Role::Owner) {
                return Some(format!("{seq} removes user {user}, who is not in the group or owns it"));
            }
            self.intervals.get_mut(&user)?.last_mut()?.1 = Some(seq);
        }
        None
    }
}

/// The seq of the message that a task is about.
pub(crate) fn announced_seq(task: &Task) -> u64 {
    match task {
        Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. } => {
            logged.conversation_seq()
        }
        Task::Finish { .. } | Task::Room { .. } => panic!("this task has no message: {task:?}"),
    }
}
