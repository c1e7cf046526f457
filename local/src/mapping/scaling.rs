//! How many batches of a standard queue run at once.
//!
//! Five at first, 300 more for each minute in which the queue still has messages while all of those
//! run, and five again when the queue is empty.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::time::Duration;

/// The first limit.
const INITIAL: usize = 5;

/// Most batches that one mapping runs at once.
const MAXIMUM: usize = 1250;

/// How often the limit may grow, and by how much.
const STEP: (Duration, usize) = (Duration::from_secs(1), 5);

/// The limit of batches at once. Times are counted from a fixed moment.
#[derive(Debug)]
pub(super) struct Scaling {
    limit: usize,
    initial: usize,
    maximum: usize,
    /// When the limit was reached, if the queue has not been empty since, or when it was last
    /// raised after that.
    full_since: Option<Duration>,
}

impl Scaling {
    /// For a standard queue.
    pub(super) fn standard(maximum: Option<u32>) -> Self {
        let maximum = bound(maximum);
        Self::new(INITIAL.min(maximum), maximum)
    }

    /// For a FIFO queue: its groups are the limit, unless `maximum` is lower.
    pub(super) fn fifo(maximum: Option<u32>) -> Self {
        let maximum = bound(maximum);
        Self::new(maximum, maximum)
    }

    fn new(initial: usize, maximum: usize) -> Self {
        Self {
            limit: initial,
            initial,
            maximum,
            full_since: None,
        }
    }

    /// Whether another batch may run in addition to `running`.
    pub(super) fn has_room(&mut self, running: usize, now: Duration) -> bool {
        if running < self.limit {
            return true;
        }
        let since = *self.full_since.get_or_insert(now);
        if now < since + STEP.0 || self.limit == self.maximum {
            return false;
        }
        self.limit = (self.limit + STEP.1).min(self.maximum);
        self.full_since = Some(now);
        running < self.limit
    }

    /// The queue had no message for another batch in addition to `running`.
    pub(super) fn drained(&mut self, running: usize) {
        self.full_since = None;
        if running == 0 {
            self.limit = self.initial;
        }
    }

    /// When the limit may grow, if no batch ends before.
    pub(super) fn next_raise(&self) -> Option<Duration> {
        let may_grow = self.limit < self.maximum;
        self.full_since.filter(|_| may_grow).map(|since| since + STEP.0)
    }
}

fn bound(maximum: Option<u32>) -> usize {
    maximum
        .and_then(|maximum| usize::try_from(maximum).ok())
        .unwrap_or(MAXIMUM)
        .min(MAXIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standard_queue_begins_with_five_batches_and_gets_five_more_each_second() {
        let mut scaling = Scaling::standard(None);
        let second = Duration::from_secs(1);
        assert!(scaling.has_room(4, Duration::ZERO));
        assert!(!scaling.has_room(5, Duration::ZERO));
        assert_eq!(scaling.next_raise(), Some(second));
        assert!(scaling.has_room(5, second));
        assert!(!scaling.has_room(10, second));
        assert!(scaling.has_room(10, second * 2));
        scaling.drained(0);
        assert!(!scaling.has_room(5, second * 3));
    }

    #[test]
    fn the_limit_grows_even_if_batches_end_meanwhile() {
        let mut scaling = Scaling::standard(None);
        let ms = Duration::from_millis;
        for now in (0..1000).step_by(10) {
            assert!(!scaling.has_room(5, ms(now)));
            assert!(scaling.has_room(4, ms(now + 5)));
        }
        assert!(scaling.has_room(5, ms(1000)));
        assert!(!scaling.has_room(10, ms(1001)));
        scaling.drained(3);
        assert!(!scaling.has_room(10, ms(2000)), "the queue was empty meanwhile");
        assert!(scaling.has_room(10, ms(3000)));
    }

    #[test]
    fn there_are_never_more_than_the_maximum() {
        for mut scaling in [Scaling::standard(Some(2)), Scaling::fifo(Some(2))] {
            assert!(scaling.has_room(1, Duration::ZERO));
            assert!(!scaling.has_room(2, Duration::ZERO));
            assert!(!scaling.has_room(2, Duration::from_hours(1)));
            assert_eq!(scaling.next_raise(), None);
        }
    }

    #[test]
    fn a_fifo_queue_has_as_many_batches_as_groups() {
        assert!(Scaling::fifo(None).has_room(1000, Duration::ZERO));
    }
}
