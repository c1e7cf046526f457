//! What a system without faults does with messages and changes.

use super::*;

/// Whether a change makes its users members or ends that.
fn turn(kind: GroupChangeType) -> Turn {
    match kind {
        GroupChangeType::Created | GroupChangeType::MembersAdded => Turn::Joins,
        _ => Turn::Leaves,
    }
}

impl Run {
    /// Reserves a seq and stores a row there.
    pub(super) fn put(&mut self, key: TimelineKey, row: impl FnOnce(u64) -> Row) -> u64 {
        let timeline = self.tables.timelines.entry(key).or_default();
        timeline.counter += 1;
        timeline.rows.insert(timeline.counter, row(timeline.counter));
        timeline.counter
    }

    /// Stores a seal at the next seq.
    pub(super) fn seal(&mut self, key: TimelineKey) -> u64 {
        self.put(key, |_| Row::Seal)
    }

    pub(super) fn copy(&mut self, user: UserId, observed: &Observed) -> u64 {
        let observed = observed.clone();
        self.put(inbox(user), |seq| Row::Entry(Observed { seq, ..observed }))
    }

    pub(super) fn log(&mut self, observed: &Observed) -> Observed {
        let mut logged = observed.clone();
        self.put(TimelineKey::Log(observed.conversation), |conversation_seq| {
            logged.conversation_seq = conversation_seq;
            Row::Entry(logged.clone())
        });
        logged
    }

    pub(super) fn observed(&mut self, device: DeviceIndex, number: u64, conversation: Conversation) -> Observed {
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

    pub(super) fn send(&mut self, device: DeviceIndex, number: u64, to: Conversation) {
        let message = token(number);
        self.on(device, Event::Send { message, to });
    }

    /// Stores a message and its copies, and returns the answer.
    pub(super) fn accept(&mut self, device: DeviceIndex, number: u64, to: Conversation) -> Answer {
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

    pub(super) fn acknowledge(&mut self, device: DeviceIndex, number: u64, answer: Answer) {
        let message = token(number);
        self.on(device, Event::Acknowledged { message, answer });
    }

    /// Sends a message that is accepted and acknowledged.
    pub(super) fn sends(&mut self, device: DeviceIndex, number: u64, to: Conversation) -> Answer {
        self.send(device, number, to);
        let answer = self.accept(device, number, to);
        self.acknowledge(device, number, answer);
        answer
    }

    pub(super) fn refused(&mut self, device: DeviceIndex, number: u64, to: Conversation, code: u32) {
        self.send(device, number, to);
        let message = token(number);
        self.on(device, Event::Refused { message, code });
    }

    /// Creates a group. The first user is its owner.
    pub(super) fn found(&mut self, group: GroupId, is_super: bool, users: &[UserId]) {
        self.note(Event::Founded { group, is_super });
        let key = TimelineKey::Log(Conversation::Group(group));
        let log = self.tables.timelines.entry(key).or_default();
        log.super_after = is_super.then_some(0);
        self.change(group, GroupChangeType::Created, users[0], users);
    }

    /// Changes a setting of a group. `meanwhile` happens before the announcement.
    pub(super) fn becomes(&mut self, group: GroupId, setting: Setting, is_on: bool, meanwhile: impl FnOnce(&mut Self)) {
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

    /// Stores an announcement of the owner, with copies for these users.
    pub(super) fn tell(&mut self, group: GroupId, kind: GroupChangeType, users: &[UserId], told: &[UserId]) {
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

    /// Makes users members, or ends that.
    pub(super) fn change(&mut self, group: GroupId, kind: GroupChangeType, actor: UserId, users: &[UserId]) {
        let turn = turn(kind);
        for &user in users {
            self.note(Event::Change { group, user, turn });
        }
        self.changes(group, kind, actor, users);
        for &user in users {
            self.note(Event::Changed { group, user, turn });
        }
    }

    /// Stores the announcement of a change and its copies.
    pub(super) fn changes(&mut self, group: GroupId, kind: GroupChangeType, actor: UserId, users: &[UserId]) {
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

    /// Makes a member an admin. In a super group they have a copy of the announcement, but their
    /// devices get it by the log.
    pub(super) fn promote(&mut self, group: GroupId, user: UserId) {
        let told = match self.super_after(group) {
            Some(_) => vec![user],
            None => self.members[&group].iter().copied().collect(),
        };
        self.tell(group, GroupChangeType::Role, &[user], &told);
    }

    /// Creates a group without an answer. Nobody knows its id or reads its log, which has a hole.
    pub(super) fn create_orphan_group(&mut self) {
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
}
