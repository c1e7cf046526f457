//! A schedule: what a seed lets happen, with faults first and without them at the end.

use super::checks::everyone_else_has_everything;
use super::parties::{End, Interval, Member, Name, Queued};
use crate::dice::Dice;
use crate::harness::{Engine, LATER, NOW, deadline};
use crate::processes::{Device, Reader, Timeline, read};
use crate::scheduler::{Effect, Fate, Queue, Scheduler};
use crate::world::Weather;
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use std::collections::BTreeMap;
use wigwag_protocol::Code;
use wigwag_protocol::pb::Message;
use wigwag_store::devices::ConnectionPolicy;
use wigwag_store::fanout::{Audience, Delivered, Delivery, SHARD_MEMBERS, Task};
use wigwag_store::groups::{ChangeError, Finished, NewGroup, Wanted};
use wigwag_store::head::Connection;
use wigwag_store::send::{MessagesFrom, SendError, SentToGroup};
use wigwag_store::{DeviceKey, GroupId, Store, UserId};

pub(crate) const GROUP: GroupId = 7;

/// When whoever has begun a change counts as dead; before `LATER`, when whoever did so counts as dead who has finished it.
const LEFT: i64 = NOW + 30_000;

/// The owner, who makes most changes.
const OWNER: UserId = 1;

/// Attempts at one device's messages, or one member's changes, that run at once.
const ATTEMPTS_AT_ONCE: usize = 3;
/// Attempts at one message or change while there are faults.
const TRIES: u32 = 12;
/// Attempts without faults, after which it must be acknowledged.
const LAST_TRIES: u32 = 5;
/// Workers that run at once.
const WORKERS: usize = 3;
/// Tasks that one worker is handed at most.
const BATCH: usize = 3;

/// What a device was pushed: whose, at which seq of their inbox, which message.
pub(crate) type Push = (UserId, u64, u64);

/// All that takes part, and what went wrong so far.
pub(crate) struct World {
    pub(crate) dice: Dice,
    store: Store,
    queue: Queue<Name>,
    pub(crate) scheduler: Scheduler<Name, End>,
    pub(crate) devices: Vec<Device>,
    /// By device and number.
    pub(crate) sends: BTreeMap<(usize, u64), Interval>,
    pub(crate) members: Vec<Member>,
    pub(crate) readers: Vec<Reader>,
    pub(crate) pushes: Vec<Push>,
    queued: Vec<Queued>,
    /// What each worker was handed: where it stands in the queue, and what it is.
    handed_out: BTreeMap<u32, Vec<(u32, u64)>>,
    workers: u32,
    enqueued: u32,
    turns: usize,
    weather: Weather,
    /// One that hardly ever gets a turn.
    slow: Option<Name>,
    /// Whose inbox refuses every statement of a worker for as long as there is anything else to do.
    refusing: Option<UserId>,
    pub(crate) errors: Vec<String>,
}

/// The group: users 1 to 4, the first of whom owns it. The next two places are the last of the first shard and the
/// first of the second.
pub(crate) async fn found(engine: &Engine) -> Vec<Task> {
    let store = engine.store();
    for user in 1..=6 {
        engine.user(user).await;
        let connection = Connection {
            id: format!("c{user}="),
            platform: 1,
            protobuf: true,
            connected_at_ms: NOW,
        };
        let device = DeviceKey::of(2, "listens");
        let policy = ConnectionPolicy::Device;
        store.connect(user, &device, &connection, policy, NOW).await.unwrap();
    }
    let new = NewGroup {
        name: "friends".to_owned(),
        users: vec![2, 3, 4],
        super_group: false,
        open_history: false,
        request: None,
    };
    let queue = crate::harness::Collected::default();
    store
        .create_group(&queue, GROUP, OWNER, &new, MessagesFrom::Anyone, NOW)
        .await
        .unwrap();
    let group = format!("group#{GROUP}");
    let items = engine.items("directory");
    let mut info = items
        .into_iter()
        .find(|item| item["pk"]["S"] == group.as_str())
        .unwrap();
    info["places"] = serde_json::json!({ "N": (SHARD_MEMBERS - 1).to_string() });
    engine.put("directory", &info);
    queue.take()
}

impl World {
    /// Two devices with so many messages to send, of users 1 and 2. User 3 is a member throughout; users 4 to 6 come
    /// and go.
    pub(crate) fn new(mut dice: Dice, messages: [u64; 2], scheduler: Scheduler<Name, End>, tasks: Vec<Task>) -> Self {
        let weather = Weather::of(&mut dice);
        let mut device = |user: UserId, name: &str, session, messages| Device {
            user,
            receiver: 0,
            session,
            key: DeviceKey::of(1, name),
            messages,
            begun: 0,
            tries: 0,
            large: dice.random_ratio(1, 4),
            answers: BTreeMap::new(),
        };
        let devices = vec![
            device(1, "phone", 1000, messages[0]),
            device(2, "tablet", 2000, messages[1]),
        ];
        let add = |user| (OWNER, Wanted::Add(vec![user]));
        let remove = |user| (OWNER, Wanted::Remove(vec![user]));
        let leave = |user| (user, Wanted::Leave);
        let member = |user, is_in_from_the_start, changes| Member {
            user,
            is_in_from_the_start,
            changes,
            intervals: Vec::new(),
            tries: 0,
        };
        let goes = if dice.random_ratio(1, 2) { remove(4) } else { leave(4) };
        let returns = if dice.random_ratio(1, 2) { remove(6) } else { leave(6) };
        let mut world = Self {
            members: vec![
                member(4, true, vec![goes]),
                member(5, false, vec![add(5)]),
                member(6, false, vec![add(6), returns, add(6)]),
            ],
            readers: (1..=6)
                .map(Timeline::Inbox)
                .chain([Timeline::GroupLog(GROUP)])
                .map(Reader::of)
                .collect(),
            devices,
            sends: BTreeMap::new(),
            pushes: Vec::new(),
            queued: Vec::new(),
            handed_out: BTreeMap::new(),
            workers: 0,
            enqueued: 0,
            turns: 0,
            weather,
            store: scheduler.store(),
            queue: scheduler.queue(),
            scheduler,
            refusing: dice.seed().is_multiple_of(3).then_some(3 + dice.seed() / 3 % 4),
            dice,
            slow: None,
            errors: Vec::new(),
        };
        world.scheduler.refuse(world.refusing);
        world.keep(tasks);
        world
    }

    /// Lets happen whatever a seed decides, until everything is done or time is up; then without faults, to the end.
    pub(crate) fn run(&mut self) {
        for _ in 0..6_000 {
            if !self.errors.is_empty() || self.is_done() || !self.dice.next_step() {
                break;
            }
            self.step();
        }
        self.finish();
    }

    fn is_done(&self) -> bool {
        self.queued.is_empty() && self.devices.iter().all(Device::is_done) && self.members.iter().all(Member::is_done)
    }

    fn step(&mut self) {
        let weather = self.weather;
        let is_read = |name| matches!(name, Name::Read { .. });
        let is_change = |name| matches!(name, Name::Change { .. });
        match self.dice.random_range(0..100) {
            0..5 => self.send(),
            5..7 => self.change(),
            7..13 => self.work(),
            13 => self.kill(is_read),
            14 => self.slow = self.processes(|name| !is_read(name)).choose(&mut self.dice).copied(),
            15 => self.slow = self.processes(is_change).choose(&mut self.dice).copied(),
            _ if self.dice.random_range(0..100) < weather.deaths => self.kill(|name| !is_read(name)),
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
        let alive = self.processes(|name| matches!(name, Name::Send { device: its, .. } if its == device));
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
        let begun = Interval {
            begun: self.turns,
            acknowledged: None,
        };
        self.sends.entry((device, it.begun)).or_insert(begun);
        let name = Name::Send {
            device,
            client_id: it.begun,
            number: it.tries,
        };
        let (store, queue, draft) = (self.store.clone(), self.queue.clone(), it.draft(it.begun));
        let now_ms = NOW + i64::from(it.tries);
        self.scheduler.start(name, async move {
            End::Send(Box::new(store.send_to_group(&queue, &draft, GROUP, now_ms).await))
        });
        self.judge();
        name
    }

    /// Begins a member's next change, or tries once more the one that is not answered. While an attempt at the last one
    /// runs, the next one does not begin: it would be undone.
    fn change(&mut self) {
        let member = self.dice.random_range(0..self.members.len());
        let alive = self
            .processes(|name| matches!(name, Name::Change { member: its, .. } if its == member))
            .len();
        let it = &self.members[member];
        let may_go_on = if it.is_answered() {
            alive == 0
        } else {
            alive < ATTEMPTS_AT_ONCE && it.tries < TRIES
        };
        if may_go_on && !it.is_done() {
            self.attempt_change(member);
        }
    }

    fn attempt_change(&mut self, member: usize) -> Name {
        let it = &mut self.members[member];
        if it.is_answered() {
            it.intervals.push(Interval {
                begun: self.turns,
                acknowledged: None,
            });
            it.tries = 0;
        }
        it.tries += 1;
        let change = it.intervals.len() - 1;
        let name = Name::Change {
            member,
            change,
            number: it.tries,
        };
        let (store, queue, (actor, wanted)) = (self.store.clone(), self.queue.clone(), it.changes[change].clone());
        let now_ms = NOW + i64::from(it.tries);
        self.scheduler.start(name, async move {
            End::Change(
                store
                    .change_group(&queue, GROUP, actor, &wanted, MessagesFrom::Anyone, now_ms)
                    .await,
            )
        });
        self.judge();
        name
    }

    /// Hands some of the tasks of a shard to a worker: mostly the first ones, in their order, but not always. They stay
    /// in the queue until it says that they are done, and may be handed to another meanwhile.
    fn work(&mut self) {
        let working = self.processes(|name| matches!(name, Name::Work { .. } | Name::Finish { .. }));
        let working = working.len();
        if working >= WORKERS {
            return;
        }
        let Some(ordering) = self.queued.choose(&mut self.dice).map(|queued| queued.task.ordering()) else {
            return;
        };
        let mut places: Vec<usize> = (0..self.queued.len())
            .filter(|&place| self.queued[place].task.ordering() == ordering)
            .collect();
        if self.dice.random_ratio(1, 4) {
            places.shuffle(&mut self.dice);
        }
        places.truncate(self.dice.random_range(1..=BATCH));
        // Whoever makes a change may still be at it, and counts as dead all the same.
        let now_ms = [NOW, NOW, LEFT][self.dice.random_range(0..3)];
        self.hand_out(&places, now_ms);
    }

    fn hand_out(&mut self, places: &[usize], finish_ms: i64) -> Name {
        self.workers += 1;
        if let Task::Finish { version, at_ms, .. } = self.queued[places[0]].task {
            return self.finish_change(self.queued[places[0]].id, version, at_ms, finish_ms);
        }
        let (mut batch, mut handed_out, mut to) = (Vec::new(), Vec::new(), None);
        for &place in places {
            let queued = &mut self.queued[place];
            let Task::Deliver {
                audience, logged, skip, ..
            } = &queued.task
            else {
                panic!("no such task in this world: {:?}", queued.task);
            };
            // The queue's count is approximate.
            let redelivered = queued.handed_out > 0 && self.dice.random_ratio(3, 4);
            queued.handed_out += 1;
            handed_out.push((queued.id, logged.conversation_seq()));
            to = Some(audience.clone());
            batch.push(Delivery {
                logged: logged.clone(),
                skip: *skip,
                redelivered,
            });
        }
        let number = self.workers;
        let name = Name::Work { number };
        let audience: Audience = to.unwrap();
        self.scheduler
            .note(&format_args!("{name} is handed {handed_out:?} for {audience:?}"));
        self.handed_out.insert(number, handed_out);
        let (store, queue, now_ms) = (self.store.clone(), self.queue.clone(), NOW + i64::from(number));
        self.scheduler.start(name, async move {
            End::Work(
                store
                    .deliver(&queue, GROUP, &audience, &batch, deadline(), now_ms)
                    .await,
            )
        });
        self.judge();
        name
    }

    /// Hands one task to a worker that finishes a change.
    fn finish_change(&mut self, id: u32, version: u64, at_ms: i64, now_ms: i64) -> Name {
        let number = self.workers;
        let name = Name::Finish { number };
        self.handed_out.insert(number, vec![(id, version)]);
        let (store, queue) = (self.store.clone(), self.queue.clone());
        self.scheduler.start(name, async move {
            End::Finish(store.finish_left_change(&queue, GROUP, version, at_ms, now_ms).await)
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

    /// Gives a call its turn. Readers get one of four turns.
    fn grant(&mut self, fate: Fate) {
        let for_readers = self.dice.random_ratio(1, 4);
        let waiting = self.scheduler.waiting();
        let places: Vec<usize> = (0..waiting.len())
            .filter(|&place| matches!(waiting[place], Name::Read { .. }) == for_readers)
            .filter(|&place| Some(waiting[place]) != self.slow)
            .collect();
        if let Some(&place) = places.choose(&mut self.dice) {
            self.grant_at(place, fate);
        }
    }

    fn grant_at(&mut self, place: usize, fate: Fate) {
        self.turns += 1;
        self.scheduler.grant(place, fate);
        let tasks = self.scheduler.take_tasks();
        self.keep(tasks);
        self.judge();
    }

    fn keep(&mut self, tasks: Vec<Task>) {
        for task in tasks {
            self.enqueued += 1;
            self.queued.push(Queued {
                id: self.enqueued,
                task,
                handed_out: 0,
            });
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

    /// The faults stop: clients try until they are answered, workers until the queue is empty, what is late takes
    /// effect, readers catch up.
    fn finish(&mut self) {
        self.dice.end();
        self.scheduler.note(&"the faults stop");
        if self.dice.random_ratio(1, 2) {
            self.run_out(|name| !matches!(name, Name::Read { .. }));
        }
        for device in 0..self.devices.len() {
            let mut tries = 0;
            while !self.devices[device].is_done() && self.errors.is_empty() {
                tries = if self.devices[device].is_answered() {
                    0
                } else {
                    tries + 1
                };
                let name = self.attempt(device);
                self.last_try(name, tries);
            }
        }
        for member in 0..self.members.len() {
            let mut tries = 0;
            self.run_out(|name| matches!(name, Name::Change { .. }));
            while !self.members[member].is_done() && self.errors.is_empty() {
                tries = if self.members[member].is_answered() {
                    0
                } else {
                    tries + 1
                };
                let name = self.attempt_change(member);
                self.last_try(name, tries);
            }
        }
        if self.dice.random_ratio(1, 2) {
            self.run_out(|_| true);
        }
        self.work_off();
        if let Some(user) = self.refusing.take() {
            let missing = everyone_else_has_everything(self, user);
            self.errors.extend(missing);
            self.scheduler.refuse(None);
            self.work_off();
        }
    }

    /// Hands tasks out until none is left but what cannot be done, and lets readers catch up.
    fn work_off(&mut self) {
        let mut rounds = 0;
        while let Some(first) = self.queued.iter().position(|queued| !self.is_in_vain(&queued.task)) {
            if !self.errors.is_empty() {
                break;
            }
            rounds += 1;
            let ordering = self.queued[first].task.ordering();
            let same = |&place: &usize| self.queued[place].task.ordering() == ordering;
            let places: Vec<usize> = (0..self.queued.len()).filter(same).take(BATCH).collect();
            let name = self.hand_out(&places, LEFT);
            self.last_try(name, rounds / 40);
        }
        self.run_out(|_| true);
        for reader in 0..self.readers.len() {
            self.catch_up(reader);
        }
    }

    /// Whether a task is for the user alone whose inbox refuses everything.
    fn is_in_vain(&self, task: &Task) -> bool {
        let Task::Deliver {
            audience: Audience::Owed { users, .. },
            ..
        } = task
        else {
            return false;
        };
        self.refusing.is_some_and(|user| *users == [user])
    }

    fn last_try(&mut self, name: Name, tries: u32) {
        if tries > LAST_TRIES {
            self.errors.push(format!("liveness: {name} comes to no end"));
        }
        self.run_out(|running| running == name);
    }

    /// Gives all calls of these their turns, until none is left.
    fn run_out(&mut self, which: impl Fn(Name) -> bool) {
        loop {
            let waiting = self.scheduler.waiting();
            let places: Vec<usize> = (0..waiting.len()).filter(|&place| which(waiting[place])).collect();
            let Some(&place) = places.choose(&mut self.dice) else {
                return;
            };
            self.grant_at(place, Fate::Done);
        }
    }

    /// Reads to the end of a timeline, and gives up every hole on the way.
    fn catch_up(&mut self, reader: usize) {
        for _ in 0..100 {
            let before = self.readers[reader].cursor;
            self.read(reader, 5, LATER);
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
                (Name::Send { device, client_id, .. }, End::Send(result)) => {
                    self.scheduler.note(&format_args!("{name}: {}", summary(&result)));
                    self.judge_send(device, client_id, *result);
                }
                (Name::Change { member, change, .. }, End::Change(result)) => {
                    self.scheduler.note(&format_args!("{name}: {result:?}"));
                    match result {
                        Ok(_) => {
                            let turns = self.turns;
                            self.members[member].intervals[change].acknowledged.get_or_insert(turns);
                        }
                        Err(ChangeError::Store(error)) if error.is_retryable() => {}
                        Err(ChangeError::Refused(Code::BUSY)) => {}
                        Err(error) => self.errors.push(format!("{name}: {error}")),
                    }
                }
                (Name::Work { number }, End::Work(delivered)) => self.judge_work(number, delivered),
                (Name::Finish { number }, End::Finish(result)) => {
                    self.scheduler.note(&format_args!("{name}: {result:?}"));
                    let handed_out = self.handed_out.remove(&number).unwrap();
                    match result {
                        Ok(Finished::Yes) => self.queued.retain(|queued| queued.id != handed_out[0].0),
                        Err(error) if !error.is_retryable() => self.errors.push(format!("{name}: {error}")),
                        Ok(Finished::NotBefore(_)) | Err(_) => {}
                    }
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

    fn judge_send(&mut self, device: usize, client_id: u64, result: Result<SentToGroup, SendError>) {
        let it = &mut self.devices[device];
        match result {
            Ok(sent) => {
                it.answers
                    .entry(client_id)
                    .or_default()
                    .push((sent.own_seq, 0, sent.message));
                let turns = self.turns;
                self.sends
                    .get_mut(&(device, client_id))
                    .unwrap()
                    .acknowledged
                    .get_or_insert(turns);
            }
            Err(SendError::Refused(refusal)) if refusal.code == Code::CLIENT_ID_PASSED && client_id < it.begun => {}
            Err(SendError::Store(error)) if error.is_retryable() => {}
            Err(error) => self
                .errors
                .push(format!("message {client_id} of device {device}: {error}")),
        }
    }

    /// What is done leaves the queue.
    fn judge_work(&mut self, number: u32, delivered: Delivered) {
        let handed_out = self.handed_out.remove(&number).unwrap();
        let (done, error) = (delivered.done, delivered.error);
        self.scheduler
            .note(&format_args!("worker {number}: {done} done, {error:?}"));
        if done < handed_out.len() && error.is_none() {
            self.errors.push(format!("worker {number} gives no reason"));
        }
        if let Some(error) = error.filter(|error| !error.is_retryable()) {
            self.errors.push(format!("worker {number}: {error}"));
        }
        self.queued
            .retain(|queued| !handed_out[..done].iter().any(|(id, _)| *id == queued.id));
        for inbound in delivered.pushes {
            let pushes = inbound
                .messages
                .iter()
                .map(|&(seq, place)| (inbound.user, seq, handed_out[place].1));
            self.pushes.extend(pushes);
        }
    }

    /// What a reader's cursor has passed.
    pub(crate) fn passed(&self, timeline: Timeline) -> &[(u64, Message)] {
        let reader = self.readers.iter().find(|reader| reader.timeline == timeline);
        reader.map_or(&[], |reader| &reader.passed)
    }
}

fn summary(result: &Result<SentToGroup, SendError>) -> String {
    match result {
        Ok(sent) => format!(
            "acknowledged, log {}, own inbox {}",
            sent.message.conversation_seq, sent.own_seq
        ),
        Err(error) => format!("not acknowledged: {error}"),
    }
}
