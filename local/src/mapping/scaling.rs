//! How many batches of a standard queue are invoked at once: five at first, 300 more for each minute in which the queue still had
//! messages when those were at work, five again when nothing is left to do.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::time::Duration;

/// At first.
const INITIAL: usize = 5;

/// Batches that one mapping has at once at most.
const MAXIMUM: usize = 1250;

/// How often it may become more, and by how many.
const STEP: (Duration, usize) = (Duration::from_secs(1), 5);

/// The number of batches at once. Times are since some fixed moment.
#[derive(Debug)]
pub(super) struct Scaling {
    limit: usize,
    initial: usize,
    maximum: usize,
    /// Since when the limit has been reached again and again, without the queue being empty between, or when it was last raised since.
    full_since: Option<Duration>,
}

impl Scaling {
    /// That of a standard queue.
    pub(super) fn standard(maximum: Option<u32>) -> Self {
        let maximum = bound(maximum);
        Self::new(INITIAL.min(maximum), maximum)
    }

    /// That of a FIFO queue: its groups are the limit, unless there is a lower one.
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

    /// Whether another batch may run beside so many.
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

    /// The queue had nothing for another batch beside so many.
    pub(super) fn drained(&mut self, running: usize) {
        self.full_since = None;
        if running == 0 {
            self.limit = self.initial;
        }
    }

    /// When there may be room although none of the batches has ended.
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
    fn batches_that_end_meanwhile_are_no_reason_to_stay_small() {
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
