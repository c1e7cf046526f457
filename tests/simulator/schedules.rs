//! The model of design and code in one (`model/one_to_one.py` is the design's): attempts to send that run side by side, die
//! between any two calls, lose answers and are repeated, and readers side by side with them. With every other seed readers
//! give up any hole at any moment, so that no lease protects anybody; with the others nobody does until the end, so that
//! writers fill holes behind cursors. After it the [guarantees](crate::guarantees) are checked.
//!
//! Forty-six schedules are run, in about ten seconds on two cores; how a failure is told and kept, [`property`](crate::property)
//! says.
//!
//! A check that cannot fail is worthless. These bugs were planted in the store, one at a time, and taken out again, with
//! `WIGWAG_SCHEDULE_SEED=1000 WIGWAG_SCHEDULES=80` beside the other seeds:
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

use crate::dice::Dice;
use crate::guarantees::violations;
use crate::harness::Engine;
use crate::property::{Property, Run};
use crate::scheduler::Scheduler;
use crate::world::World;

/// Messages of the two devices.
const MESSAGES: [u64; 2] = [6, 3];

fn property() -> Property<[u64; 2]> {
    let smaller = (1..=MESSAGES[0]).flat_map(|first| (0..=MESSAGES[1]).map(move |second| [first, second]));
    Property {
        seeds: include_str!("seeds/schedules.txt"),
        fixed: 0..20,
        new: 20,
        sizes: smaller.collect(),
        shrinking: 200,
        run,
    }
}

fn run(dice: Dice, messages: [u64; 2]) -> Run {
    let engine = Engine::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        engine.user(1).await;
        engine.user(2).await;
    });
    let mut world = World::new(dice, messages, Scheduler::new(engine.clone()));
    world.run();
    Run {
        violations: violations(&world, &engine),
        trace: world.scheduler.into_trace(),
        record: world.dice.into_record(),
    }
}

#[test]
fn whatever_crashes_an_acknowledged_message_stands_once_and_in_order() {
    property().check();
}

#[test]
fn a_seed_is_a_schedule() {
    property().seeds_are_schedules(0..2);
}
