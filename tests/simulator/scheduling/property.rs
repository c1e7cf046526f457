//! A property that must hold in every schedule, and the seeds it is tried with.
//!
//! Three kinds of seeds are run: the saved ones of `seeds/` (one file for each property; each line
//! says what the seed found), a fixed range, and some new ones on every run. `WIGWAG_SCHEDULE_SEED`
//! sets the first new seed and `WIGWAG_SCHEDULES` their number.
//!
//! The first schedule that breaks something is [shrunk](shrink) and shown, with the line that saves
//! its seed.

use super::dice::{Dice, Record};
use super::shrink::shrink;
use super::trace::Trace;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A property of schedules of several sizes.
pub(crate) struct Property<S> {
    /// The text of the file with the saved seeds, which bears the name of the schedule.
    pub(crate) seeds: &'static str,
    /// The seeds that are the same on every run.
    pub(crate) fixed: Range<u64>,
    /// The number of new seeds.
    pub(crate) new: u64,
    /// The sizes, smallest first. Seeds are run in the last one.
    pub(crate) sizes: Vec<S>,
    /// How many runs may be spent on shrinking.
    pub(crate) shrinking: usize,
    /// Runs one schedule.
    pub(crate) run: fn(Dice, S) -> Run,
}

/// The result of one schedule.
pub(crate) struct Run {
    /// Everything that was drawn.
    pub(crate) record: Record,
    pub(crate) trace: Trace,
    /// The promises that it broke.
    pub(crate) violations: Vec<String>,
}

impl<S: Copy + fmt::Debug + Sync> Property<S> {
    /// Runs the seeds.
    ///
    /// # Panics
    ///
    /// Panics if one of them breaks something.
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

    /// Runs each seed twice, and its record once.
    ///
    /// # Panics
    ///
    /// Panics if the runs differ.
    pub(crate) fn seeds_are_schedules(&self, seeds: Range<u64>) {
        let size = self.size();
        for seed in seeds {
            let first = (self.run)(Dice::from_seed(seed), size);
            let again = (self.run)(Dice::from_seed(seed), size);
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
                        if self.breaks(Dice::from_seed(seed), self.size()).is_some() {
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

    /// Runs a schedule; `Some` if it breaks something or panics.
    fn breaks(&self, dice: Dice, size: S) -> Option<Broken> {
        let run = catch_unwind(AssertUnwindSafe(|| (self.run)(dice, size)));
        match run {
            Ok(run) => (!run.violations.is_empty()).then_some(Broken::Violated(run.record)),
            Err(_) => Some(Broken::Panicked),
        }
    }

    /// Describes the smallest schedule of this seed that breaks something.
    fn report(&self, seed: u64) -> String {
        let smallest = self.sizes.iter().find_map(|&size| {
            let broken = self.breaks(Dice::from_seed(seed), size)?;
            Some((size, broken))
        });
        let Some((size, Broken::Violated(record))) = smallest else {
            return format!("seed {seed} panics, see above");
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
             To run it first from now on, add this line to its file in tests/simulator/seeds:\n\
             {seed} # what it found"
        )
    }
}

/// How a schedule fails.
enum Broken {
    /// With everything that was drawn.
    Violated(Record),
    Panicked,
}

/// The seeds of a file: one at the start of each line; `#` begins a comment.
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

    /// Ten steps. If the size is larger than 1, none of them may draw more than 90.
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
    fn a_report_shows_the_smallest_failing_schedule_and_how_to_save_its_seed() {
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
