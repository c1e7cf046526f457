//! Messages to a group: devices send and repeat, members join, leave and come back, workers
//! deliver.
//!
//! Any call, to the tables or the queue, may be lost or late, and any process may be killed or held
//! up. The queue hands tasks out in any order, twice, and to workers side by side; its count of
//! deliveries cannot be relied on. With even seeds readers give up any hole at any moment. The six
//! users are in two shards at most. With every third seed the inbox of one user refuses every
//! statement until nothing else is left to do and everyone else has everything.

use super::{Schedule, run, sizes_up_to};
use crate::actors::Process;
use crate::actors::changer::{Changer, Manner};
use crate::actors::reader::{Reader, ReadsBy};
use crate::actors::sender::{Sender, Target};
use crate::checks::membership::copies_by_the_log;
use crate::checks::{answer_violations, judged, judged_without, reader_violations, tables};
use crate::engine::Engine;
use crate::harness::group::{GROUP, TestGroup, new_group};
use crate::harness::{block_on, connect};
use crate::scheduling::dice::Dice;
use crate::scheduling::property::Property;
use crate::world::{Weather, World};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::task::{SHARD_MEMBERS, Task};
use wigwag_domain::{DeviceKey, UserId};
use wigwag_invariants::{Event, TimelineKey, Turn};
use wigwag_messaging::connect::ConnectionPolicy;

/// Messages of the two devices.
const MESSAGES: [u64; 2] = [6, 3];

const USERS: u64 = 6;

/// The owner, who makes most changes.
const OWNER: UserId = UserId(1);

/// Changes of one changer that run at once.
const CHANGES_AT_ONCE: usize = 3;
/// Attempts at one change while there are faults.
const TRIES: u32 = 12;

pub(super) struct FanOut;

impl Schedule for FanOut {
    type Size = [u64; 2];
    const STEPS: usize = 6_000;

    /// Users 1 and 2 send. User 3 is a member throughout; users 4 to 6 come and go.
    fn begin(dice: Dice, messages: [u64; 2]) -> World {
        let (engine, tasks) = block_on(create_group());
        let mut world = World::new(dice, engine);
        world.weather = Weather::draw(&mut world.dice);
        world.add_sender(UserId(1), "phone", Target::Group(GROUP), 1000, messages[0]);
        world.add_sender(UserId(2), "tablet", Target::Group(GROUP), 2000, messages[1]);
        add_changers(&mut world);
        for user in 1..=USERS {
            world.add_inbox_reader(UserId(user));
            world.add_listener(UserId(user));
        }
        world.readers.push(Reader::new(log(), ReadsBy::Timeline, None));
        note_creation(&mut world);
        let seed = world.dice.seed();
        let refusing = seed.is_multiple_of(3).then_some(UserId(3 + seed / 3 % 4));
        world.workers.refusing = refusing;
        world.scheduler.refuse(refusing);
        world.workers.enqueue(tasks);
        world
    }

    fn is_over(world: &World) -> bool {
        world.workers.has_nothing_to_do()
            && world.senders.iter().all(Sender::is_done)
            && world.changers.iter().all(Changer::is_done)
    }

    fn step(world: &mut World) {
        match world.dice.random_range(0..100) {
            0..5 => world.send(),
            5..7 => change(world),
            7..13 => world.work(),
            13 => world.kill(Process::is_read),
            14 => hold_one_up(world, |process| !process.is_read()),
            15 => hold_one_up(world, Process::is_change),
            _ => world.weather_step(),
        }
        world.read_on();
    }

    /// Clients try until they are answered, workers work until the queue is empty, calls that are
    /// late run, and readers catch up.
    fn finish(world: &mut World) {
        if world.dice.random_ratio(1, 2) {
            world.run_out(|process| !process.is_read());
        }
        for sender in 0..world.senders.len() {
            world.finish_sender(sender);
        }
        for changer in 0..world.changers.len() {
            world.finish_changer(changer);
        }
        if world.dice.random_ratio(1, 2) {
            world.run_out(|_| true);
        }
        come_to_rest(world);
        if let Some(user) = world.workers.refusing.take() {
            let missing = everyone_else_has_everything(world, user);
            world.errors.extend(missing);
            world.scheduler.refuse(None);
            come_to_rest(world);
        }
    }

    fn violations(world: &World) -> Vec<String> {
        let tables = tables(&world.engine);
        let mut errors = judged(world, &tables);
        for reader in &world.readers {
            errors.extend(reader_violations(reader, &tables));
        }
        errors.extend(answer_violations(world, &tables));
        for user in 1..=USERS {
            errors.extend(copies_by_the_log(world, log(), UserId(user)));
        }
        errors
    }
}

fn log() -> TimelineKey {
    TimelineKey::group(GROUP.0)
}

/// The group: users 1 to 4, and user 1 owns it. The next two slots are the last one of the
/// first shard and the first one of the second.
async fn create_group() -> (Engine, Vec<Task>) {
    let group = TestGroup::empty(OWNER, UserId(USERS)).await;
    for user in 1..=USERS {
        let (device, id) = (DeviceKey::derive(2, "listens"), format!("c{user}="));
        connect(&group.store, UserId(user), &device, &id, ConnectionPolicy::Device).await;
    }
    group
        .create(&new_group(&[UserId(2), UserId(3), UserId(4)]))
        .await
        .unwrap();
    let mut info = group.info();
    info["places"] = serde_json::json!({ "N": (SHARD_MEMBERS - 1).to_string() });
    group.engine.put("directory", &info);
    let tasks = group.queue.take();
    (group.engine, tasks)
}

fn note_creation(world: &mut World) {
    let (group, turn) = (GROUP, Turn::Joins);
    world.history.note(Event::Founded {
        group: group.0,
        is_super: false,
    });
    for user in 1..=4 {
        world.history.note(Event::Change {
            group: group.0,
            user,
            turn,
        });
        world.history.note(Event::Changed {
            group: group.0,
            user,
            turn,
        });
    }
}

fn add_changers(world: &mut World) {
    let add = |user| (OWNER, Wanted::Add(vec![user]));
    let mut goes = |user| {
        if world.dice.random_ratio(1, 2) {
            (OWNER, Wanted::Remove(vec![user]))
        } else {
            (user, Wanted::Leave)
        }
    };
    let wanted = [
        vec![goes(UserId(4))],
        vec![add(UserId(5))],
        vec![add(UserId(6)), goes(UserId(6)), add(UserId(6))],
    ];
    let changers = wanted.map(|wanted| Changer::new(wanted, Manner::Careful));
    world.changers.extend(changers);
}

/// Begins a changer's next change, or repeats the one that is not answered.
///
/// While an attempt at the last change runs, the next change does not begin: the attempt would undo
/// it.
fn change(world: &mut World) {
    let changer = world.dice.random_range(0..world.changers.len());
    let running = world.attempts_of(changer);
    let it = &world.changers[changer];
    let may_go_on = if it.is_answered() {
        running == 0
    } else {
        running < CHANGES_AT_ONCE && !it.has_tried(TRIES)
    };
    if may_go_on && !it.is_done() {
        world.attempt_change(changer);
    }
}

fn hold_one_up(world: &mut World, which: impl Fn(Process) -> bool) {
    let running = world.running(which);
    world.held_up = running.choose(&mut world.dice).copied().into_iter().collect();
}

/// Works off the queue, and lets readers catch up.
fn come_to_rest(world: &mut World) {
    world.work_off();
    world.run_out(|_| true);
    for reader in 0..world.readers.len() {
        world.catch_up(reader, 5);
    }
}

/// What is missing in the inboxes of all but one user, whose inbox refuses everything.
fn everyone_else_has_everything(world: &World, user: UserId) -> Vec<String> {
    let tables = tables(&world.engine);
    let others = (1..=USERS).map(UserId).filter(|&other| other != user);
    let by_the_log = others.flat_map(|other| copies_by_the_log(world, log(), UserId(other.0)));
    let errors = judged_without(world, &tables, user).into_iter().chain(by_the_log);
    errors
        .map(|error| format!("while u{user} refuses everything: {error}"))
        .collect()
}

fn property() -> Property<[u64; 2]> {
    Property {
        seeds: include_str!("../seeds/fan_out.txt"),
        fixed: 0..20,
        new: 10,
        sizes: sizes_up_to(MESSAGES),
        shrinking: 100,
        run: run::<FanOut>,
    }
}

#[test]
fn a_message_to_a_group_reaches_each_member_once_and_nobody_else_whatever_crashes() {
    property().check();
}

#[test]
fn a_seed_is_a_schedule() {
    property().seeds_are_schedules(0..2);
}
