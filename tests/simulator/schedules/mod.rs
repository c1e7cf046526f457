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
    let world = play::<S>(dice, size);
    let mut violations = S::violations(&world);
    violations.splice(0..0, world.errors);
    Run {
        violations,
        trace: world.scheduler.into_trace(),
        record: world.dice.into_record(),
    }
}

/// Lets everything happen in a schedule, up to its end.
fn play<S: Schedule>(dice: Dice, size: S::Size) -> World {
    let mut world = S::begin(dice, size);
    for _ in 0..S::STEPS {
        if !world.errors.is_empty() || S::is_over(&world) || !world.dice.next_step() {
            break;
        }
        S::step(&mut world);
    }
    world.stop_faults();
    S::finish(&mut world);
    world
}

/// The sizes of schedules with two senders: how many messages each of them sends, smallest first.
fn sizes_up_to(most: [u64; 2]) -> Vec<[u64; 2]> {
    let sizes = (1..=most[0]).flat_map(|first| (0..=most[1]).map(move |second| [first, second]));
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use super::fan_out::FanOut;
    use super::one_to_one::OneToOne;
    use super::timelines::Timelines;
    use super::*;
    use serde_json::{Value, json};

    /// Plays a schedule, and seals an entry of each timeline in turn behind the store's back.
    fn every_loss_is_found<S: Schedule>(size: S::Size) {
        let world = play::<S>(Dice::from_seed(1), size);
        assert!(S::violations(&world).is_empty());
        let items = world.engine.items("timelines");
        let entries = items
            .iter()
            .filter(|item| item.get("m").is_some() || item.get("l").is_some());
        let mut timelines: Vec<&Value> = entries.collect();
        timelines.dedup_by_key(|item| &item["t"]);
        assert!(!timelines.is_empty());
        for entry in timelines {
            let seal = json!({ "t": entry["t"], "n": entry["n"], "x": { "BOOL": true } });
            world.engine.put("timelines", &seal);
            assert!(!S::violations(&world).is_empty(), "{} at {}", entry["t"], entry["n"]);
            world.engine.put("timelines", entry);
        }
    }

    #[test]
    fn an_entry_that_is_lost_is_found_whichever_timeline_it_was_in() {
        every_loss_is_found::<Timelines>(());
        every_loss_is_found::<OneToOne>([3, 2]);
        every_loss_is_found::<FanOut>([3, 2]);
    }
}
