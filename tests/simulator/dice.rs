//! Where a schedule's choices come from: a seed, or what was drawn in an earlier run, of which some may be missing. So a
//! schedule that fails can be run again with less and less of it.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _, TryRng};
use std::collections::VecDeque;
use std::convert::Infallible;

/// All that was drawn in a run: in its set-up, in each step, at its end. Whoever draws it again has the same run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    seed: u64,
    parts: Vec<Vec<u64>>,
}

impl Record {
    /// How many steps it has.
    pub(crate) fn steps(&self) -> usize {
        self.parts.len().saturating_sub(2)
    }

    fn without(&self, first_step: usize, steps: usize) -> Self {
        let mut parts = self.parts.clone();
        parts.drain(1 + first_step..=self.steps().min(first_step + steps));
        Self { seed: self.seed, parts }
    }

    fn with_zero(&self, part: usize, place: usize) -> Self {
        let mut zeroed = self.clone();
        zeroed.parts[part][place] = 0;
        zeroed
    }
}

/// A source of choices. Where the record that is followed has no more for a part, because another way was taken there,
/// they come from the seed.
pub(crate) struct Dice {
    rng: StdRng,
    drawn: Record,
    /// What is to be drawn next.
    next: VecDeque<u64>,
    /// The parts that follow; `None`: no record is followed.
    following: Option<VecDeque<Vec<u64>>>,
}

impl Dice {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let drawn = Record {
            seed,
            parts: vec![Vec::new()],
        };
        Self {
            rng: StdRng::seed_from_u64(seed),
            drawn,
            next: VecDeque::new(),
            following: None,
        }
    }

    pub(crate) fn following(record: Record) -> Self {
        let mut parts = VecDeque::from(record.parts);
        Self {
            next: parts.pop_front().unwrap_or_default().into(),
            following: Some(parts),
            ..Self::of_seed(record.seed)
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.drawn.seed
    }

    /// Begins the next step. False: there is none.
    pub(crate) fn next_step(&mut self) -> bool {
        let is_there = self.following.as_ref().is_none_or(|parts| parts.len() > 1);
        if is_there {
            self.next_part();
        }
        is_there
    }

    /// Begins the end, which comes after the last step.
    pub(crate) fn end(&mut self) {
        if let Some(parts) = &mut self.following {
            parts.drain(..parts.len().saturating_sub(1));
        }
        self.next_part();
    }

    fn next_part(&mut self) {
        let part = self.following.as_mut().and_then(VecDeque::pop_front);
        self.next = part.unwrap_or_default().into();
        self.drawn.parts.push(Vec::new());
    }

    /// All that was drawn.
    pub(crate) fn into_record(self) -> Record {
        self.drawn
    }

    fn draw(&mut self, fresh: impl FnOnce(&mut StdRng) -> u64) -> u64 {
        let drawn = self.next.pop_front().unwrap_or_else(|| fresh(&mut self.rng));
        self.drawn.parts.last_mut().unwrap().push(drawn);
        drawn
    }
}

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let drawn = self.draw(|rng| rng.next_u32().into());
        Ok(u32::try_from(drawn & u64::from(u32::MAX)).unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.draw(StdRng::next_u64))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.draw(StdRng::next_u64).to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
        Ok(())
    }
}

/// Makes a run that fails smaller for as long as it fails: with fewer steps, of which it leaves out half at once, then a
/// quarter, down to single ones, and with zeros for what was drawn, as zero makes the first of all choices. `fails` runs a
/// record, and answers with what was drawn if that failed, too. No more than so many are run.
pub(crate) fn shrink(record: Record, runs: usize, fails: impl Fn(Record) -> Option<Record>) -> Record {
    let mut shrinking = Shrinking { record, runs, fails };
    while shrinking.leaves_steps_out() | shrinking.draws_zeros() {}
    shrinking.record
}

struct Shrinking<F> {
    /// The smallest that failed.
    record: Record,
    /// How many may still be run.
    runs: usize,
    fails: F,
}

impl<F: Fn(Record) -> Option<Record>> Shrinking<F> {
    fn fails(&mut self, smaller: Record) -> bool {
        if self.runs == 0 {
            return false;
        }
        self.runs -= 1;
        let failed = (self.fails)(smaller);
        let fails = failed.is_some();
        self.record = failed.unwrap_or_else(|| self.record.clone());
        fails
    }

    fn leaves_steps_out(&mut self) -> bool {
        let before = self.record.steps();
        let mut at_once = before.div_ceil(2);
        while at_once > 0 {
            let mut first = 0;
            while first < self.record.steps() {
                if !self.fails(self.record.without(first, at_once)) {
                    first += at_once;
                }
            }
            at_once /= 2;
        }
        self.record.steps() < before
    }

    fn draws_zeros(&mut self) -> bool {
        let mut any = false;
        let mut part = 0;
        while part < self.record.parts.len() {
            let mut place = 0;
            while let Some(&drawn) = self.record.parts.get(part).and_then(|part| part.get(place)) {
                any |= drawn != 0 && self.fails(self.record.with_zero(part, place));
                place += 1;
            }
            part += 1;
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    /// A run of so many steps at most; in each of them one of 100 is drawn, and once more in every tenth.
    fn run(mut dice: Dice) -> (Vec<u32>, Record) {
        let mut drawn = vec![dice.random_range(0..100)];
        while drawn.len() < 50 && dice.next_step() {
            let next = dice.random_range(0..100);
            if next % 10 == 0 {
                dice.random_range(0..100_u64);
            }
            drawn.push(next);
        }
        dice.end();
        drawn.push(dice.random_range(0..100));
        (drawn, dice.into_record())
    }

    #[test]
    fn whoever_follows_a_record_draws_the_same() {
        let (drawn, record) = run(Dice::of_seed(1));
        assert_eq!(run(Dice::following(record.clone())), (drawn, record));
    }

    #[test]
    fn of_the_steps_of_a_run_those_are_left_that_it_takes_to_fail() {
        let takes = |drawn: &[u32]| drawn.iter().filter(|&&drawn| drawn > 60).count() >= 3;
        let (drawn, record) = run(Dice::of_seed(1));
        assert!(takes(&drawn[1..50]) && record.steps() == 49);
        let fails = |record| {
            let (drawn, record) = run(Dice::following(record));
            takes(&drawn[1..drawn.len() - 1]).then_some(record)
        };
        let (drawn, small) = run(Dice::following(shrink(record.clone(), 1_000, fails)));
        assert_eq!((drawn[0], drawn[4], small.steps()), (0, 0, 3), "{drawn:?}");
        assert_eq!(shrink(record.clone(), 0, fails), record);
    }
}
