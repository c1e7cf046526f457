//! Who takes part in a schedule: devices that send and repeat, attempts to send that die, readers that keep a cursor.

use crate::harness::{LATER, NOW};
use crate::scheduler::{Effect, Fate, Scheduler};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::fmt;
use wigwag_protocol::pb::Message;
use wigwag_protocol::{Code, Encoding};
use wigwag_store::messages::HistoryRange;
use wigwag_store::send::{MessagesFrom, Outgoing, SendError, Sent};
use wigwag_store::{DeviceKey, MessageKey, Store, StoreError, UserId};

/// Attempts at one device's messages that run at once.
const ATTEMPTS_AT_ONCE: usize = 3;
/// Attempts at one message while there are faults.
const TRIES: u32 = 12;
/// Attempts at one message without faults, after which it must be acknowledged.
const LAST_TRIES: u32 = 5;

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Attempt { device: usize, client_id: u64, number: u32 },
    Read { reader: usize, number: u32 },
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt {
                device,
                client_id,
                number,
            } => write!(f, "device {device} message {client_id} attempt {number}"),
            Self::Read { reader, number } => write!(f, "reader {reader} read {number}"),
        }
    }
}

/// How it ends.
#[derive(Debug)]
pub(crate) enum End {
    Attempt(Box<Result<Sent, SendError>>),
    Read(Result<Read, StoreError>),
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) struct Read {
    messages: Vec<(u64, Message)>,
    cursor: u64,
    max_seq: u64,
}

/// Where a message was said to stand: in its sender's inbox, in its receiver's, and the message itself.
pub(crate) type Answer = (u64, u64, Message);

/// A device that sends its messages 1, 2, 3 … with one in flight.
pub(crate) struct Device {
    pub(crate) user: UserId,
    pub(crate) receiver: UserId,
    pub(crate) session: u64,
    key: DeviceKey,
    /// How many it has to send.
    pub(crate) messages: u64,
    /// The last that it began.
    begun: u64,
    /// Attempts at that one.
    tries: u32,
    /// Whether its messages are too large for an inbox.
    large: bool,
    pub(crate) answers: BTreeMap<u64, Vec<Answer>>,
}

impl Device {
    fn outgoing(&self, client_id: u64) -> Outgoing {
        let key = MessageKey {
            sender: self.user,
            device: self.key.clone(),
            session: self.session,
            client_id,
        };
        let padding = if self.large { 1_000 } else { 0 };
        Outgoing {
            key,
            receiver: self.receiver,
            message_type: 1,
            content: format!("{} {client_id}{:padding$}", self.session, "").into_bytes(),
        }
    }

    fn is_answered(&self) -> bool {
        self.begun == 0 || self.answers.contains_key(&self.begun)
    }

    fn is_done(&self) -> bool {
        self.begun == self.messages && self.is_answered()
    }
}

/// The timeline that a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeline {
    Inbox(UserId),
    Log,
}

impl Timeline {
    /// Its key.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Inbox(user) => format!("u{user}"),
            Self::Log => "p1-2".to_owned(),
        }
    }
}

/// Reads a timeline for ever, and keeps what its cursor has passed.
pub(crate) struct Reader {
    pub(crate) timeline: Timeline,
    cursor: u64,
    max_seq: u64,
    reads: u32,
    pub(crate) passed: Vec<(u64, Message)>,
}

impl Reader {
    fn of(timeline: Timeline) -> Self {
        Self {
            timeline,
            cursor: 0,
            max_seq: 0,
            reads: 0,
            passed: Vec::new(),
        }
    }

    fn keep(&mut self, read: Read) {
        self.passed
            .extend(read.messages.into_iter().filter(|(seq, _)| *seq <= read.cursor));
        self.cursor = read.cursor;
        self.max_seq = read.max_seq;
    }
}

async fn read(store: Store, timeline: Timeline, after: u64, limit: u32, now_ms: i64) -> Result<Read, StoreError> {
    match timeline {
        Timeline::Inbox(user) => {
            let page = store.inbox(user, after, limit, Encoding::Protobuf, now_ms).await?;
            let page = page.expect("every user has an inbox");
            Ok(Read {
                messages: page
                    .messages
                    .into_iter()
                    .map(|message| (message.seq, message))
                    .collect(),
                cursor: page.cursor,
                max_seq: page.max_seq,
            })
        }
        Timeline::Log => {
            let range = HistoryRange {
                begin_seq: after + 1,
                end_seq: 0,
                limit,
                descending: false,
            };
            let page = store.history(1, 2, range, Encoding::Protobuf, now_ms).await?;
            Ok(Read {
                messages: page
                    .messages
                    .into_iter()
                    .map(|message| (message.conversation_seq, message))
                    .collect(),
                cursor: page.next_seq.checked_sub(1).unwrap_or(page.max_seq).max(after),
                max_seq: page.max_seq,
            })
        }
    }
}

/// All that takes part, and what went wrong so far.
pub(crate) struct World {
    rng: StdRng,
    store: Store,
    pub(crate) scheduler: Scheduler<Name, End>,
    pub(crate) devices: Vec<Device>,
    pub(crate) readers: Vec<Reader>,
    /// Whether readers give up any hole at any moment: their clock is far ahead. If not, nobody does until the end.
    impatient: bool,
    /// An attempt that hardly ever gets a turn.
    slow: Option<Name>,
    pub(crate) errors: Vec<String>,
}

impl World {
    /// Two devices with so many messages to send, of one user or of two.
    pub(crate) fn new(seed: u64, messages: [u64; 2], scheduler: Scheduler<Name, End>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let second_user = rng.random_range(1..=2);
        let mut device = |user: UserId, name: &str, session, messages| Device {
            user,
            receiver: 3 - user,
            session,
            key: DeviceKey::of(1, name),
            messages,
            begun: 0,
            tries: 0,
            large: rng.random_ratio(1, 4),
            answers: BTreeMap::new(),
        };
        Self {
            devices: vec![
                device(1, "phone", 10, messages[0]),
                device(second_user, "tablet", 20, messages[1]),
            ],
            readers: [Timeline::Log, Timeline::Inbox(1), Timeline::Inbox(2)]
                .map(Reader::of)
                .into(),
            impatient: seed.is_multiple_of(2),
            store: scheduler.store(),
            scheduler,
            rng,
            slow: None,
            errors: Vec::new(),
        }
    }

    /// Lets happen whatever a seed decides, until everything is sent or time is up; then without faults, to the end.
    pub(crate) fn run(&mut self) {
        for _ in 0..4_000 {
            if !self.errors.is_empty() || self.devices.iter().all(Device::is_done) {
                break;
            }
            self.step();
        }
        self.finish();
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..9 => self.send(),
            9..12 => self.kill(|name| matches!(name, Name::Attempt { .. })),
            12 => self.kill(|name| matches!(name, Name::Read { .. })),
            13 => {
                self.slow = self
                    .processes(|name| matches!(name, Name::Attempt { .. }))
                    .choose(&mut self.rng)
                    .copied()
            }
            14..18 => {
                let fate = match self.rng.random_range(0..4) {
                    0 => Fate::Throttled,
                    _ => Fate::Lost(Effect::any(&mut self.rng)),
                };
                self.grant(fate);
            }
            _ => self.grant(Fate::Done),
        }
        self.read_on();
    }

    /// Begins a device's next message, or tries once more the one that is not answered.
    fn send(&mut self) {
        let device = self.rng.random_range(0..self.devices.len());
        let alive = self.processes(|name| matches!(name, Name::Attempt { device: its, .. } if its == device));
        let it = &self.devices[device];
        if alive.len() < ATTEMPTS_AT_ONCE && !it.is_done() && (it.is_answered() || it.tries < TRIES) {
            self.attempt(device);
        }
    }

    fn attempt(&mut self, device: usize) -> Name {
        let it = &mut self.devices[device];
        if it.is_answered() {
            it.begun += 1;
            it.tries = 0;
        }
        it.tries += 1;
        let name = Name::Attempt {
            device,
            client_id: it.begun,
            number: it.tries,
        };
        let (store, out, now_ms) = (self.store.clone(), it.outgoing(it.begun), NOW + i64::from(it.tries));
        self.scheduler.start(name, async move {
            End::Attempt(Box::new(store.send(&out, MessagesFrom::Anyone, now_ms).await))
        });
        self.judge();
        name
    }

    /// Starts the next read of every reader that has ended its last one.
    fn read_on(&mut self) {
        for reader in 0..self.readers.len() {
            let number = self.readers[reader].reads;
            if !self.scheduler.is_running(Name::Read { reader, number }) {
                let gives_up = self.impatient && self.rng.random_ratio(1, 3);
                let limit = self.rng.random_range(1..=5);
                self.read(reader, limit, if gives_up { LATER } else { NOW });
            }
        }
    }

    fn read(&mut self, reader: usize, limit: u32, now_ms: i64) {
        let it = &mut self.readers[reader];
        it.reads += 1;
        let number = it.reads;
        let (store, timeline, cursor) = (self.store.clone(), it.timeline, it.cursor);
        self.scheduler.start(Name::Read { reader, number }, async move {
            End::Read(read(store, timeline, cursor, limit, now_ms).await)
        });
        self.judge();
    }

    /// Gives a call its turn. Attempts get three of four turns.
    fn grant(&mut self, fate: Fate) {
        let for_readers = self.rng.random_ratio(1, 4);
        let waiting = self.scheduler.waiting();
        let places: Vec<usize> = (0..waiting.len())
            .filter(|&place| matches!(waiting[place], Name::Read { .. }) == for_readers)
            .filter(|&place| Some(waiting[place]) != self.slow)
            .collect();
        if let Some(&place) = places.choose(&mut self.rng) {
            self.scheduler.grant(place, fate);
            self.judge();
        }
    }

    fn kill(&mut self, which: impl Fn(Name) -> bool) {
        if let Some(&name) = self.processes(which).choose(&mut self.rng) {
            self.scheduler.kill(name, &mut self.rng);
        }
    }

    /// Those that run, each once.
    fn processes(&self, which: impl Fn(Name) -> bool) -> Vec<Name> {
        self.scheduler
            .running()
            .into_iter()
            .filter(|&name| which(name))
            .collect()
    }

    /// The faults stop: clients try until they are answered, what is late takes effect, readers catch up.
    fn finish(&mut self) {
        self.scheduler.note(&"the faults stop");
        if self.rng.random_ratio(1, 2) {
            self.run_out(|name| matches!(name, Name::Attempt { .. }));
        }
        for device in 0..self.devices.len() {
            let mut tries = 0;
            while !self.devices[device].is_done() && self.errors.is_empty() {
                tries = if self.devices[device].is_answered() {
                    0
                } else {
                    tries + 1
                };
                if tries > LAST_TRIES {
                    let begun = self.devices[device].begun;
                    self.errors.push(format!(
                        "liveness: message {begun} of device {device} is never answered"
                    ));
                }
                let name = self.attempt(device);
                self.run_out(|running| running == name);
            }
        }
        self.run_out(|_| true);
        for reader in 0..self.readers.len() {
            self.catch_up(reader);
        }
    }

    /// Gives all calls of these their turns, until none is left.
    fn run_out(&mut self, which: impl Fn(Name) -> bool) {
        loop {
            let waiting = self.scheduler.waiting();
            let places: Vec<usize> = (0..waiting.len()).filter(|&place| which(waiting[place])).collect();
            let Some(&place) = places.choose(&mut self.rng) else {
                return;
            };
            self.scheduler.grant(place, Fate::Done);
            self.judge();
        }
    }

    /// Reads to the end of a timeline, and gives up every hole on the way.
    fn catch_up(&mut self, reader: usize) {
        for _ in 0..1_000 {
            let before = self.readers[reader].cursor;
            self.read(reader, 3, LATER);
            self.run_out(|_| true);
            let it = &self.readers[reader];
            if it.cursor == before && it.cursor == it.max_seq {
                return;
            }
        }
        self.errors
            .push(format!("liveness: reader {reader} does not come to the end"));
    }

    /// Takes the results of what has ended.
    fn judge(&mut self) {
        for (name, end) in self.scheduler.take_ended() {
            match (name, end) {
                (Name::Attempt { device, client_id, .. }, End::Attempt(result)) => {
                    self.scheduler.note(&format_args!("{name}: {}", summary(&result)));
                    self.judge_attempt(device, client_id, *result);
                }
                (Name::Read { reader, .. }, End::Read(Ok(read))) => {
                    self.scheduler
                        .note(&format_args!("{name}: cursor {} of {}", read.cursor, read.max_seq));
                    self.readers[reader].keep(read);
                }
                (_, End::Read(Err(error))) => {
                    self.scheduler.note(&format_args!("{name}: {error}"));
                    if !error.is_retryable() {
                        self.errors.push(format!("{name}: {error}"));
                    }
                }
                (name, end) => unreachable!("{name} ends with {end:?}"),
            }
        }
    }

    fn judge_attempt(&mut self, device: usize, client_id: u64, result: Result<Sent, SendError>) {
        let it = &mut self.devices[device];
        match result {
            Ok(sent) => {
                let answer = (sent.own_seq, sent.receiver_seq, sent.message);
                it.answers.entry(client_id).or_default().push(answer);
            }
            Err(SendError::Refused(refusal)) if refusal.code == Code::CLIENT_ID_PASSED && client_id < it.begun => {}
            Err(SendError::Store(error)) if error.is_retryable() => {}
            Err(error) => self
                .errors
                .push(format!("message {client_id} of device {device}: {error}")),
        }
    }
}

fn summary(result: &Result<Sent, SendError>) -> String {
    match result {
        Ok(sent) => format!(
            "acknowledged, log {}, own inbox {}, receiver's {}",
            sent.message.conversation_seq, sent.own_seq, sent.receiver_seq
        ),
        Err(error) => format!("not acknowledged: {error}"),
    }
}
