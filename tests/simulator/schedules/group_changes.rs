//! Changes of one group side by side: two admins and the owner all want something at once.
//!
//! Their attempts die between any two calls, lose answers, are held up for long, and are repeated.
//! The queue fails now and then, and others seal the holes of the log at any moment. Once a worker
//! has finished the last change, the group must be what its log says, and so must all of its rows.

use super::{Schedule, run};
use crate::actors::changer::{Changer, Manner};
use crate::checks::group::{GroupCheck, announced_seq};
use crate::harness::group::{GROUP, TestGroup, new_group};
use crate::harness::queues::Flaky;
use crate::harness::{ABANDONED, LATER, block_on};
use crate::scheduling::dice::Dice;
use crate::scheduling::property::Property;
use crate::scheduling::scheduler::{Effect, Fate};
use crate::world::{Weather, World, WorldQueue};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use std::collections::BTreeSet;
use wigwag_domain::groups::NewGroup;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::{TimelineId, UserId};
use wigwag_protocol::http::Role;

const OWNER: UserId = UserId(1);
const USERS: u64 = 4;
/// Changes of each changer.
const CHANGES: usize = 5;
/// Attempts of one changer that run at once.
const ATTEMPTS_AT_ONCE: usize = 4;
/// Attempts at one change while there are faults.
const TRIES: u32 = 8;
/// Calls that are held up at once.
const HELD_UP: usize = 4;

struct GroupChanges;

impl Schedule for GroupChanges {
    type Size = ();
    const STEPS: usize = 3_000;

    /// Three changers: the owner and two admins. User 4 is no member at first.
    fn begin(dice: Dice, (): ()) -> World {
        let group = block_on(create_group(dice.seed().is_multiple_of(5)));
        let mut world = World::new(dice, group.engine);
        for user in 1..=3 {
            let changes = (0..CHANGES)
                .map(|_| (UserId(user), any_change(&mut world.dice)))
                .collect();
            world.changers.push(Changer::new(changes, Manner::Hasty));
        }
        let mut one_of = |of: [u32; 3]| of[world.dice.random_range(0..3)];
        world.queue = WorldQueue::Flaky(Flaky::new(group.queue, one_of([0, 3, 4])));
        world.weather = Weather {
            impatience: one_of([0, 2, 6]),
            losses: one_of([0, 5, 20]),
            deaths: one_of([0, 2, 5]),
        };
        world
    }

    fn is_over(world: &World) -> bool {
        world.changers.iter().all(Changer::is_done)
    }

    fn step(world: &mut World) {
        let weather = world.weather;
        match world.dice.random_range(0..100) {
            0..8 => change(world),
            // A process that waits for several calls is held up more often.
            8 if world.held_up.len() < HELD_UP => {
                let process = world.scheduler.waiting().choose(&mut world.dice).copied();
                world.held_up.extend(process);
            }
            9 if world.dice.random_ratio(1, 4) => world.held_up.clear(),
            _ if world.dice.random_range(0..100) < weather.impatience => world.seal_holes(TimelineId::group(GROUP)),
            _ if world.dice.random_range(0..100) < weather.deaths => world.kill(|_| true),
            _ => {
                let fate = fate(world);
                world.grant_unless_held_up(|_| true, fate);
            }
        }
    }

    /// First everyone who is not held up ends, then the others do. The queue fails no more.
    fn finish(world: &mut World) {
        if let WorldQueue::Flaky(queue) = &mut world.queue {
            queue.every = 0;
        }
        let held_up = std::mem::take(&mut world.held_up);
        world.run_out(|process| !held_up.contains(&process));
        world.run_out(|_| true);
    }

    fn violations(world: &World) -> Vec<String> {
        block_on(violations(world))
    }
}

async fn create_group(super_group: bool) -> TestGroup {
    let group = TestGroup::empty(OWNER, UserId(USERS)).await;
    let new = NewGroup {
        super_group,
        ..new_group(&[UserId(2), UserId(3)])
    };
    group.create(&new).await.unwrap();
    for admin in [2, 3] {
        group
            .change(OWNER, Wanted::Role(UserId(admin), Role::Admin))
            .await
            .unwrap();
    }
    group
}

fn any_change(dice: &mut Dice) -> Wanted {
    let mut user = || dice.random_range(1..=USERS);
    let (one, other) = (user(), user());
    match dice.random_range(0..16) {
        0..4 => Wanted::Add(vec![UserId(one), UserId(other)]),
        4..7 => Wanted::Remove(vec![UserId(one), UserId(other)]),
        7 => Wanted::Remove(vec![UserId(one)]),
        8 => Wanted::Leave,
        9 => Wanted::Rename(format!("name {}", dice.random_range(0..100))),
        10 => Wanted::Role(UserId(one), [Role::Admin, Role::Member][dice.random_range(0..2)]),
        11 => Wanted::HandOver(UserId(one)),
        12 => Wanted::MuteMember(UserId(one), [0, LATER][dice.random_range(0..2)]),
        13 => Wanted::Mute(dice.random_ratio(1, 2)),
        14 => Wanted::OpenHistory(dice.random_ratio(1, 2)),
        _ if dice.random_ratio(1, 3) => Wanted::Dissolve,
        _ => Wanted::BecomeSuper,
    }
}

/// Starts a changer's next change, repeats its last one, or gives that up after many tries.
fn change(world: &mut World) {
    let changer = world.dice.random_range(0..world.changers.len());
    let running = world.attempts_of(changer);
    let it = &mut world.changers[changer];
    if it.is_done() || running >= ATTEMPTS_AT_ONCE {
        return;
    }
    if it.has_tried(TRIES) {
        it.give_up();
    } else {
        world.attempt_change(changer);
    }
}

fn fate(world: &mut World) -> Fate {
    match world.dice.random_range(0..100) < world.weather.losses {
        true if world.dice.random_ratio(1, 4) => Fate::Throttled,
        true => Fate::Lost(Effect::any(&mut world.dice)),
        false => Fate::Done,
    }
}

/// What is broken once a worker has finished the last change.
async fn violations(world: &World) -> Vec<String> {
    let WorldQueue::Flaky(flaky) = &world.queue else {
        unreachable!("the queue of this schedule is flaky")
    };
    let (store, queue) = (world.engine.store(), &flaky.queue);
    queue.finish(&store, ABANDONED).await;
    let check = GroupCheck::new(&world.engine, &store, (1..=USERS).map(UserId)).await;
    let mut errors = check.contradictions();
    let made: usize = world.changers.iter().map(|changer| changer.made).sum();
    errors.extend(check.unannounced(made));
    let enqueued: BTreeSet<u64> = queue.take().iter().map(announced_seq).collect();
    if !check.announced().is_subset(&enqueued) {
        errors.push(format!(
            "{:?} are announced, but {enqueued:?} are enqueued",
            check.announced()
        ));
    }
    errors
}

fn property() -> Property<()> {
    Property {
        seeds: include_str!("../seeds/group_changes.txt"),
        fixed: 0..24,
        new: 8,
        sizes: vec![()],
        shrinking: 200,
        run: run::<GroupChanges>,
    }
}

#[test]
fn a_group_is_what_its_log_says_under_concurrent_changes_and_deaths() {
    property().check();
}

#[test]
fn a_seed_is_a_schedule_of_changes() {
    property().seeds_are_schedules(3..4);
}
