//! Where things are in a run, and how to alter it in one place.

use super::*;

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
