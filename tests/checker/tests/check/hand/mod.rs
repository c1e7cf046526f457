//! Histories and tables by hand: what devices and a system without a fault would do, step by step.
//!
//! [`everything`] is a run in which nothing is wrong and everything occurs; the tests alter it in one place each.

mod alter;
mod play;

pub(crate) use play::{everything, settled};

use std::collections::{BTreeMap, BTreeSet};
use wigwag_invariants::{
    Answer, Channel, Conversation, Device, DeviceIndex, DeviceKind, Event, History, Observed, Record, Row, Setting,
    Tables, Timeline, TimelineKey, Token, Turn,
};
use wigwag_invariants::{Harm, Promise, Stage, Violation, judge};
use wigwag_protocol::pb::GroupChangeType;
use wigwag_store::{GroupId, UserId};

/// A run so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) tables: Tables,
    members: BTreeMap<GroupId, BTreeSet<UserId>>,
    /// How far each SDK device is in its inbox and in the logs of super groups.
    inboxes: BTreeMap<DeviceIndex, u64>,
    logs: BTreeMap<(DeviceIndex, GroupId), u64>,
    numbers: BTreeMap<DeviceIndex, u64>,
}

/// A group, a super group, one that becomes a super group, and one that ends.
pub(crate) const GROUP: GroupId = 7;
pub(crate) const SUPER: GroupId = 8;
pub(crate) const BECOMING: GroupId = 10;
pub(crate) const ENDING: GroupId = 11;

/// A change of a role.
const ROLE: i32 = GroupChangeType::Role as i32;

/// What was a group is a super group.
const BECAME_SUPER: i32 = GroupChangeType::BecameSuper as i32;

/// A group whose creation was not answered.
const ORPHAN: GroupId = 9;

/// Codes of refusals.
pub(crate) const NOT_A_MEMBER: u32 = 1212;
pub(crate) const DISSOLVED: u32 = 1214;
pub(crate) const MEMBER_MUTED: u32 = 1215;
pub(crate) const GROUP_MUTED: u32 = 1216;

pub(crate) const GROUP_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(GROUP));
pub(crate) const SUPER_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(SUPER));
pub(crate) const BECOMING_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(BECOMING));
pub(crate) const ENDING_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(ENDING));

pub(crate) fn inbox(user: UserId) -> TimelineKey {
    TimelineKey::Inbox(user)
}

pub(crate) fn pair(one: UserId, other: UserId) -> TimelineKey {
    TimelineKey::Log(Conversation::pair(one, other))
}

pub(crate) fn token(number: u64) -> Token {
    Token { number, bytes: 20 }
}

/// Which way a change goes.
fn turn(kind: GroupChangeType) -> Turn {
    match kind {
        GroupChangeType::Created | GroupChangeType::MembersAdded => Turn::Joins,
        _ => Turn::Leaves,
    }
}

impl Run {
    fn device(&mut self, user: UserId, name: &str, kind: DeviceKind) -> DeviceIndex {
        let name = name.to_owned();
        self.history.devices.push(Device { user, name, kind });
        let device = self.history.devices.len() - 1;
        self.on(device, Event::Installed);
        self.on(device, Event::Connected);
        device
    }

    pub(crate) fn on(&mut self, device: DeviceIndex, event: Event) {
        self.record(Some(device), event);
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.record(None, event);
    }

    fn record(&mut self, device: Option<DeviceIndex>, event: Event) {
        let at_ms = 10 * self.history.records.len() as u64;
        self.history.records.push(Record { at_ms, device, event });
    }

    fn user(&self, device: DeviceIndex) -> UserId {
        self.history.devices[device].user
    }

    /// From behind which seq on a group is a super group, if it is one.
    fn super_after(&self, group: GroupId) -> Option<u64> {
        self.tables.log(Conversation::Group(group))?.super_after
    }

    /// Whether what stands at a seq of a conversation is a super group's.
    fn is_super(&self, conversation: Conversation, seq: u64) -> bool {
        match conversation {
            Conversation::Group(group) => self.super_after(group).is_some_and(|after| seq > after),
            Conversation::Pair(..) => false,
        }
    }

    /// Reserves a seq and puts something there.
    fn put(&mut self, key: TimelineKey, row: impl FnOnce(u64) -> Row) -> u64 {
        let timeline = self.tables.timelines.entry(key).or_default();
        timeline.counter += 1;
        timeline.rows.insert(timeline.counter, row(timeline.counter));
        timeline.counter
    }

    /// A writer gives a seq up.
    fn seal(&mut self, key: TimelineKey) -> u64 {
        self.put(key, |_| Row::Seal)
    }

    fn copy(&mut self, user: UserId, observed: &Observed) -> u64 {
        let observed = observed.clone();
        self.put(inbox(user), |seq| Row::Entry(Observed { seq, ..observed }))
    }

    fn log(&mut self, observed: &Observed) -> Observed {
        let mut logged = observed.clone();
        self.put(TimelineKey::Log(observed.conversation), |conversation_seq| {
            logged.conversation_seq = conversation_seq;
            Row::Entry(logged.clone())
        });
        logged
    }

    fn observed(&mut self, device: DeviceIndex, number: u64, conversation: Conversation) -> Observed {
        let client_id = self.numbers.entry(device).or_default();
        *client_id += 1;
        Observed {
            token: Some(token(number)),
            intact: true,
            conversation,
            conversation_seq: 0,
            seq: 0,
            sender: self.history.devices[device].user,
            session: 100 + device as u64,
            client_id: *client_id,
            change: None,
            digest: 0,
        }
    }

    fn send(&mut self, device: DeviceIndex, number: u64, to: Conversation) {
        let message = token(number);
        self.on(device, Event::Send { message, to });
    }

    /// What the system does with a message, and what it answers.
    fn accept(&mut self, device: DeviceIndex, number: u64, to: Conversation) -> Answer {
        let observed = self.observed(device, number, to);
        let observed = self.log(&observed);
        let sender = self.user(device);
        let members = match to {
            Conversation::Pair(one, other) => BTreeSet::from([one, other]),
            Conversation::Group(_) if self.is_super(to, observed.conversation_seq) => BTreeSet::new(),
            Conversation::Group(group) => self.members[&group].clone(),
        };
        let mut seq = 0;
        for user in members {
            let copy = self.copy(user, &observed);
            if user == sender {
                seq = copy;
            }
        }
        Answer {
            session: observed.session,
            client_id: observed.client_id,
            seq,
            conversation_seq: observed.conversation_seq,
            send_time_ms: 1_000,
        }
    }

    fn acknowledge(&mut self, device: DeviceIndex, number: u64, answer: Answer) {
        let message = token(number);
        self.on(device, Event::Acknowledged { message, answer });
    }

    /// Sends a message, which is accepted and acknowledged.
    fn sends(&mut self, device: DeviceIndex, number: u64, to: Conversation) -> Answer {
        self.send(device, number, to);
        let answer = self.accept(device, number, to);
        self.acknowledge(device, number, answer);
        answer
    }

    fn refused(&mut self, device: DeviceIndex, number: u64, to: Conversation, code: u32) {
        self.send(device, number, to);
        let message = token(number);
        self.on(device, Event::Refused { message, code });
    }

    /// Makes a group, with its owner first.
    fn found(&mut self, group: GroupId, is_super: bool, users: &[UserId]) {
        self.note(Event::Founded { group, is_super });
        let key = TimelineKey::Log(Conversation::Group(group));
        let log = self.tables.timelines.entry(key).or_default();
        log.super_after = is_super.then_some(0);
        self.change(group, GroupChangeType::Created, users[0], users);
    }

    /// Changes what a group is or allows. `meanwhile` happens after that and before it is told.
    fn becomes(&mut self, group: GroupId, setting: Setting, is_on: bool, meanwhile: impl FnOnce(&mut Self)) {
        self.note(Event::Set { group, setting, is_on });
        if setting == Setting::Super {
            let log = self.timeline(TimelineKey::Log(Conversation::Group(group)));
            log.super_after = Some(log.counter);
        }
        meanwhile(self);
        let (kind, users) = match (setting, is_on) {
            (Setting::Super, _) => (GroupChangeType::BecameSuper, vec![]),
            (Setting::Dissolved, _) => (GroupChangeType::Dissolved, vec![]),
            (Setting::Muted, true) => (GroupChangeType::Muted, vec![]),
            (Setting::Muted, false) => (GroupChangeType::Unmuted, vec![]),
            (Setting::MemberMuted(user), true) => (GroupChangeType::MemberMuted, vec![user]),
            (Setting::MemberMuted(user), false) => (GroupChangeType::MemberUnmuted, vec![user]),
            (Setting::OpenHistory, true) => (GroupChangeType::HistoryOpened, vec![]),
            (Setting::OpenHistory, false) => (GroupChangeType::HistoryClosed, vec![]),
            (Setting::Ranks(user), _) => (GroupChangeType::Role, vec![user]),
        };
        let members: Vec<UserId> = self.members[&group].iter().copied().collect();
        self.tell(group, kind, &users, &members);
        self.note(Event::SetDone { group, setting, is_on });
    }

    /// The owner's announcement, with copies for these users.
    fn tell(&mut self, group: GroupId, kind: GroupChangeType, users: &[UserId], told: &[UserId]) {
        let observed = self.log(&Observed {
            token: None,
            intact: true,
            conversation: Conversation::Group(group),
            conversation_seq: 0,
            seq: 0,
            sender: 1,
            session: 2,
            client_id: 0,
            change: Some((kind.into(), users.to_vec())),
            digest: 0,
        });
        for user in told {
            self.copy(*user, &observed);
        }
    }

    /// Makes some users members, or ends that.
    fn change(&mut self, group: GroupId, kind: GroupChangeType, actor: UserId, users: &[UserId]) {
        let turn = turn(kind);
        for &user in users {
            self.note(Event::Change { group, user, turn });
        }
        self.changes(group, kind, actor, users);
        for &user in users {
            self.note(Event::Changed { group, user, turn });
        }
    }

    /// What the system does with a change.
    fn changes(&mut self, group: GroupId, kind: GroupChangeType, actor: UserId, users: &[UserId]) {
        let before = self.members.entry(group).or_default().clone();
        let members = self.members.entry(group).or_default();
        for &user in users {
            match turn(kind) {
                Turn::Joins => members.insert(user),
                Turn::Leaves => members.remove(&user),
            };
        }
        let named = if kind == GroupChangeType::MemberLeft {
            &[][..]
        } else {
            users
        };
        let observed = self.log(&Observed {
            token: None,
            intact: true,
            conversation: Conversation::Group(group),
            conversation_seq: 0,
            seq: 0,
            sender: actor,
            session: 1,
            client_id: 0,
            change: Some((kind.into(), named.to_vec())),
            digest: 0,
        });
        let told = if self.is_super(observed.conversation, observed.conversation_seq) {
            users.iter().copied().collect()
        } else {
            &before | &self.members[&group]
        };
        for user in told {
            self.copy(user, &observed);
        }
    }

    /// A member becomes an admin. In a super group they have a copy, and hand it on when it comes by the log.
    fn promote(&mut self, group: GroupId, user: UserId) {
        let told = match self.super_after(group) {
            Some(_) => vec![user],
            None => self.members[&group].iter().copied().collect(),
        };
        self.tell(group, GroupChangeType::Role, &[user], &told);
    }

    /// A group is made, and the answer is lost: nobody knows its id, or reads its log, of which a seq is not written.
    fn founded_in_vain(&mut self) {
        let users: Vec<UserId> = vec![1, 2];
        let observed = self.log(&Observed {
            token: None,
            intact: true,
            conversation: Conversation::Group(ORPHAN),
            conversation_seq: 0,
            seq: 0,
            sender: 1,
            session: 1,
            client_id: 0,
            change: Some((GroupChangeType::Created.into(), users.clone())),
            digest: 0,
        });
        for user in users {
            self.copy(user, &observed);
        }
        self.timeline(TimelineKey::Log(observed.conversation)).counter += 1;
    }

    /// An SDK device gets everything that is there, by its inbox and by the logs that begin in it.
    fn sync(&mut self, device: DeviceIndex) {
        let user = self.user(device);
        let after = self.inboxes.get(&device).copied().unwrap_or_default();
        let timeline = self.tables.inbox(user).cloned().unwrap_or_default();
        for (seq, observed) in timeline.entries().filter(|(seq, _)| *seq > after) {
            let by = Channel::Inbox;
            let observed = observed.clone();
            let is_super = self.is_super(observed.conversation, observed.conversation_seq);
            let begins = match (observed.conversation, &observed.change) {
                (Conversation::Group(_), Some((ROLE, _))) if is_super => continue,
                (Conversation::Group(group), Some((BECAME_SUPER, _))) => {
                    Some((group, self.super_after(group).expect("it is one")))
                }
                (Conversation::Group(group), Some(_)) if is_super => Some((group, observed.conversation_seq)),
                _ => None,
            };
            if let Some((group, seq)) = begins {
                self.on(device, Event::GroupCursor { group, seq });
                self.logs.insert((device, group), seq);
            }
            self.on(device, Event::Came { by, observed });
            self.inboxes.insert(device, seq);
        }
        let seq = timeline.counter;
        self.on(device, Event::Cursor { seq });
        self.inboxes.insert(device, seq);
        for group in [SUPER, BECOMING] {
            let is_member = self.members.get(&group).is_some_and(|members| members.contains(&user));
            if is_member && self.super_after(group).is_some() {
                self.follow(device, group);
            }
        }
    }

    /// An SDK device gets what is new in the log of a super group.
    fn follow(&mut self, device: DeviceIndex, group: GroupId) {
        let user = self.user(device);
        let log = self.tables.log(Conversation::Group(group)).cloned().unwrap_or_default();
        let after = self.logs.get(&(device, group)).copied().unwrap_or_default();
        for (_, observed) in log.entries().filter(|(seq, _)| *seq > after) {
            let by_inbox = observed.change.as_ref().is_some_and(|(kind, users)| match *kind {
                ROLE => false,
                BECAME_SUPER => true,
                _ => users.contains(&user),
            });
            if !by_inbox {
                let (by, observed) = (Channel::GroupLog, observed.clone());
                self.on(device, Event::Came { by, observed });
            }
        }
        let seq = log.counter;
        self.on(device, Event::GroupCursor { group, seq });
        self.logs.insert((device, group), seq);
    }

    /// A raw device is pushed what stands last in its inbox.
    fn push(&mut self, device: DeviceIndex) {
        let user = self.user(device);
        let inbox = self.tables.inbox(user).expect("the user has an inbox");
        let observed = inbox.entries().last().expect("something stands there").1.clone();
        self.on(
            device,
            Event::Came {
                by: Channel::Push,
                observed,
            },
        );
    }

    /// A raw device asks for its whole inbox.
    fn sync_by_hand(&mut self, device: DeviceIndex) {
        let timeline = self.tables.inbox(self.user(device)).cloned().unwrap_or_default();
        for (_, observed) in timeline.entries() {
            let (by, observed) = (Channel::Sync, observed.clone());
            self.on(device, Event::Came { by, observed });
        }
        self.on(device, Event::Cursor { seq: timeline.counter });
    }

    /// A raw device asks for messages of a log.
    fn pull(&mut self, device: DeviceIndex, log: TimelineKey, numbers: &[u64]) {
        for number in numbers {
            let observed = self.at(log, *number).1;
            self.on(
                device,
                Event::Came {
                    by: Channel::Pull,
                    observed,
                },
            );
        }
    }

    fn reinstall(&mut self, device: DeviceIndex) {
        self.inboxes.remove(&device);
        self.logs.retain(|(of, _), _| *of != device);
        self.on(device, Event::Installed);
        self.on(device, Event::Connected);
    }
}
