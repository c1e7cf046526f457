//! The choices of a schedule: drawn from a seed, or replayed from the record of an earlier run.
//!
//! Parts of a record may be left out, so that a schedule that fails can be run again with less and
//! less of it.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _, TryRng};
use std::collections::VecDeque;
use std::convert::Infallible;

/// Everything that was drawn in a run: in its set-up, in each step, at its end. Drawing it again
/// repeats the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    seed: u64,
    pub(super) parts: Vec<Vec<u64>>,
}

impl Record {
    /// The number of steps.
    pub(crate) fn steps(&self) -> usize {
        self.parts.len().saturating_sub(2)
    }

    /// The record without `steps` steps from `first_step` on.
    pub(super) fn without(&self, first_step: usize, steps: usize) -> Self {
        let mut parts = self.parts.clone();
        parts.drain(1 + first_step..=self.steps().min(first_step + steps));
        Self { seed: self.seed, parts }
    }

    /// The record with a zero in place of one draw.
    pub(super) fn with_zero(&self, part: usize, index: usize) -> Self {
        let mut zeroed = self.clone();
        zeroed.parts[part][index] = 0;
        zeroed
    }
}

/// A source of choices.
///
/// A run that follows a record may need more draws in a part than were recorded, because it took
/// another way there. Those come from the seed.
pub(crate) struct Dice {
    rng: StdRng,
    drawn: Record,
    /// The draws to replay next.
    next: VecDeque<u64>,
    /// The parts to replay after that; `None` if no record is followed.
    following: Option<VecDeque<Vec<u64>>>,
}

impl Dice {
    pub(crate) fn from_seed(seed: u64) -> Self {
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

    /// Replays a record.
    pub(crate) fn following(record: Record) -> Self {
        let mut parts = VecDeque::from(record.parts);
        Self {
            next: parts.pop_front().unwrap_or_default().into(),
            following: Some(parts),
            ..Self::from_seed(record.seed)
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.drawn.seed
    }

    /// Begins the next step. Returns false if there is none.
    pub(crate) fn next_step(&mut self) -> bool {
        let is_there = self.following.as_ref().is_none_or(|parts| parts.len() > 1);
        if is_there {
            self.next_part();
        }
        is_there
    }

    /// Begins the end of the run, after the last step.
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

    /// Everything that was drawn.
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rand::RngExt as _;

    /// Up to 49 steps, which draw a number below 100, and another one after every multiple of ten.
    pub(crate) fn run(mut dice: Dice) -> (Vec<u32>, Record) {
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
    fn following_a_record_draws_the_same_again() {
        let (drawn, record) = run(Dice::from_seed(1));
        assert_eq!(run(Dice::following(record.clone())), (drawn, record));
    }
}
