//! The schedules: which actors take part, what happens in a step, and what must hold at the end.
//!
//! `docs/contributor/simulator.md` says which mutants each of them finds.

mod fan_out;
mod group_changes;
mod one_to_one;
mod timelines;

use crate::scheduling::dice::Dice;
use crate::scheduling::property::Run;
use crate::world::World;

/// A kind of schedule.
trait Schedule {
    /// How much there is to do in it.
    type Size;

    /// Most steps before the faults stop.
    const STEPS: usize;

    /// Sets up a world with its actors.
    fn begin(dice: Dice, size: Self::Size) -> World;

    /// Whether there is nothing left to do.
    fn is_over(world: &World) -> bool;

    /// Lets something happen, with faults.
    fn step(world: &mut World);

    /// Finishes everything, without faults.
    fn finish(world: &mut World);

    /// The promises that were broken.
    fn violations(world: &World) -> Vec<String>;
}

/// Runs a schedule.
fn run<S: Schedule>(dice: Dice, size: S::Size) -> Run {
    let mut world = S::begin(dice, size);
    for _ in 0..S::STEPS {
        if !world.errors.is_empty() || S::is_over(&world) || !world.dice.next_step() {
            break;
        }
        S::step(&mut world);
    }
    world.stop_faults();
    S::finish(&mut world);
    let mut violations = S::violations(&world);
    violations.splice(0..0, world.errors);
    Run {
        violations,
        trace: world.scheduler.into_trace(),
        record: world.dice.into_record(),
    }
}

/// The sizes of schedules with two senders: how many messages each of them sends, smallest first.
fn sizes_up_to(most: [u64; 2]) -> Vec<[u64; 2]> {
    let sizes = (1..=most[0]).flat_map(|first| (0..=most[1]).map(move |second| [first, second]));
    sizes.collect()
}
