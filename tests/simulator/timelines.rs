//! One timeline under many small schedules: writers that reserve and put, readers that keep a cursor and give up any hole at
//! any moment, and others who seal whatever seq was reserved. Any call may be lost or late; any writer may die between two
//! calls, or be held up until all around it is sealed, or for ever. This is what everything else rests on, and nothing but
//! it: after each schedule the table is held against what was seen on the way.
//!
//! Two thousand schedules are run, each of about twenty calls and twelve milliseconds of processor time, as `time` says of
//! this test alone. Of a call some four fifths are the SDK's way to the engine and back, which tests take unoptimised but
//! for its runtime. How a failure is told and kept, [`property`](crate::property) says.
//!
//! A check that cannot fail is worthless. These bugs were planted in the store, one at a time, and taken out again, with
//! `WIGWAG_SCHEDULES=0`. The steps are those of the first schedule that found it, as drawn and as shown:
//!
//! | Bug | Of 1000 seeds, find it | Steps |
//! |---|---|---|
//! | `put_overwrites`: a put has no condition | 313 | 13, 3 |
//! | `no_seal_check`: an entry replaces a seal | 319 | 13, 3 |
//! | `sealed_is_fine`: a put that met a seal says that the entry stands | 304 | 13, 3 |
//! | `seal_over_entry`: a seal has no condition | 348 | 10, 2 |
//! | `pass_holes`: a page's cursor goes to its last row | 43 | 13, 4 |
//! | `seal_hides_entry`: a reader takes a hole for sealed where a writer was faster | 113 | 24, 2 |
//! | `seal_unasked`: a reader passes a dead hole, and puts no seal there | 547 | 13, 1 |
//! | `read_then_write`: a reservation reads the counter and then sets it | 500 | 23, 0 |

use crate::dice::Dice;
use crate::harness::{Engine, LATER, NOW};
use crate::property::{Property, Run};
use crate::scheduler::{Effect, Fate, Scheduler};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use wigwag_store::timeline::{Content, Entry, Missing, Page, Put, Range};
use wigwag_store::{DeviceKey, MessageKey, Store, StoreError, TimelineId};

/// Most steps before the faults stop.
const STEPS: usize = 50;
/// Most reads, once they have stopped, until a reader is at the end.
const LAST_READS: usize = 5;
const READERS: usize = 2;

/// An entry: whose, and which of theirs.
type What = (u8, u8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Writer(u8),
    Reader(usize),
    Sealer(u32),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writer(number) => write!(f, "writer {number}"),
            Self::Reader(number) => write!(f, "reader {number}"),
            Self::Sealer(number) => write!(f, "sealer {number}"),
        }
    }
}

enum End {
    Wrote(Result<(), StoreError>),
    Read(Result<Option<Page>, StoreError>),
    Sealed(u64, Result<Option<Entry>, StoreError>),
}

/// Writes its entries one after the other.
struct Writer {
    number: u8,
    entries: u8,
    /// How many seqs it reserves at once.
    at_once: usize,
    store: Store,
    told: Rc<RefCell<Told>>,
}

/// What writers were told.
#[derive(Default)]
struct Told {
    /// The highest seq that somebody knows to be reserved.
    reserved: u64,
    /// Which entries stand, and where.
    acknowledged: Vec<(What, u64)>,
}

impl Writer {
    async fn run(self) -> Result<(), StoreError> {
        let entries: Vec<u8> = (1..=self.entries).collect();
        for entries in entries.chunks(self.at_once) {
            let n = entries.len() as u64;
            let last = self.reserve(n).await?;
            for (&entry, seq) in entries.iter().zip(last + 1 - n..) {
                self.put((self.number, entry), seq).await?;
            }
        }
        Ok(())
    }

    /// A reservation whose answer is lost is left to whoever seals it.
    async fn reserve(&self, n: u64) -> Result<u64, StoreError> {
        loop {
            let head = self.store.reserve(&timeline(), n, Missing::Create, NOW).await;
            if let Some(head) = unless_lost(head)? {
                let seq = head.expect("it is made").seq;
                let mut told = self.told.borrow_mut();
                told.reserved = told.reserved.max(seq);
                return Ok(seq);
            }
        }
    }

    async fn put(&self, what: What, mut seq: u64) -> Result<(), StoreError> {
        loop {
            match unless_lost(self.store.put(&timeline(), seq, &entry(what)).await)? {
                Some(Put::Stands) => {
                    self.told.borrow_mut().acknowledged.push((what, seq));
                    return Ok(());
                }
                Some(Put::Sealed) => seq = self.reserve(1).await?,
                Some(Put::Differs(there)) => panic!("{what:?} says something else at {seq}: {there:?}"),
                None => {}
            }
        }
    }
}

/// `None`: the answer was lost.
fn unless_lost<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if error.is_retryable() => Ok(None),
        result => result.map(Some),
    }
}

fn timeline() -> TimelineId {
    TimelineId::peer(1, 2)
}

fn entry((writer, number): What) -> Entry {
    let key = MessageKey {
        sender: u64::from(writer),
        device: DeviceKey::of(1, "phone"),
        session: 1,
        client_id: u64::from(number),
    };
    Entry::new(&key, NOW, Content::Inline(vec![writer, number]))
}

fn what(bytes: &[u8]) -> What {
    (bytes[0], bytes[1])
}

#[derive(Default)]
struct Reader {
    cursor: u64,
    /// What its cursor has passed.
    passed: Vec<(u64, What)>,
}

struct World {
    dice: Dice,
    store: Store,
    scheduler: Scheduler<Name, End>,
    /// Entries of each writer that has not died.
    alive: BTreeMap<u8, u8>,
    readers: [Reader; READERS],
    told: Rc<RefCell<Told>>,
    /// Writers that get no turns.
    held_up: Vec<Name>,
    sealers: u32,
    /// Seqs of which somebody was told that no entry will ever stand there.
    sealed: BTreeSet<u64>,
    errors: Vec<String>,
}

impl World {
    /// Two or three writers with one to three entries each.
    fn new(mut dice: Dice, engine: &Engine) -> Self {
        let mut scheduler = Scheduler::new(engine.clone());
        let (store, told) = (scheduler.store(), Rc::default());
        let mut alive = BTreeMap::new();
        for number in 1..=dice.random_range(2..=3) {
            let writer = Writer {
                number,
                entries: dice.random_range(1..=3),
                at_once: dice.random_range(1..=2),
                store: store.clone(),
                told: Rc::clone(&told),
            };
            alive.insert(number, writer.entries);
            scheduler.start(Name::Writer(number), async move { End::Wrote(writer.run().await) });
        }
        Self {
            dice,
            store,
            scheduler,
            alive,
            readers: Default::default(),
            told,
            held_up: Vec::new(),
            sealers: 0,
            sealed: BTreeSet::new(),
            errors: Vec::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            let is_held_up = |name: &Name| self.held_up.contains(name);
            if self.writers().iter().all(is_held_up) || !self.dice.next_step() {
                break;
            }
            self.step();
        }
        self.finish();
    }

    fn step(&mut self) {
        match self.dice.random_range(0..100) {
            0..68 => self.grant(Fate::Done),
            68..78 => self.read(),
            78..84 => self.seal(),
            84..92 => {
                let fate = match self.dice.random_range(0..4) {
                    0 => Fate::Throttled,
                    _ => Fate::Lost(Effect::any(&mut self.dice)),
                };
                self.grant(fate);
            }
            92..95 => self.kill(),
            _ => self.hold_up(),
        }
    }

    fn writers(&self) -> Vec<Name> {
        let mut writers = self.scheduler.running();
        writers.retain(|name| matches!(name, Name::Writer(_)));
        writers
    }

    /// Gives one of the calls its turn.
    fn grant(&mut self, fate: Fate) {
        let held_up = self.held_up.clone();
        self.grant_one_of(|name| !held_up.contains(&name), fate);
    }

    fn grant_one_of(&mut self, which: impl Fn(Name) -> bool, fate: Fate) -> bool {
        let waiting = self.scheduler.waiting();
        let places: Vec<usize> = (0..waiting.len()).filter(|&place| which(waiting[place])).collect();
        let place = places.choose(&mut self.dice);
        if let Some(&place) = place {
            self.scheduler.grant(place, fate);
            self.judge();
        }
        place.is_some()
    }

    /// Gives all calls of these their turns, until none is left.
    fn run_out(&mut self, which: impl Fn(Name) -> bool) {
        while self.grant_one_of(&which, Fate::Done) {}
    }

    /// Starts the next read of a reader. Every other one gives up every hole: its clock is far ahead.
    fn read(&mut self) {
        let reader = self.dice.random_range(0..READERS);
        let now_ms = [NOW, LATER][self.dice.random_range(0..2)];
        let limit = self.dice.random_range(1..=5);
        if !self.scheduler.is_running(Name::Reader(reader)) {
            self.read_page(reader, limit, now_ms);
        }
    }

    fn read_page(&mut self, reader: usize, limit: u32, now_ms: i64) {
        let (store, after) = (self.store.clone(), self.readers[reader].cursor);
        let range = Range {
            after,
            through: None,
            limit,
        };
        self.scheduler.start(Name::Reader(reader), async move {
            End::Read(store.read(&timeline(), range, now_ms).await)
        });
    }

    /// Seals a seq of which somebody knows that it is reserved.
    fn seal(&mut self) {
        let reserved = self.told.borrow().reserved;
        if reserved > 0 {
            self.sealers += 1;
            let (store, seq) = (self.store.clone(), self.dice.random_range(1..=reserved));
            self.scheduler.start(Name::Sealer(self.sealers), async move {
                End::Sealed(seq, store.seal(&timeline(), seq, NOW).await)
            });
        }
    }

    fn kill(&mut self) {
        if let Some(&name) = self.writers().choose(&mut self.dice) {
            self.kill_writer(name);
        }
    }

    fn kill_writer(&mut self, name: Name) {
        self.alive.retain(|&number, _| Name::Writer(number) != name);
        self.scheduler.kill(name, &mut self.dice);
    }

    fn hold_up(&mut self) {
        let mut writers = self.writers();
        writers.retain(|name| !self.held_up.contains(name));
        if let Some(&name) = writers.choose(&mut self.dice) {
            self.scheduler.note(&format_args!("{name} is held up"));
            self.held_up.push(name);
        }
    }

    /// The faults stop. Of those that were held up some never go on, the others when a reader has given up every hole.
    fn finish(&mut self) {
        self.dice.end();
        self.scheduler.note(&"the faults stop");
        let mut held_up = std::mem::take(&mut self.held_up);
        held_up.retain(|&name| {
            let goes_on = self.scheduler.is_running(name) && self.dice.random_ratio(2, 3);
            if !goes_on {
                self.kill_writer(name);
            }
            goes_on
        });
        self.run_out(|name| !held_up.contains(&name));
        if !held_up.is_empty() {
            self.catch_up(0);
            self.run_out(|_| true);
        }
        for reader in 0..READERS {
            self.catch_up(reader);
        }
    }

    /// Reads to the end, and gives up every hole on the way.
    fn catch_up(&mut self, reader: usize) {
        for _ in 0..LAST_READS {
            self.read_page(reader, 100, LATER);
            self.run_out(|name| name == Name::Reader(reader));
            if self.readers[reader].cursor == self.told.borrow().reserved {
                return;
            }
        }
        self.errors
            .push(format!("liveness: reader {reader} does not come to the end"));
    }

    /// Takes the results of what has ended.
    fn judge(&mut self) {
        for (name, end) in self.scheduler.take_ended() {
            let error = match (name, end) {
                (Name::Reader(reader), End::Read(Ok(Some(page)))) => {
                    self.scheduler
                        .note(&format_args!("{name}: cursor {} of {}", page.cursor, page.max_seq));
                    self.keep(reader, &page);
                    None
                }
                (_, End::Sealed(seq, Ok(faster))) => {
                    if faster.is_none() {
                        self.sealed.insert(seq);
                    }
                    None
                }
                (_, End::Wrote(result)) => result.err(),
                (_, End::Read(result)) => result.err(),
                (_, End::Sealed(_, result)) => result.err(),
            };
            let corrupt = error.filter(|error| !error.is_retryable());
            self.errors.extend(corrupt.map(|error| format!("{name}: {error}")));
        }
    }

    /// What a page's cursor has passed will not come again.
    fn keep(&mut self, reader: usize, page: &Page) {
        let it = &mut self.readers[reader];
        let entries: BTreeMap<u64, What> = page.entries.iter().map(|(seq, entry)| (*seq, written(entry))).collect();
        for seq in it.cursor + 1..=page.cursor {
            match entries.get(&seq) {
                Some(&what) => it.passed.push((seq, what)),
                None => {
                    self.sealed.insert(seq);
                }
            }
        }
        it.cursor = page.cursor;
        // Seqs whose reservation lost its answer are found by readers alone.
        let mut told = self.told.borrow_mut();
        told.reserved = told.reserved.max(page.max_seq);
    }
}

fn written(entry: &Entry) -> What {
    match &entry.content {
        Content::Inline(bytes) => what(bytes),
        content @ Content::Reference { .. } => panic!("nobody wrote {content:?}"),
    }
}

/// What is broken at the end; nothing where all holds.
fn violations(world: &World, engine: &Engine) -> Vec<String> {
    let mut errors = world.errors.clone();
    let (counter, slots) = table(engine);
    let entries: Vec<(u64, What)> = slots.iter().filter_map(|(seq, what)| Some((*seq, (*what)?))).collect();
    if !slots.keys().copied().eq(1..=counter) {
        errors.push(format!("{counter} seqs are reserved, but {slots:?}"));
    }
    let told = world.told.borrow();
    for (what, seq) in &told.acknowledged {
        if !entries.contains(&(*seq, *what)) {
            errors.push(format!("{what:?} is acknowledged at {seq}, but {slots:?}"));
        }
    }
    let different: BTreeSet<What> = entries.iter().map(|(_, what)| *what).collect();
    if different.len() < entries.len() {
        errors.push(format!("an entry stands twice: {entries:?}"));
    }
    for (number, reader) in world.readers.iter().enumerate() {
        if reader.passed != entries {
            errors.push(format!(
                "the cursor of reader {number} passed {:?}, but {slots:?}",
                reader.passed
            ));
        }
    }
    for seq in &world.sealed {
        if slots.get(seq) != Some(&None) {
            errors.push(format!("{seq} was sealed, but {slots:?}"));
        }
    }
    for (writer, written) in &world.alive {
        let acknowledged = told.acknowledged.iter().filter(|((by, _), _)| by == writer).count();
        if acknowledged != usize::from(*written) {
            errors.push(format!(
                "liveness: writer {writer} wrote {acknowledged} of {written} entries"
            ));
        }
    }
    errors
}

/// The timeline as the table has it: its counter, and what stands at each seq; `None` is a seal.
fn table(engine: &Engine) -> (u64, BTreeMap<u64, Option<What>>) {
    let number = |value: &Value| value["N"].as_str().unwrap_or("0").parse::<u64>().unwrap();
    let (mut counter, mut slots) = (0, BTreeMap::new());
    for item in engine.items("timelines") {
        match number(&item["n"]) {
            0 => counter = number(&item["c"]),
            seq => {
                let message = item["m"]["B"].as_str().map(|message| BASE64.decode(message).unwrap());
                slots.insert(seq, message.map(|message| what(&message)));
            }
        }
    }
    (counter, slots)
}

fn property() -> Property<()> {
    Property {
        seeds: include_str!("seeds/timelines.txt"),
        fixed: 0..1_000,
        new: 1_000,
        sizes: vec![()],
        shrinking: 1_000,
        run,
    }
}

fn run(dice: Dice, (): ()) -> Run {
    let engine = Engine::start();
    let mut world = World::new(dice, &engine);
    world.run();
    Run {
        violations: violations(&world, &engine),
        trace: world.scheduler.into_trace(),
        record: world.dice.into_record(),
    }
}

#[test]
fn whoever_dies_at_whatever_moment_an_acknowledged_entry_stands_once_and_no_cursor_misses_it() {
    property().check();
}

#[test]
fn a_seed_is_a_schedule() {
    property().seeds_are_schedules(0..20);
}
