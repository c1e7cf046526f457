//! One timeline: writers reserve and put, readers follow a cursor, sealers seal any seq that was
//! reserved.
//!
//! Any call may be lost or late. Writers die between two calls, or are held up until everything
//! around them is sealed, or for ever. Everything else in the store rests on timelines, and this
//! schedule on nothing else, so its runs are short and many: about twenty calls and twelve
//! milliseconds of processor time each.

use super::{Schedule, run};
use crate::actors::Process;
use crate::actors::reader::{Reader, ReadsBy};
use crate::actors::writer::writer_of;
use crate::checks::{reader_violations, tables, timeline_violations};
use crate::engine::Engine;
use crate::harness::{LATER, NOW};
use crate::scheduling::dice::Dice;
use crate::scheduling::property::Property;
use crate::scheduling::scheduler::Fate;
use crate::world::World;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use wigwag_invariants::{Conversation, Row, TimelineKey};

const READERS: usize = 2;

pub(super) struct Timelines;

impl Schedule for Timelines {
    type Size = ();
    const STEPS: usize = 50;

    /// Two or three writers.
    fn begin(dice: Dice, (): ()) -> World {
        let mut world = World::new(dice, Engine::start());
        let readers = (0..READERS).map(|_| Reader::new(log(), ReadsBy::Timeline, None));
        world.readers = readers.collect();
        for number in 1..=world.dice.random_range(2..=3) {
            world.start_writer(number);
        }
        world
    }

    fn is_over(world: &World) -> bool {
        let writers = world.running_writers();
        writers.iter().all(|writer| world.held_up.contains(writer))
    }

    fn step(world: &mut World) {
        match world.dice.random_range(0..100) {
            0..68 => world.grant_unless_held_up(|_| true, Fate::Done),
            68..78 => read(world),
            78..84 => world.seal(),
            84..92 => {
                let fate = world.fault();
                world.grant_unless_held_up(|_| true, fate);
            }
            92..95 => {
                if let Some(&writer) = world.running_writers().choose(&mut world.dice) {
                    world.kill_writer(writer);
                }
            }
            _ => hold_up(world),
        }
    }

    /// Some writers that were held up never go on. The others do so when a reader has given up
    /// every hole.
    fn finish(world: &mut World) {
        let mut held_up = std::mem::take(&mut world.held_up);
        held_up.retain(|&writer| {
            let goes_on = world.scheduler.is_running(writer) && world.dice.random_ratio(2, 3);
            if !goes_on {
                world.kill_writer(writer);
            }
            goes_on
        });
        world.run_out(|process| !held_up.contains(&process));
        if !held_up.is_empty() {
            world.catch_up(0, 100);
            world.run_out(|_| true);
        }
        for reader in 0..READERS {
            world.catch_up(reader, 100);
        }
    }

    fn violations(world: &World) -> Vec<String> {
        let tables = tables(&world.engine);
        let mut errors = timeline_violations(&tables);
        for reader in &world.readers {
            errors.extend(reader_violations(reader, &tables));
        }
        let timeline = tables.timelines.get(&log());
        let row = |seq| timeline.and_then(|timeline| timeline.rows.get(&seq));
        let told = world.writers.told.borrow();
        for &(token, seq) in &told.acknowledged {
            if !matches!(row(seq), Some(Row::Entry(stored)) if stored.token == Some(token)) {
                let stored = row(seq);
                errors.push(format!("G1 {token} is acknowledged at {seq}, which holds {stored:?}"));
            }
        }
        for &seq in &world.sealers.sealed {
            if row(seq) != Some(&Row::Seal) {
                let stored = row(seq);
                errors.push(format!(
                    "G3 a sealer was told that {seq} is sealed, but it holds {stored:?}"
                ));
            }
        }
        for (&writer, &entries) in &world.writers.alive {
            let acknowledged = told.acknowledged.iter();
            let acknowledged = acknowledged.filter(|(token, _)| writer_of(*token) == u64::from(writer));
            let acknowledged = acknowledged.count();
            if acknowledged != usize::from(entries) {
                errors.push(format!(
                    "liveness: writer {writer} wrote {acknowledged} of {entries} entries"
                ));
            }
        }
        errors
    }
}

fn log() -> TimelineKey {
    TimelineKey::Log(Conversation::pair(1, 2))
}

/// Starts the next read of a reader. The clock of every other one is far ahead, so that it gives up
/// every hole.
fn read(world: &mut World) {
    let reader = world.dice.random_range(0..READERS);
    let now_ms = [NOW, LATER][world.dice.random_range(0..2)];
    let limit = world.dice.random_range(1..=5);
    if !world.is_reading(reader) {
        world.read(reader, limit, now_ms);
    }
}

fn hold_up(world: &mut World) {
    let mut writers: Vec<Process> = world.running_writers();
    writers.retain(|writer| !world.held_up.contains(writer));
    if let Some(&writer) = writers.choose(&mut world.dice) {
        world.scheduler.note(&format_args!("{writer} is held up"));
        world.held_up.push(writer);
    }
}

fn property() -> Property<()> {
    Property {
        seeds: include_str!("../seeds/timelines.txt"),
        fixed: 0..1_000,
        new: 1_000,
        sizes: vec![()],
        shrinking: 1_000,
        run: run::<Timelines>,
    }
}

#[test]
fn an_acknowledged_entry_is_stored_once_and_no_cursor_misses_it_whichever_writer_dies() {
    property().check();
}

#[test]
fn a_seed_is_a_schedule() {
    property().seeds_are_schedules(0..20);
}
