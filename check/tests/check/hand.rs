//! Histories and tables by hand: what devices and a system without a fault would do, step by step.
//!
//! [`everything`] is a run in which nothing is wrong and everything occurs; the tests alter it in one place each.

use std::collections::{BTreeMap, BTreeSet};
use wigwag_check::history::{
    Answer, Conversation, Device, DeviceIndex, History, Kind, Path, Record, Said, Token, Turn, What,
};
use wigwag_check::judge::{Harm, Promise, Stage, Violation, judge};
use wigwag_check::tables::{Place, Slot, Tables, Timeline};
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

/// A group, and a super group.
pub(crate) const GROUP: GroupId = 7;
pub(crate) const SUPER: GroupId = 8;

/// A change of a role.
const ROLE: i32 = GroupChangeType::Role as i32;

/// A group whose creation was not answered.
const ORPHAN: GroupId = 9;

/// Code of a refusal: not a member.
pub(crate) const NOT_A_MEMBER: u32 = 1212;

pub(crate) const GROUP_LOG: Place = Place::Log(Conversation::Group(GROUP));
pub(crate) const SUPER_LOG: Place = Place::Log(Conversation::Group(SUPER));

pub(crate) fn inbox(user: UserId) -> Place {
    Place::Inbox(user)
}

pub(crate) fn pair(one: UserId, other: UserId) -> Place {
    Place::Log(Conversation::pair(one, other))
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
    fn device(&mut self, user: UserId, name: &str, kind: Kind) -> DeviceIndex {
        let name = name.to_owned();
        self.history.devices.push(Device { user, name, kind });
        let device = self.history.devices.len() - 1;
        self.on(device, What::Installed);
        self.on(device, What::Connected);
        device
    }

    pub(crate) fn on(&mut self, device: DeviceIndex, what: What) {
        self.record(Some(device), what);
    }

    pub(crate) fn note(&mut self, what: What) {
        self.record(None, what);
    }

    fn record(&mut self, device: Option<DeviceIndex>, what: What) {
        let at_ms = 10 * self.history.records.len() as u64;
        self.history.records.push(Record { at_ms, device, what });
    }

    fn user(&self, device: DeviceIndex) -> UserId {
        self.history.devices[device].user
    }

    fn is_super(&self, group: GroupId) -> bool {
        self.history.super_groups.contains(&group)
    }

    /// Reserves a seq and puts something there.
    fn put(&mut self, place: Place, slot: impl FnOnce(u64) -> Slot) -> u64 {
        let timeline = self.tables.timelines.entry(place.key()).or_default();
        timeline.counter += 1;
        timeline.slots.insert(timeline.counter, slot(timeline.counter));
        timeline.counter
    }

    /// A writer gives a seq up.
    fn seal(&mut self, place: Place) -> u64 {
        self.put(place, |_| Slot::Seal)
    }

    fn copy(&mut self, user: UserId, said: &Said) -> u64 {
        let said = said.clone();
        self.put(inbox(user), |seq| Slot::Entry(Said { seq, ..said }))
    }

    fn log(&mut self, said: &Said) -> Said {
        let mut logged = said.clone();
        self.put(Place::Log(said.conversation), |conversation_seq| {
            logged.conversation_seq = conversation_seq;
            Slot::Entry(logged.clone())
        });
        logged
    }

    fn said(&mut self, device: DeviceIndex, number: u64, conversation: Conversation) -> Said {
        let client_id = self.numbers.entry(device).or_default();
        *client_id += 1;
        Said {
            token: Some(token(number)),
            intact: true,
            conversation,
            conversation_seq: 0,
            seq: 0,
            sender: self.history.devices[device].user,
            session: 100 + device as u64,
            client_id: *client_id,
            change: None,
        }
    }

    fn send(&mut self, device: DeviceIndex, number: u64, to: Conversation) {
        let message = token(number);
        self.on(device, What::Send { message, to });
    }

    /// What the system does with a message, and what it answers.
    fn accept(&mut self, device: DeviceIndex, number: u64, to: Conversation) -> Answer {
        let said = self.said(device, number, to);
        let said = self.log(&said);
        let sender = self.user(device);
        let members = match to {
            Conversation::Pair(one, other) => BTreeSet::from([one, other]),
            Conversation::Group(group) if self.is_super(group) => BTreeSet::new(),
            Conversation::Group(group) => self.members[&group].clone(),
        };
        let mut seq = 0;
        for user in members {
            let copy = self.copy(user, &said);
            if user == sender {
                seq = copy;
            }
        }
        Answer {
            session: said.session,
            client_id: said.client_id,
            seq,
            conversation_seq: said.conversation_seq,
            send_time_ms: 1_000,
        }
    }

    fn acknowledge(&mut self, device: DeviceIndex, number: u64, answer: Answer) {
        let message = token(number);
        self.on(device, What::Acknowledged { message, answer });
    }

    /// Sends a message, which is accepted and acknowledged.
    fn sends(&mut self, device: DeviceIndex, number: u64, to: Conversation) -> Answer {
        self.send(device, number, to);
        let answer = self.accept(device, number, to);
        self.acknowledge(device, number, answer);
        answer
    }

    fn refused(&mut self, device: DeviceIndex, number: u64, to: Conversation) {
        self.send(device, number, to);
        let (message, code) = (token(number), NOT_A_MEMBER);
        self.on(device, What::Refused { message, code });
    }

    /// Makes some users members, or ends that.
    fn change(&mut self, group: GroupId, kind: GroupChangeType, actor: UserId, users: &[UserId]) {
        let turn = turn(kind);
        for &user in users {
            self.note(What::Change { group, user, turn });
        }
        self.changes(group, kind, actor, users);
        for &user in users {
            self.note(What::Changed { group, user, turn });
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
        let said = self.log(&Said {
            token: None,
            intact: true,
            conversation: Conversation::Group(group),
            conversation_seq: 0,
            seq: 0,
            sender: actor,
            session: 1,
            client_id: 0,
            change: Some((kind.into(), named.to_vec())),
        });
        let told = if self.is_super(group) {
            users.iter().copied().collect()
        } else {
            &before | &self.members[&group]
        };
        for user in told {
            self.copy(user, &said);
        }
    }

    /// A member becomes an admin. In a super group they have a copy, and hand it on when it comes by the log.
    fn promote(&mut self, group: GroupId, user: UserId) {
        let said = self.log(&Said {
            token: None,
            intact: true,
            conversation: Conversation::Group(group),
            conversation_seq: 0,
            seq: 0,
            sender: 1,
            session: 2,
            client_id: 0,
            change: Some((ROLE, vec![user])),
        });
        let told = if self.is_super(group) {
            BTreeSet::from([user])
        } else {
            self.members[&group].clone()
        };
        for user in told {
            self.copy(user, &said);
        }
    }

    /// A group is made, and the answer is lost: nobody knows its id, or reads its log, of which a seq is not written.
    fn founded_in_vain(&mut self) {
        let users: Vec<UserId> = vec![1, 2];
        let said = self.log(&Said {
            token: None,
            intact: true,
            conversation: Conversation::Group(ORPHAN),
            conversation_seq: 0,
            seq: 0,
            sender: 1,
            session: 1,
            client_id: 0,
            change: Some((GroupChangeType::Created.into(), users.clone())),
        });
        for user in users {
            self.copy(user, &said);
        }
        self.timeline(Place::Log(said.conversation)).counter += 1;
    }

    /// An SDK device gets everything that is there, by its inbox and by the logs that begin in it.
    fn sync(&mut self, device: DeviceIndex) {
        let user = self.user(device);
        let after = self.inboxes.get(&device).copied().unwrap_or_default();
        let timeline = self.tables.inbox(user).cloned().unwrap_or_default();
        for (seq, said) in timeline.entries().filter(|(seq, _)| *seq > after) {
            let by = Path::Inbox;
            let said = said.clone();
            let begins = match (said.conversation, &said.change) {
                (Conversation::Group(group), Some((ROLE, _))) if self.is_super(group) => continue,
                (Conversation::Group(group), Some(_)) if self.is_super(group) => Some((group, said.conversation_seq)),
                _ => None,
            };
            if let Some((group, seq)) = begins {
                self.on(device, What::GroupCursor { group, seq });
                self.logs.insert((device, group), seq);
            }
            self.on(device, What::Came { by, said });
            self.inboxes.insert(device, seq);
        }
        let seq = timeline.counter;
        self.on(device, What::Cursor { seq });
        self.inboxes.insert(device, seq);
        for group in self.history.super_groups.clone() {
            if self.members[&group].contains(&user) {
                self.follow(device, group);
            }
        }
    }

    /// An SDK device gets what is new in the log of a super group.
    fn follow(&mut self, device: DeviceIndex, group: GroupId) {
        let user = self.user(device);
        let log = self.tables.log(Conversation::Group(group)).cloned().unwrap_or_default();
        let after = self.logs.get(&(device, group)).copied().unwrap_or_default();
        for (_, said) in log.entries().filter(|(seq, _)| *seq > after) {
            let about_me = said.change.as_ref();
            let about_me = about_me.is_some_and(|(kind, users)| *kind != ROLE && users.contains(&user));
            if !about_me {
                let (by, said) = (Path::GroupLog, said.clone());
                self.on(device, What::Came { by, said });
            }
        }
        let seq = log.counter;
        self.on(device, What::GroupCursor { group, seq });
        self.logs.insert((device, group), seq);
    }

    /// A raw device is pushed what stands last in its inbox.
    fn push(&mut self, device: DeviceIndex) {
        let user = self.user(device);
        let inbox = self.tables.inbox(user).expect("the user has an inbox");
        let said = inbox.entries().last().expect("something stands there").1.clone();
        self.on(device, What::Came { by: Path::Push, said });
    }

    /// A raw device asks for its whole inbox.
    fn sync_by_hand(&mut self, device: DeviceIndex) {
        let timeline = self.tables.inbox(self.user(device)).cloned().unwrap_or_default();
        for (_, said) in timeline.entries() {
            let (by, said) = (Path::Sync, said.clone());
            self.on(device, What::Came { by, said });
        }
        self.on(device, What::Cursor { seq: timeline.counter });
    }

    /// A raw device asks for messages of a log.
    fn pull(&mut self, device: DeviceIndex, log: Place, numbers: &[u64]) {
        for number in numbers {
            let said = self.at(log, *number).1;
            self.on(device, What::Came { by: Path::Pull, said });
        }
    }

    fn reinstall(&mut self, device: DeviceIndex) {
        self.inboxes.remove(&device);
        self.logs.retain(|(of, _), _| *of != device);
        self.on(device, What::Installed);
        self.on(device, What::Connected);
    }
}

/// Where things are in a run, and how to alter it.
impl Run {
    /// Whether a message stands in a timeline.
    pub(crate) fn stands(&self, place: Place, number: u64) -> bool {
        let mut entries = self.tables.timelines[&place.key()].entries();
        entries.any(|(_, said)| said.token == Some(token(number)))
    }

    /// Where a message stands, and as what.
    pub(crate) fn at(&self, place: Place, number: u64) -> (u64, Said) {
        let timeline = &self.tables.timelines[&place.key()];
        let mut entries = timeline.entries();
        let entry = entries.find(|(_, said)| said.token == Some(token(number)));
        let (seq, said) = entry.unwrap_or_else(|| panic!("m{number} is not in {}", place.key()));
        (seq, said.clone())
    }

    /// Where the last announcement about a user stands.
    pub(crate) fn announced(&self, place: Place, group: GroupId, user: UserId) -> (u64, Said) {
        let timeline = &self.tables.timelines[&place.key()];
        let is_it = |said: &Said| {
            let about = said.change.as_ref().is_some_and(|(_, users)| users.contains(&user));
            said.conversation == Conversation::Group(group) && said.change.is_some() && (about || said.sender == user)
        };
        let entry = timeline.entries().filter(|(_, said)| is_it(said)).last();
        let (seq, said) = entry.expect("it was announced");
        (seq, said.clone())
    }

    /// The first seal of an inbox, the last one of a log.
    pub(crate) fn sealed(&self, place: Place) -> u64 {
        let slots = &self.tables.timelines[&place.key()].slots;
        let mut seals = slots.iter().filter(|(_, slot)| **slot == Slot::Seal);
        let seal = match place {
            Place::Inbox(_) => seals.next(),
            Place::Log(_) => seals.next_back(),
        };
        *seal.unwrap_or_else(|| panic!("{} has no seal", place.key())).0
    }

    pub(crate) fn set(&mut self, place: Place, seq: u64, slot: Slot) {
        self.timeline(place).slots.insert(seq, slot);
    }

    /// A timeline that there is.
    pub(crate) fn timeline(&mut self, place: Place) -> &mut Timeline {
        let timeline = self.tables.timelines.get_mut(&place.key());
        timeline.expect("there is such a timeline")
    }

    /// A seal stands where an entry stood, and nobody got it from there.
    pub(crate) fn forget(&mut self, place: Place, seq: u64) {
        self.set(place, seq, Slot::Seal);
        let devices = self.history.devices.clone();
        self.history.records.retain(|record| {
            let (What::Came { said, .. }, Some(device)) = (&record.what, record.device) else {
                return true;
            };
            match place {
                Place::Inbox(user) => devices[device].user != user || said.seq != seq,
                Place::Log(conversation) => {
                    said.seq > 0 || said.conversation != conversation || said.conversation_seq != seq
                }
            }
        });
    }

    /// A copy stands in the place of an inbox's first seal, and all SDK devices of the user got it.
    pub(crate) fn add(&mut self, user: UserId, said: &Said) {
        let seq = self.sealed(inbox(user));
        let said = Said { seq, ..said.clone() };
        self.set(inbox(user), seq, Slot::Entry(said.clone()));
        let devices = self.history.devices.clone();
        let mut awaited: BTreeSet<DeviceIndex> = BTreeSet::new();
        let mut records = Vec::new();
        for record in std::mem::take(&mut self.history.records) {
            if let Some(device) = record.device.filter(|device| devices[*device].user == user) {
                if record.what == What::Installed && devices[device].kind != Kind::Raw {
                    awaited.insert(device);
                }
                let passes = match &record.what {
                    What::Came { by: Path::Inbox, said } => said.seq > seq,
                    What::Cursor { seq: cursor } => *cursor >= seq,
                    _ => false,
                };
                if passes && awaited.remove(&device) {
                    let (by, said) = (Path::Inbox, said.clone());
                    let what = What::Came { by, said };
                    records.push(Record { what, ..record.clone() });
                }
            }
            records.push(record);
        }
        self.history.records = records;
    }

    /// Everything that is said of a message in some timelines, and to whom they belong.
    pub(crate) fn rewrite(&mut self, places: &[Place], number: u64, change: impl Fn(&mut Said)) {
        for place in places {
            let seq = self.at(*place, number).0;
            if let Some(Slot::Entry(said)) = self.timeline(*place).slots.get_mut(&seq) {
                change(said);
            }
            for record in &mut self.history.records {
                let user = record.device.map(|device| self.history.devices[device].user);
                if let What::Came { said, .. } = &mut record.what {
                    let is_from_here = match *place {
                        Place::Inbox(owner) => user == Some(owner) && said.seq == seq,
                        Place::Log(_) => said.seq == 0,
                    };
                    if is_from_here && said.token == Some(token(number)) {
                        change(said);
                    }
                }
            }
        }
    }

    /// Where the first record is that a device has of this kind.
    pub(crate) fn find(&self, device: &str, mut is_it: impl FnMut(&What) -> bool) -> usize {
        let device = self.named(device);
        let mut records = self.history.records.iter();
        let found = records.position(|record| record.device == Some(device) && is_it(&record.what));
        found.expect("there is such a record")
    }

    /// A device by its name.
    pub(crate) fn named(&self, name: &str) -> DeviceIndex {
        let mut devices = self.history.devices.iter();
        devices
            .position(|device| device.name == name)
            .expect("there is such a device")
    }

    /// Where a message came to a device by some way.
    pub(crate) fn came(&self, device: &str, by: Path, number: u64) -> usize {
        self.find(device, |what| match what {
            What::Came { by: way, said } => *way == by && said.token == Some(token(number)),
            _ => false,
        })
    }

    /// Takes out what a device saw from a record on.
    pub(crate) fn cut(&mut self, device: &str, from: usize) {
        let device = self.named(device);
        let mut at = 0;
        self.history.records.retain(|record| {
            at += 1;
            let sees = matches!(
                record.what,
                What::Came { .. } | What::Cursor { .. } | What::GroupCursor { .. }
            );
            at <= from || record.device != Some(device) || !sees
        });
    }

    /// Puts a record before another.
    pub(crate) fn insert(&mut self, at: usize, device: &str, what: What) {
        let device = Some(self.named(device));
        let at_ms = self.history.records[at].at_ms;
        self.history.records.insert(at, Record { at_ms, device, what });
    }

    /// What is said of all when nobody begins anything new.
    pub(crate) fn calm(&self) -> usize {
        let mut records = self.history.records.iter();
        records
            .position(|record| record.what == What::Calm)
            .expect("it came to calm")
    }

    pub(crate) fn judged(&self, stage: Stage) -> Vec<Violation> {
        judge(&self.history, &self.tables, stage)
    }

    /// Holds against the run that these, and no others, are its kinds of violation when all has settled.
    #[track_caller]
    pub(crate) fn is(&self, promise: Promise, harm: Harm) -> Violation {
        let found = self.judged(Stage::Settled);
        assert!(!found.is_empty(), "nothing was found");
        for violation in &found {
            assert_eq!((violation.promise, violation.harm), (promise, harm), "{found:#?}");
        }
        found[0].clone()
    }

    /// As [`is`](Self::is), also while everybody is at it.
    #[track_caller]
    pub(crate) fn is_at_once(&self, promise: Promise, harm: Harm) -> Violation {
        for violation in self.judged(Stage::Running) {
            assert_eq!((violation.promise, violation.harm), (promise, harm));
        }
        assert!(
            !self.judged(Stage::Running).is_empty(),
            "nothing was found while running"
        );
        self.is(promise, harm)
    }

    /// As [`is`](Self::is), but not while everybody is at it: it may still come right.
    #[track_caller]
    pub(crate) fn is_in_the_end(&self, promise: Promise, harm: Harm) -> Violation {
        assert_eq!(self.judged(Stage::Running), []);
        self.is(promise, harm)
    }
}

/// A run in which nothing is wrong and everything occurs:
///
/// - `m1` and `m2` from `u1.a` to u2; `m3` from the raw `u3.a` to u1, repeated and answered again
/// - `m4` and `m5` in the group; u4 joins it: `m6`; u3 leaves it: `m7`, and `m8` of u3 is refused; u4 leaves it, and is refused `m9`; u3 comes
///   back, and u4 at the same time: `m10`, and both go again; `m24` of u4 is refused
/// - `m11` and `m12` in the super group; u4 is removed from it: `m13`, and comes back: `m14`
/// - `m15` stands though it was given up, and behind `m23`, which was sent later; and `m16` only in its log; `m17` was never seen again
/// - `m18` was accepted while u3 left, `m19` while its sender did
/// - `m22` was forgotten when its device was installed anew
/// - `m20` and `m21` in both groups in the end; a group of which nobody knows
/// - u4.a is installed anew, u2.a crashes
/// - from `m100` on: the roll call
pub(crate) fn everything() -> Run {
    let mut run = settled();
    roll_call(&mut run);
    run
}

/// The same without the roll call.
pub(crate) fn settled() -> Run {
    let mut run = Run::default();
    run.history.super_groups.push(SUPER);
    let [u1, u2, u4] = [(1, "u1.a"), (2, "u2.a"), (4, "u4.a")].map(|(user, name)| run.device(user, name, Kind::Sdk));
    let u3 = run.device(3, "u3.a", Kind::Raw);
    let (group, large) = (Conversation::Group(GROUP), Conversation::Group(SUPER));
    run.change(GROUP, GroupChangeType::Created, 1, &[1, 2, 3]);
    run.change(SUPER, GroupChangeType::Created, 1, &[1, 2, 4]);
    for group in [GROUP, SUPER] {
        run.promote(group, 2);
    }
    between_two(&mut run, u1, u2, u3);
    in_a_group(&mut run, u1, u2, u3, u4);
    in_a_super_group(&mut run, u1, u2, u4);
    for user in 1..=4 {
        run.seal(inbox(user));
    }
    run.sync(u2);
    run.on(u2, What::Crashed);
    run.on(u2, What::Started);
    run.on(u2, What::Connected);
    run.sync(u4);
    run.send(u4, 22, large);
    run.reinstall(u4);
    run.sync(u4);
    unanswered(&mut run, u2);
    run.founded_in_vain();
    run.sends(u1, 20, group);
    run.sends(u1, 21, large);
    for log in [group, large] {
        run.seal(Place::Log(log));
    }
    in_the_end(&mut run, &[u1, u2, u4]);
    run
}

fn between_two(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex, u3: DeviceIndex) {
    run.sends(u1, 1, Conversation::Pair(1, 2));
    run.seal(pair(1, 2));
    run.sync(u2);
    run.sends(u1, 2, Conversation::Pair(1, 2));
    let answer = run.sends(u3, 3, Conversation::Pair(1, 3));
    run.acknowledge(u3, 3, answer);
    run.push(u3);
    run.sync_by_hand(u3);
}

fn in_a_group(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex, u3: DeviceIndex, u4: DeviceIndex) {
    let group = Conversation::Group(GROUP);
    run.sends(u2, 4, group);
    run.push(u3);
    run.sends(u2, 5, group);
    run.change(GROUP, GroupChangeType::MembersAdded, 1, &[4]);
    run.sends(u1, 6, group);
    // It takes its place before u3 leaves, and is acknowledged after that.
    run.send(u1, 18, group);
    let answer = run.accept(u1, 18, group);
    run.change(GROUP, GroupChangeType::MemberLeft, 3, &[3]);
    run.acknowledge(u1, 18, answer);
    run.push(u3);
    run.sends(u1, 7, group);
    run.refused(u3, 8, group);
    // Claimed before its sender leaves, finished after that.
    run.send(u4, 19, group);
    run.change(GROUP, GroupChangeType::MemberLeft, 4, &[4]);
    let mut answer = run.accept(u4, 19, group);
    let said = run.at(GROUP_LOG, 19).1;
    answer.seq = run.copy(4, &said);
    run.acknowledge(u4, 19, answer);
    run.refused(u4, 9, group);
    // u4 comes back too, begun before that and made after it.
    let (user, turn) = (4, Turn::Joins);
    run.note(What::Change {
        group: GROUP,
        user,
        turn,
    });
    run.change(GROUP, GroupChangeType::MembersAdded, 1, &[3]);
    run.changes(GROUP, GroupChangeType::MembersAdded, 1, &[4]);
    run.note(What::Changed {
        group: GROUP,
        user,
        turn,
    });
    run.sends(u3, 10, group);
    run.change(GROUP, GroupChangeType::MembersRemoved, 1, &[3]);
    run.change(GROUP, GroupChangeType::MemberLeft, 4, &[4]);
    run.refused(u4, 24, group);
    run.sync_by_hand(u3);
    run.pull(u3, GROUP_LOG, &[4, 5, 18, 10]);
    run.on(
        u3,
        What::Denied {
            group: SUPER,
            code: 1213,
        },
    );
    run.seal(GROUP_LOG);
}

fn in_a_super_group(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex, u4: DeviceIndex) {
    let large = Conversation::Group(SUPER);
    run.sends(u1, 11, large);
    run.seal(SUPER_LOG);
    run.sends(u2, 12, large);
    run.sync(u4);
    run.change(SUPER, GroupChangeType::MembersRemoved, 1, &[4]);
    run.sends(u2, 13, large);
    run.change(SUPER, GroupChangeType::MembersAdded, 1, &[4]);
    run.sends(u1, 14, large);
    run.sync(u1);
}

fn unanswered(run: &mut Run, u2: DeviceIndex) {
    let give_up = |run: &mut Run, number| {
        let message = token(number);
        let reason = "its numbering was lost".to_owned();
        run.on(u2, What::GivenUp { message, reason });
    };
    run.send(u2, 15, Conversation::Pair(1, 2));
    give_up(run, 15);
    run.sends(u2, 23, Conversation::Pair(1, 2));
    run.accept(u2, 15, Conversation::Pair(1, 2));
    run.send(u2, 16, Conversation::Pair(2, 3));
    let said = run.said(u2, 16, Conversation::Pair(2, 3));
    run.log(&said);
    run.seal(pair(2, 3));
    give_up(run, 16);
    run.send(u2, 17, Conversation::Pair(2, 3));
    give_up(run, 17);
}

fn in_the_end(run: &mut Run, sdk: &[DeviceIndex]) {
    run.note(What::Calm);
    let raw = run.named("u3.a");
    let reason = "to connect anew".to_owned();
    run.on(raw, What::Disconnected { reason });
    run.on(raw, What::Connected);
    run.seal(inbox(1));
    for &device in sdk {
        run.sync(device);
    }
    for user in 1..=4 {
        let device = run.device(user, &format!("u{user}.fresh"), Kind::Fresh);
        run.sync(device);
        run.on(device, What::Left);
    }
    run.note(What::Settled);
}

fn roll_call(run: &mut Run) {
    let (caller, raw) = (run.named("u1.a"), run.named("u3.a"));
    for user in 2..=4 {
        let number = 100 + user;
        let message = token(number);
        // The first attempt is refused for being too fast.
        run.seal(inbox(user));
        run.sends(caller, number, Conversation::pair(1, user));
        run.note(What::RollCall { message, user });
        if user == 3 {
            run.push(raw);
        }
    }
    run.sends(caller, 90, Conversation::Group(SUPER));
    run.note(What::RollCalled);
}
