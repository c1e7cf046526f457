//! What is said of all schedules, held against many of them. Nothing but its seed makes a schedule. Three kinds of seeds are
//! run: those saved in `seeds/`, a file for each property, in which each line says what it found; some that are the same on
//! every run; some that are new on every run. `WIGWAG_SCHEDULE_SEED` sets the first of the new ones, `WIGWAG_SCHEDULES` how
//! many there are.
//!
//! Of those that break something the first is shown, as small as it can be made: at the smallest size that still breaks
//! something, and then without the steps that it does not take ([`shrink`]). What is shown says how to save its seed.

use crate::dice::{Dice, Record, shrink};
use crate::trace::Trace;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A property of schedules, which come in sizes.
pub(crate) struct Property<S> {
    /// The file with the seeds that are saved: its place in `seeds/` bears the name of the property's module.
    pub(crate) seeds: &'static str,
    /// Seeds that are the same on every run.
    pub(crate) fixed: Range<u64>,
    /// How many new ones.
    pub(crate) new: u64,
    /// From the smallest to that in which the seeds are run.
    pub(crate) sizes: Vec<S>,
    /// Runs that may be spent on making a schedule smaller.
    pub(crate) shrinking: usize,
    /// Runs one schedule.
    pub(crate) run: fn(Dice, S) -> Run,
}

/// A schedule that was run.
pub(crate) struct Run {
    /// What was drawn in it.
    pub(crate) record: Record,
    pub(crate) trace: Trace,
    /// What it broke.
    pub(crate) violations: Vec<String>,
}

impl<S: Copy + fmt::Debug + Sync> Property<S> {
    /// Runs the seeds.
    ///
    /// # Panics
    ///
    /// If one of them breaks something.
    pub(crate) fn check(&self) {
        let first = setting("WIGWAG_SCHEDULE_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let new = first..first + setting("WIGWAG_SCHEDULES").unwrap_or(self.new);
        println!("new seeds: {new:?}");
        let mut seen = BTreeSet::new();
        let seeds = saved(self.seeds).chain(self.fixed.clone()).chain(new);
        let seeds: Vec<u64> = seeds.filter(|&seed| seen.insert(seed)).collect();
        let broken = self.broken(&seeds);
        println!(
            "{} of {} schedules break something: {broken:?}",
            broken.len(),
            seeds.len()
        );
        if let Some(&seed) = broken.first() {
            panic!("{}", self.report(seed));
        }
    }

    /// Runs seeds twice.
    ///
    /// # Panics
    ///
    /// If that is not twice the same, or not the same as what was recorded.
    pub(crate) fn seeds_are_schedules(&self, seeds: Range<u64>) {
        let size = self.size();
        for seed in seeds {
            let first = (self.run)(Dice::of_seed(seed), size);
            let again = (self.run)(Dice::of_seed(seed), size);
            let followed = (self.run)(Dice::following(first.record.clone()), size);
            let expected = (first.trace.to_string(), first.violations, first.record);
            for run in [again, followed] {
                assert_eq!((run.trace.to_string(), run.violations, run.record), expected);
            }
        }
    }

    fn size(&self) -> S {
        *self.sizes.last().expect("a size")
    }

    /// The seeds that break something, in order.
    fn broken(&self, seeds: &[u64]) -> Vec<u64> {
        let next = AtomicUsize::new(0);
        let broken = Mutex::new(Vec::new());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                        if self.breaks(Dice::of_seed(seed), self.size()).is_some() {
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

    /// Runs a schedule that may break something, or panic.
    fn breaks(&self, dice: Dice, size: S) -> Option<Broken> {
        let run = catch_unwind(AssertUnwindSafe(|| (self.run)(dice, size)));
        match run {
            Ok(run) => (!run.violations.is_empty()).then_some(Broken::Violated(run.record)),
            Err(_) => Some(Broken::Panicked),
        }
    }

    /// The smallest schedule of this seed that was found to break something.
    fn report(&self, seed: u64) -> String {
        let smallest = self.sizes.iter().find_map(|&size| {
            let broken = self.breaks(Dice::of_seed(seed), size)?;
            Some((size, broken))
        });
        let Some((size, Broken::Violated(record))) = smallest else {
            return format!("seed {seed} panics, as said above");
        };
        let steps = record.steps();
        let small = shrink(record, self.shrinking, |record| {
            match self.breaks(Dice::following(record), size)? {
                Broken::Violated(record) => Some(record),
                Broken::Panicked => None,
            }
        });
        let Run {
            record,
            trace,
            violations,
        } = (self.run)(Dice::following(small), size);
        let left = record.steps();
        let size = match self.sizes.len() {
            1 => String::new(),
            _ => format!(", size {size:?}"),
        };
        let violations = violations.join("\n");
        format!(
            "seed {seed}{size}: {left} of {steps} steps\n{trace}{violations}\n\
             To have it run first from now on, add this line to its file in tests/simulator/seeds:\n\
             {seed} # what it found"
        )
    }
}

/// How a schedule fails.
enum Broken {
    /// What was drawn in it.
    Violated(Record),
    Panicked,
}

/// The seeds in a file: one at the start of each line, up to a `#`.
fn saved(file: &'static str) -> impl Iterator<Item = u64> {
    let seeds = file
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    seeds
        .filter(|seed| !seed.is_empty())
        .map(|seed| seed.parse().expect("a seed at the start of the line"))
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    /// Ten steps, of which none may draw more than 90 where the size is larger than 1.
    fn run(mut dice: Dice, size: u32) -> Run {
        let (mut trace, mut violations) = (Trace::default(), Vec::new());
        for _ in 0..10 {
            if !dice.next_step() {
                break;
            }
            let drawn = dice.random_range(0..100);
            trace.note(&drawn);
            violations.extend((size > 1 && drawn > 90).then(|| format!("{drawn} is too much")));
        }
        dice.end();
        Run {
            record: dice.into_record(),
            trace,
            violations,
        }
    }

    #[test]
    fn of_what_breaks_something_the_smallest_is_shown_and_how_to_save_it() {
        let property = Property {
            seeds: "# comment\n\n7 # what it found\n8\n",
            fixed: 0..30,
            new: 0,
            sizes: vec![1, 2, 3],
            shrinking: 100,
            run,
        };
        assert!(saved(property.seeds).eq([7, 8]));
        let seeds: Vec<u64> = (0..30).collect();
        let broken = property.broken(&seeds);
        assert!(!broken.is_empty() && broken.len() < seeds.len(), "{broken:?}");
        let report = property.report(broken[0]);
        let first = format!("seed {}, size 2: 1 of 10 steps\n   1 9", broken[0]);
        let last = format!("\n{} # what it found", broken[0]);
        assert!(report.starts_with(&first) && report.ends_with(&last), "{report}");
    }
}
