//! Finds parts of a run, alters it in one place, and checks what the judge finds.

use super::*;

impl Run {
    /// Whether a message is in a timeline.
    pub(crate) fn holds(&self, key: TimelineKey, number: u64) -> bool {
        let mut entries = self.tables.timelines[&key].entries();
        entries.any(|(_, observed)| observed.token == Some(token(number)))
    }

    /// The seq of a message in a timeline, and the message.
    pub(crate) fn at(&self, key: TimelineKey, number: u64) -> (u64, Observed) {
        let timeline = &self.tables.timelines[&key];
        let mut entries = timeline.entries();
        let entry = entries.find(|(_, observed)| observed.token == Some(token(number)));
        let (seq, observed) = entry.unwrap_or_else(|| panic!("m{number} is not in {key}"));
        (seq, observed.clone())
    }

    /// The last announcement about a user in a timeline, with its seq.
    pub(crate) fn announced(&self, key: TimelineKey, group: GroupId, user: UserId) -> (u64, Observed) {
        let timeline = &self.tables.timelines[&key];
        let is_it = |observed: &Observed| {
            let about = observed.change.as_ref().is_some_and(|(_, users)| users.contains(&user));
            observed.conversation == Conversation::Group(group)
                && observed.change.is_some()
                && (about || observed.sender == user)
        };
        let entry = timeline.entries().filter(|(_, observed)| is_it(observed)).last();
        let (seq, observed) = entry.expect("it was announced");
        (seq, observed.clone())
    }

    /// The first seal of an inbox, or the last one of a log.
    pub(crate) fn sealed(&self, key: TimelineKey) -> u64 {
        let rows = &self.tables.timelines[&key].rows;
        let mut seals = rows.iter().filter(|(_, row)| **row == Row::Seal);
        let seal = match key {
            TimelineKey::Inbox(_) => seals.next(),
            TimelineKey::Log(_) => seals.next_back(),
        };
        *seal.unwrap_or_else(|| panic!("{key} has no seal")).0
    }

    pub(crate) fn set(&mut self, key: TimelineKey, seq: u64, row: Row) {
        self.timeline(key).rows.insert(seq, row);
    }

    /// A timeline, which exists.
    pub(crate) fn timeline(&mut self, key: TimelineKey) -> &mut Timeline {
        let timeline = self.tables.timelines.get_mut(&key);
        timeline.expect("there is such a timeline")
    }

    /// Replaces an entry by a seal. No device got it.
    pub(crate) fn forget(&mut self, key: TimelineKey, seq: u64) {
        self.set(key, seq, Row::Seal);
        let devices = self.history.devices.clone();
        self.history.records.retain(|record| {
            let (Event::Came { observed, .. }, Some(device)) = (&record.event, record.device) else {
                return true;
            };
            match key {
                TimelineKey::Inbox(user) => devices[device].user != user || observed.seq != seq,
                TimelineKey::Log(conversation) => {
                    observed.seq > 0 || observed.conversation != conversation || observed.conversation_seq != seq
                }
            }
        });
    }

    /// Replaces the first seal of an inbox by a copy. All SDK devices of the user got it.
    pub(crate) fn add(&mut self, user: UserId, observed: &Observed) {
        let seq = self.sealed(inbox(user));
        let observed = Observed {
            seq,
            ..observed.clone()
        };
        self.set(inbox(user), seq, Row::Entry(observed.clone()));
        let devices = self.history.devices.clone();
        let mut awaited: BTreeSet<DeviceIndex> = BTreeSet::new();
        let mut records = Vec::new();
        for record in std::mem::take(&mut self.history.records) {
            if let Some(device) = record.device.filter(|device| devices[*device].user == user) {
                if record.event == Event::Installed && devices[device].kind != DeviceKind::Raw {
                    awaited.insert(device);
                }
                let passes = match &record.event {
                    Event::Came {
                        by: Channel::Inbox,
                        observed,
                    } => observed.seq > seq,
                    Event::Cursor { seq: cursor } => *cursor >= seq,
                    _ => false,
                };
                if passes && awaited.remove(&device) {
                    let (by, observed) = (Channel::Inbox, observed.clone());
                    let event = Event::Came { by, observed };
                    records.push(Record {
                        event,
                        ..record.clone()
                    });
                }
            }
            records.push(record);
        }
        self.history.records = records;
    }

    /// Alters a message in some timelines, and on the devices that got it from there.
    pub(crate) fn rewrite(&mut self, keys: &[TimelineKey], number: u64, change: impl Fn(&mut Observed)) {
        for key in keys {
            let seq = self.at(*key, number).0;
            if let Some(Row::Entry(observed)) = self.timeline(*key).rows.get_mut(&seq) {
                change(observed);
            }
            for record in &mut self.history.records {
                let user = record.device.map(|device| self.history.devices[device].user);
                if let Event::Came { observed, .. } = &mut record.event {
                    let is_from_here = match *key {
                        TimelineKey::Inbox(owner) => user == Some(owner) && observed.seq == seq,
                        TimelineKey::Log(_) => observed.seq == 0,
                    };
                    if is_from_here && observed.token == Some(token(number)) {
                        change(observed);
                    }
                }
            }
        }
    }

    /// The index of the first record of this kind on a device.
    pub(crate) fn find(&self, device: &str, mut is_it: impl FnMut(&Event) -> bool) -> usize {
        let device = self.named(device);
        let mut records = self.history.records.iter();
        let found = records.position(|record| record.device == Some(device) && is_it(&record.event));
        found.expect("there is such a record")
    }

    /// A device by its name.
    pub(crate) fn named(&self, name: &str) -> DeviceIndex {
        let mut devices = self.history.devices.iter();
        devices
            .position(|device| device.name == name)
            .expect("there is such a device")
    }

    /// The index of the record of a message that came to a device.
    pub(crate) fn came(&self, device: &str, by: Channel, number: u64) -> usize {
        self.find(device, |event| match event {
            Event::Came { by: way, observed } => *way == by && observed.token == Some(token(number)),
            _ => false,
        })
    }

    /// Removes everything that a device saw from a record on.
    pub(crate) fn cut(&mut self, device: &str, from: usize) {
        let device = self.named(device);
        let mut at = 0;
        self.history.records.retain(|record| {
            at += 1;
            let sees = matches!(
                record.event,
                Event::Came { .. } | Event::Cursor { .. } | Event::GroupCursor { .. }
            );
            at <= from || record.device != Some(device) || !sees
        });
    }

    /// Inserts a record before another.
    pub(crate) fn insert(&mut self, at: usize, device: &str, event: Event) {
        let device = Some(self.named(device));
        let at_ms = self.history.records[at].at_ms;
        self.history.records.insert(at, Record { at_ms, device, event });
    }

    /// The index of the record that says that the faults stop.
    pub(crate) fn calm(&self) -> usize {
        let mut records = self.history.records.iter();
        records
            .position(|record| record.event == Event::Calm)
            .expect("it came to calm")
    }

    pub(crate) fn judged(&self, stage: Stage) -> Vec<Violation> {
        judge(&self.history, &self.tables, stage)
    }

    /// Asserts that the settled run has violations of this kind and of no other.
    #[track_caller]
    pub(crate) fn breaks(&self, promise: Promise, harm: Harm) -> Violation {
        let found = self.judged(Stage::Settled);
        assert!(!found.is_empty(), "nothing was found");
        for violation in &found {
            assert_eq!((violation.promise, violation.harm), (promise, harm), "{found:#?}");
        }
        found[0].clone()
    }

    /// Like [`breaks`](Self::breaks), also while the workload goes on.
    #[track_caller]
    pub(crate) fn breaks_at_once(&self, promise: Promise, harm: Harm) -> Violation {
        for violation in self.judged(Stage::Running) {
            assert_eq!((violation.promise, violation.harm), (promise, harm));
        }
        assert!(
            !self.judged(Stage::Running).is_empty(),
            "nothing was found while running"
        );
        self.breaks(promise, harm)
    }

    /// Like [`breaks`](Self::breaks), but not while the workload goes on: it may still come right.
    #[track_caller]
    pub(crate) fn breaks_in_the_end(&self, promise: Promise, harm: Harm) -> Violation {
        assert_eq!(self.judged(Stage::Running), []);
        self.breaks(promise, harm)
    }
}
