//! Makes a failing schedule smaller.

use super::dice::Record;

/// Makes a run that fails as small as it can.
///
/// It leaves out steps (half of them at once, then a quarter, down to single ones) and replaces
/// draws by zeros, because a zero makes the first of all choices. `fails` runs a record and returns
/// what was drawn if that run failed too. At most `runs` records are run.
pub(crate) fn shrink(record: Record, runs: usize, fails: impl Fn(Record) -> Option<Record>) -> Record {
    let mut shrinking = Shrinking { record, runs, fails };
    while shrinking.leaves_steps_out() | shrinking.draws_zeros() {}
    shrinking.record
}

struct Shrinking<F> {
    /// The smallest record that failed.
    record: Record,
    /// How many records may still be run.
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
            let mut index = 0;
            while let Some(&drawn) = self.record.parts.get(part).and_then(|part| part.get(index)) {
                any |= drawn != 0 && self.fails(self.record.with_zero(part, index));
                index += 1;
            }
            part += 1;
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::super::dice::tests::run;
    use super::*;

    #[test]
    fn shrinking_leaves_only_the_steps_that_are_needed_to_fail() {
        let takes = |drawn: &[u32]| drawn.iter().filter(|&&drawn| drawn > 60).count() >= 3;
        let (drawn, record) = run(Dice::from_seed(1));
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
