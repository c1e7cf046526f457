//! Messages between two users: two devices send and repeat, and readers follow the log and both
//! inboxes.
//!
//! Attempts run side by side, die between any two calls and lose answers. With even seeds readers
//! give up any hole at any moment, so that no lease protects a writer. With odd seeds nobody does
//! until the end, so that writers fill holes behind cursors.

use super::{Schedule, run, sizes_up_to};
use crate::actors::Process;
use crate::actors::reader::{Reader, ReadsBy};
use crate::actors::sender::{Sender, Target};
use crate::checks::{answer_violations, judged, reader_violations, tables};
use crate::harness::{block_on, engine_with_users};
use crate::scheduling::dice::Dice;
use crate::scheduling::property::Property;
use crate::world::{Weather, World};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use wigwag_domain::UserId;
use wigwag_invariants::{Conversation, TimelineKey};

/// Messages of the two devices.
const MESSAGES: [u64; 2] = [6, 3];

pub(super) struct OneToOne;

impl Schedule for OneToOne {
    type Size = [u64; 2];
    const STEPS: usize = 4_000;

    /// Two devices of one user, or of two.
    fn begin(dice: Dice, messages: [u64; 2]) -> World {
        let mut world = World::new(dice, block_on(engine_with_users(UserId(2).0)));
        world.weather = Weather::draw(&mut world.dice);
        let second_user = world.dice.random_range(1..=2);
        world.add_sender(UserId(1), "phone", Target::User(UserId(2)), 10, messages[0]);
        world.add_sender(
            UserId(second_user),
            "tablet",
            Target::User(UserId(3 - second_user)),
            20,
            messages[1],
        );
        world.readers.push(Reader::new(log(), ReadsBy::UseCase, None));
        world.add_inbox_reader(UserId(1));
        world.add_inbox_reader(UserId(2));
        world
    }

    fn is_over(world: &World) -> bool {
        world.senders.iter().all(Sender::is_done)
    }

    fn step(world: &mut World) {
        match world.dice.random_range(0..100) {
            0..9 => world.send(),
            9 => world.kill(Process::is_read),
            10 => {
                let sends = world.running(|process| !process.is_read());
                world.held_up = sends.choose(&mut world.dice).copied().into_iter().collect();
            }
            _ => world.weather_step(),
        }
        world.read_on();
    }

    /// Clients try until they are answered, calls that are late run, and readers catch up.
    fn finish(world: &mut World) {
        if world.dice.random_ratio(1, 2) {
            world.run_out(|process| !process.is_read());
        }
        for sender in 0..world.senders.len() {
            world.finish_sender(sender);
        }
        world.run_out(|_| true);
        for reader in 0..world.readers.len() {
            world.catch_up(reader, 3);
        }
    }

    fn violations(world: &World) -> Vec<String> {
        let tables = tables(&world.engine);
        let mut errors = judged(world, &tables);
        for reader in &world.readers {
            errors.extend(reader_violations(reader, &tables));
        }
        errors.extend(answer_violations(world, &tables));
        errors
    }
}

fn log() -> TimelineKey {
    TimelineKey::Log(Conversation::pair(1, 2))
}

fn property() -> Property<[u64; 2]> {
    Property {
        seeds: include_str!("../seeds/one_to_one.txt"),
        fixed: 0..20,
        new: 20,
        sizes: sizes_up_to(MESSAGES),
        shrinking: 200,
        run: run::<OneToOne>,
    }
}

#[test]
fn an_acknowledged_message_is_stored_once_and_in_order_whatever_crashes() {
    property().check();
}

#[test]
fn a_seed_is_a_schedule() {
    property().seeds_are_schedules(0..2);
}
