//! The model of design and code in one (`model/one_to_one.py` is the design's): attempts to send that run side by side, die
//! between any two calls, lose answers and are repeated, and readers side by side with them. With every other seed readers
//! give up any hole at any moment, so that no lease protects anybody; with the others nobody does until the end, so that
//! writers fill holes behind cursors. After it the [guarantees](crate::guarantees) are checked.
//!
//! Forty-six schedules are run, in about ten seconds on two cores. `WIGWAG_SCHEDULE_SEED` sets the first of the seeds that
//! are new on every run, `WIGWAG_SCHEDULES` how many there are. Nothing but its seed makes a schedule, so a failure names
//! its seed, and shows the run with the fewest messages that still fails.
//!
//! A check that cannot fail is worthless. These bugs were planted in the store, one at a time, and taken out again, with
//! `WIGWAG_SCHEDULE_SEED=1000 WIGWAG_SCHEDULES=80` beside the seeds below:
//!
//! | Bug | Of 101 seeds, find it |
//! |---|---|
//! | `pass_holes`: a page's cursor goes to its last row | 84 |
//! | `ack_before_log`: the answer comes after the claim, with nothing put | 101 |
//! | `ack_despite_lost_log`: a log entry that could not be put is passed over | 2 |
//! | `ack_before_inbox`: the same with the receiver's entry | 6 |
//! | `no_plan`: a repeat uses the seqs that it reserved itself | 100 |
//! | `drop_repeats`: a repeat is refused | 101 |
//! | `unfinished_repeats`: a repeat is answered from the plan, with nothing put | 72 |
//! | `no_cas`: a swap replaces whatever plan stands | 9 |
//! | `stale_swap`: a swap that another attempt won is tried until it is won | 4 |
//! | `no_seal_check`: an entry replaces a seal | 28 |
//! | `seal_over_entry`: a seal replaces an entry | 33 |
//! | `inbox_first`: the inboxes are written before the log | 39 |
//! | `own_time`: a repeat stamps the message with its own time | 99 |
//!
//! Some bugs stay in the store, behind the feature `plant` (`src/plant.rs`), for the history checker. They can be had here too:
//!
//! ```text
//! WIGWAG_PLANT=read-past-hole cargo test --test engine --features wigwag-store/plant schedules::whatever
//! ```
//!
//! With `WIGWAG_SCHEDULE_SEED=1000 WIGWAG_SCHEDULES=14`, of 40 seeds `read-past-hole` is found by 33, `cursor-to-counter` by 40,
//! `ack-before-log` by 40, `repeat-gets-new-seq` by 39, `repeat-unfinished` by 32, `no-seal` by 33, `seal-ignores-late-writer` by 11.
//! Tests of their own find the others: `disconnect-unchecked` in `devices`, `redelivery-copies-again`, `copy-to-removed` and
//! `push-to-removed` in `deliver`, `history-before-join` in `groups`.

use crate::guarantees::violations;
use crate::harness::Engine;
use crate::scheduler::Scheduler;
use crate::world::World;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds that are always run. The first found a hole that a reader did not give up while the seals of others were young; the
/// rest found planted bugs that few others find.
const REGRESSIONS: &[u64] = &[100_326, 1004, 1006, 1014, 1028, 1058];
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
pub(crate) fn broken(seeds: &[u64], holds: impl Fn(u64) -> bool + Sync + RefUnwindSafe) -> Vec<u64> {
    let next = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if !catch_unwind(|| holds(seed)).unwrap_or(false) {
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

pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn whatever_crashes_an_acknowledged_message_stands_once_and_in_order() {
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
