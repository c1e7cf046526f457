//! The world of a schedule: the engine, the actors, and everything that happened.
//!
//! Each kind of actor adds its own methods in its file under `actors/`. This file has what they
//! share: whose call gets the next turn, who is killed or held up, and where the outcomes of
//! processes go.

use crate::actors::changer::Changer;
use crate::actors::reader::{Reader, ReadsBy};
use crate::actors::sealer::Sealers;
use crate::actors::sender::Sender;
use crate::actors::worker::Workers;
use crate::actors::writer::Writers;
use crate::actors::{Outcome, Process};
use crate::engine::Engine;
use crate::harness::queues::Flaky;
use crate::scheduling::dice::Dice;
use crate::scheduling::scheduler::{Effect, Fate, Scheduler, TurnQueue};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use wigwag_domain::UserId;
use wigwag_domain::task::Task;
use wigwag_invariants::{DeviceKind, History, TimelineKey};
use wigwag_messaging::TaskQueue;
use wigwag_store::{Store, StoreError};

/// Attempts without faults, after which an actor must have succeeded.
const LAST_TRIES: u32 = 5;

/// How hard the times are, in percent.
///
/// Schedules differ in it, because some mutants are only found among many faults, and others only
/// without any.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Steps in which a process is killed.
    pub(crate) deaths: u32,
    /// Calls that fail.
    pub(crate) losses: u32,
    /// Reads that give up every hole: the clock of such a reader is far ahead.
    pub(crate) impatience: u32,
}

impl Weather {
    /// Draws it. With odd seeds nobody gives up a hole until the end.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let somebody_gives_up = dice.seed().is_multiple_of(2);
        let mut one_of = |of: [u32; 3]| of[dice.random_range(0..3)];
        Self {
            deaths: one_of([0, 3, 9]),
            losses: one_of([0, 5, 25]),
            impatience: if somebody_gives_up { one_of([10, 30, 70]) } else { 0 },
        }
    }
}

/// The queue of a world's processes.
#[derive(Clone)]
pub(crate) enum WorldQueue {
    /// Enqueueing is a call that waits for its turn.
    ByTurns(TurnQueue<Process>),
    /// Enqueueing takes no turn, and fails now and then.
    Flaky(Flaky),
}

impl TaskQueue for WorldQueue {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        match self {
            Self::ByTurns(queue) => queue.enqueue(tasks).await,
            Self::Flaky(queue) => queue.enqueue(tasks).await,
        }
    }
}

/// Everything that takes part in a schedule, and everything that went wrong so far.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) engine: Engine,
    pub(crate) scheduler: Scheduler<Process, Outcome>,
    pub(crate) store: Store,
    pub(crate) queue: WorldQueue,
    pub(crate) weather: Weather,
    pub(crate) writers: Writers,
    pub(crate) sealers: Sealers,
    pub(crate) senders: Vec<Sender>,
    pub(crate) changers: Vec<Changer>,
    pub(crate) workers: Workers,
    pub(crate) readers: Vec<Reader>,
    /// Processes that get no turn for the present.
    pub(crate) held_up: Vec<Process>,
    /// What was done, answered and seen, for the judge of `wigwag-invariants`.
    pub(crate) history: History,
    pub(crate) errors: Vec<String>,
}

impl World {
    /// A world without actors, in fine weather.
    pub(crate) fn new(dice: Dice, engine: Engine) -> Self {
        let scheduler = Scheduler::new(engine.clone());
        Self {
            dice,
            engine,
            store: scheduler.store(),
            queue: WorldQueue::ByTurns(scheduler.queue()),
            scheduler,
            weather: Weather::default(),
            writers: Writers::default(),
            sealers: Sealers::default(),
            senders: Vec::new(),
            changers: Vec::new(),
            workers: Workers::default(),
            readers: Vec::new(),
            held_up: Vec::new(),
            history: History::default(),
            errors: Vec::new(),
        }
    }

    /// Adds a reader of a user's inbox, which is a device of the history.
    pub(crate) fn add_inbox_reader(&mut self, user: UserId) {
        let device = self
            .history
            .add_device(user.0, format!("u{user}.reader"), DeviceKind::Sdk);
        let reader = Reader::new(TimelineKey::Inbox(user.0), ReadsBy::UseCase, Some(device));
        self.readers.push(reader);
    }

    /// Adds a device of a user that is pushed messages.
    pub(crate) fn add_listener(&mut self, user: UserId) {
        let device = self
            .history
            .add_device(user.0, format!("u{user}.listens"), DeviceKind::Raw);
        self.workers.listeners.insert(user, device);
    }

    /// A step of the weather: a process dies, a call fails, or a call succeeds.
    ///
    /// Readers get one of four turns, and only they give up holes, so they do not die here.
    pub(crate) fn weather_step(&mut self) {
        let weather = self.weather;
        let fate = if self.dice.random_range(0..100) < weather.deaths {
            return self.kill(|process| !process.is_read());
        } else if self.dice.random_range(0..100) < weather.losses {
            self.fault()
        } else {
            Fate::Done
        };
        let for_readers = self.dice.random_ratio(1, 4);
        self.grant_unless_held_up(|process| process.is_read() == for_readers, fate);
    }

    /// Draws how a call fails.
    pub(crate) fn fault(&mut self) -> Fate {
        match self.dice.random_range(0..4) {
            0 => Fate::Throttled,
            _ => Fate::Lost(Effect::any(&mut self.dice)),
        }
    }

    /// Gives a call of one of these processes its turn, unless they are held up.
    pub(crate) fn grant_unless_held_up(&mut self, which: impl Fn(Process) -> bool, fate: Fate) {
        let held_up = self.held_up.clone();
        self.grant(|process| which(process) && !held_up.contains(&process), fate);
    }

    /// Gives a call of one of these processes its turn. Returns false if none of them waits.
    fn grant(&mut self, which: impl Fn(Process) -> bool, fate: Fate) -> bool {
        let waiting = self.scheduler.waiting();
        let indexes: Vec<usize> = (0..waiting.len()).filter(|&index| which(waiting[index])).collect();
        let index = indexes.choose(&mut self.dice).copied();
        if let Some(index) = index {
            self.scheduler.grant(index, fate);
            let tasks = self.scheduler.take_tasks();
            self.workers.enqueue(tasks);
            self.judge();
        }
        index.is_some()
    }

    /// Gives all calls of these processes their turns, until none is left.
    pub(crate) fn run_out(&mut self, which: impl Fn(Process) -> bool) {
        while self.grant(&which, Fate::Done) {}
    }

    /// Runs a process to its end. It is an error if that was not done after so many tries.
    pub(crate) fn last_try(&mut self, process: Process, tries: u32) {
        if tries > LAST_TRIES {
            self.errors.push(format!("liveness: {process} never succeeds"));
        }
        self.run_out(|running| running == process);
    }

    /// Kills one of these processes.
    pub(crate) fn kill(&mut self, which: impl Fn(Process) -> bool) {
        if let Some(&process) = self.running(which).choose(&mut self.dice) {
            self.scheduler.kill(process, &mut self.dice);
        }
    }

    /// The processes of these that run.
    pub(crate) fn running(&self, which: impl Fn(Process) -> bool) -> Vec<Process> {
        let mut running = self.scheduler.running();
        running.retain(|&process| which(process));
        running
    }

    /// Ends the time of faults.
    pub(crate) fn stop_faults(&mut self) {
        self.dice.end();
        self.scheduler.note(&"the faults stop");
    }

    /// Keeps the error of a process, unless the caller is to try again.
    pub(crate) fn keep_unless_retryable(&mut self, process: Process, error: &StoreError) {
        if !error.is_retryable() {
            self.errors.push(format!("{process}: {error}"));
        }
    }

    /// Hands the outcome of every process that has ended to its actor.
    pub(crate) fn judge(&mut self) {
        for (process, outcome) in self.scheduler.take_ended() {
            self.process_ended(process, outcome);
        }
    }
}
