//! A schedule: what a seed lets happen to devices and readers, with faults first and without them at the end.

use crate::dice::Dice;
use crate::harness::{LATER, NOW};
use crate::processes::{Device, End, Name, Reader, Timeline, read};
use crate::scheduler::{Effect, Fate, Scheduler};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use std::collections::BTreeMap;
use wigwag_protocol::Code;
use wigwag_store::send::{MessagesFrom, SendError, Sent};
use wigwag_store::{DeviceKey, Store, UserId};

/// Attempts at one device's messages that run at once.
const ATTEMPTS_AT_ONCE: usize = 3;
/// Attempts at one message while there are faults.
const TRIES: u32 = 12;
/// Attempts at one message without faults, after which it must be acknowledged.
const LAST_TRIES: u32 = 5;

/// How hard the times are, in percent. Schedules differ in it, because some faults need many others, and some none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Steps in which an attempt is killed.
    pub(crate) deaths: u32,
    /// Calls that fail.
    pub(crate) losses: u32,
    /// Reads that give up any hole: their clock is far ahead.
    pub(crate) impatience: u32,
}

impl Weather {
    /// With every other seed nobody gives up a hole until the end.
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let somebody_gives_up = dice.seed().is_multiple_of(2);
        let mut one_of = |of: [u32; 3]| of[dice.random_range(0..3)];
        Self {
            deaths: one_of([0, 3, 9]),
            losses: one_of([0, 5, 25]),
            impatience: if somebody_gives_up { one_of([10, 30, 70]) } else { 0 },
        }
    }
}

/// All that takes part, and what went wrong so far.
pub(crate) struct World {
    pub(crate) dice: Dice,
    store: Store,
    pub(crate) scheduler: Scheduler<Name, End>,
    pub(crate) devices: Vec<Device>,
    pub(crate) readers: Vec<Reader>,
    weather: Weather,
    /// An attempt that hardly ever gets a turn.
    slow: Option<Name>,
    pub(crate) errors: Vec<String>,
}

impl World {
    /// Two devices with so many messages to send, of one user or of two.
    pub(crate) fn new(mut dice: Dice, messages: [u64; 2], scheduler: Scheduler<Name, End>) -> Self {
        let weather = Weather::of(&mut dice);
        let second_user = dice.random_range(1..=2);
        let mut device = |user: UserId, name: &str, session, messages| Device {
            user,
            receiver: 3 - user,
            session,
            key: DeviceKey::of(1, name),
            messages,
            begun: 0,
            tries: 0,
            large: dice.random_ratio(1, 4),
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
            weather,
            store: scheduler.store(),
            scheduler,
            dice,
            slow: None,
            errors: Vec::new(),
        }
    }

    /// Lets happen whatever a seed decides, until everything is sent or time is up; then without faults, to the end.
    pub(crate) fn run(&mut self) {
        for _ in 0..4_000 {
            if !self.errors.is_empty() || self.devices.iter().all(Device::is_done) || !self.dice.next_step() {
                break;
            }
            self.step();
        }
        self.finish();
    }

    fn step(&mut self) {
        let weather = self.weather;
        let is_attempt = |name| matches!(name, Name::Attempt { .. });
        match self.dice.random_range(0..100) {
            0..9 => self.send(),
            9 => self.kill(|name| !is_attempt(name)),
            10 => self.slow = self.processes(is_attempt).choose(&mut self.dice).copied(),
            _ if self.dice.random_range(0..100) < weather.deaths => self.kill(is_attempt),
            _ if self.dice.random_range(0..100) < weather.losses => {
                let fate = match self.dice.random_range(0..4) {
                    0 => Fate::Throttled,
                    _ => Fate::Lost(Effect::any(&mut self.dice)),
                };
                self.grant(fate);
            }
            _ => self.grant(Fate::Done),
        }
        self.read_on();
    }

    /// Begins a device's next message, or tries once more the one that is not answered.
    fn send(&mut self) {
        let device = self.dice.random_range(0..self.devices.len());
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
        let (store, draft, receiver) = (self.store.clone(), it.draft(it.begun), it.receiver);
        let now_ms = NOW + i64::from(it.tries);
        self.scheduler.start(name, async move {
            End::Attempt(Box::new(
                store.send(&draft, receiver, MessagesFrom::Anyone, now_ms).await,
            ))
        });
        self.judge();
        name
    }

    /// Starts the next read of every reader that has ended its last one.
    fn read_on(&mut self) {
        for reader in 0..self.readers.len() {
            let number = self.readers[reader].reads;
            if !self.scheduler.is_running(Name::Read { reader, number }) {
                let gives_up = self.dice.random_range(0..100) < self.weather.impatience;
                let limit = self.dice.random_range(1..=5);
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
        let for_readers = self.dice.random_ratio(1, 4);
        let waiting = self.scheduler.waiting();
        let places: Vec<usize> = (0..waiting.len())
            .filter(|&place| matches!(waiting[place], Name::Read { .. }) == for_readers)
            .filter(|&place| Some(waiting[place]) != self.slow)
            .collect();
        if let Some(&place) = places.choose(&mut self.dice) {
            self.scheduler.grant(place, fate);
            self.judge();
        }
    }

    fn kill(&mut self, which: impl Fn(Name) -> bool) {
        if let Some(&name) = self.processes(which).choose(&mut self.dice) {
            self.scheduler.kill(name, &mut self.dice);
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
        self.dice.end();
        self.scheduler.note(&"the faults stop");
        if self.dice.random_ratio(1, 2) {
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
            let Some(&place) = places.choose(&mut self.dice) else {
                return;
            };
            self.scheduler.grant(place, Fate::Done);
            self.judge();
        }
    }

    /// Reads to the end of a timeline, and gives up every hole on the way.
    fn catch_up(&mut self, reader: usize) {
        for _ in 0..100 {
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
