//! The model of design and code in one: attempts to send that run side by side, die between any two calls, lose answers and
//! are repeated, and readers side by side with them. With every other seed readers give up any hole at any moment, so that
//! no lease protects anybody; with the others nobody does, so that writers fill holes behind cursors. After it the
//! [guarantees](crate::guarantees) are checked.
//!
//! `WIGWAG_SCHEDULE_SEED` sets the first of the seeds that are new on every run, `WIGWAG_SCHEDULES` how many there are.

use crate::guarantees::violations;
use crate::harness::Engine;
use crate::processes::World;
use crate::scheduler::Scheduler;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Seeds that found a violation once.
const REGRESSIONS: &[u64] = &[];
/// Seeds that are the same on every run.
const FIXED: std::ops::Range<u64> = 0..20;
/// How many new ones.
const NEW: u64 = 20;

/// Messages of the two devices.
const MESSAGES: [u64; 2] = [6, 3];

/// Runs one schedule. Answers with its trace and what it broke.
fn run(seed: u64, messages: [u64; 2]) -> (Vec<String>, Vec<String>) {
    let engine = Engine::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        engine.user(1).await;
        engine.user(2).await;
    });
    let mut world = World::new(seed, messages, Scheduler::new(engine.clone()));
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

/// The seeds that break something, in order.
fn broken(seeds: &[u64]) -> Vec<u64> {
    let next = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if !run(seed, MESSAGES).1.is_empty() {
                        broken.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let mut broken = broken.into_inner().unwrap();
    broken.sort_unstable();
    broken
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn whatever_crashes_an_acknowledged_message_stands_once_and_in_order() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = setting("WIGWAG_SCHEDULE_SEED").unwrap_or(now.as_secs() << 20);
    let new = first..first + setting("WIGWAG_SCHEDULES").unwrap_or(NEW);
    println!("new seeds: {new:?}");
    let seeds: Vec<u64> = REGRESSIONS.iter().copied().chain(FIXED).chain(new).collect();
    let started = Instant::now();
    let broken = broken(&seeds);
    println!("{} schedules in {:?}", seeds.len(), started.elapsed());
    assert!(
        broken.is_empty(),
        "{} of {} schedules break something: {broken:?}\n{}",
        broken.len(),
        seeds.len(),
        report(broken[0])
    );
}

#[test]
fn a_seed_is_a_schedule() {
    for seed in 0..2 {
        assert_eq!(run(seed, MESSAGES), run(seed, MESSAGES));
    }
}
