//! Groups under random schedules.

mod checks;
mod parties;
mod world;

use crate::harness::Engine;
use crate::scheduler::Scheduler;
use crate::schedules::{broken, setting};
use checks::violations;
use world::{World, found};

/// Seeds that are always run.
const REGRESSIONS: &[u64] = &[];
/// Seeds that are the same on every run.
const FIXED: std::ops::Range<u64> = 0..20;
/// How many new ones.
const NEW: u64 = 10;

/// Messages of the two devices.
const MESSAGES: [u64; 2] = [6, 3];

/// Runs one schedule. Answers with its trace and what it broke.
fn run(seed: u64, messages: [u64; 2]) -> (Vec<String>, Vec<String>) {
    let engine = Engine::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tasks = runtime.block_on(found(&engine));
    let mut world = World::new(seed, messages, Scheduler::new(engine.clone()), tasks);
    world.run();
    let violations = violations(&world, &engine);
    (world.scheduler.into_trace(), violations)
}

/// The same seed with as few messages as still break something.
fn report(seed: u64) -> String {
    let smaller = (1..=MESSAGES[0]).flat_map(|first| (0..=MESSAGES[1]).map(move |second| [first, second]));
    let (messages, (trace, violations)) = smaller
        .map(|messages| (messages, run(seed, messages)))
        .find(|(_, (_, violations))| !violations.is_empty())
        .unwrap_or_else(|| (MESSAGES, run(seed, MESSAGES)));
    format!(
        "seed {seed}, messages {messages:?}\n{}\n{}",
        trace.join("\n"),
        violations.join("\n")
    )
}

#[test]
fn whatever_crashes_a_groups_message_reaches_each_member_once_and_nobody_else() {
    let first = setting("WIGWAG_SCHEDULE_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let new = first..first + setting("WIGWAG_SCHEDULES").unwrap_or(NEW);
    println!("new seeds: {new:?}");
    let seeds: Vec<u64> = REGRESSIONS.iter().copied().chain(FIXED).chain(new).collect();
    let broken = broken(&seeds, |seed| run(seed, MESSAGES).1.is_empty());
    println!(
        "{} of {} schedules break something: {broken:?}",
        broken.len(),
        seeds.len()
    );
    if let Some(&seed) = broken.first() {
        panic!("{}", report(seed));
    }
}

#[test]
fn a_seed_is_a_schedule() {
    for seed in 0..2 {
        assert_eq!(run(seed, MESSAGES), run(seed, MESSAGES));
    }
}
