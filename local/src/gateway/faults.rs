//! Harm that AWS does not rule out, on purpose and by a seed: a `$disconnect` that never comes, frames that overtake each other.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What is to go wrong. The default is: nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// The same seed gives the same harm to the same sequence of frames and closes.
    pub seed: u64,
    /// Share of `$disconnect` invocations that do not happen, 0 to 1.
    pub drop_disconnect: f64,
    /// Each frame waits up to this long before it is dispatched, so that frames change places.
    pub delay_frame: Duration,
}

/// Decides, case by case.
#[derive(Debug)]
pub(super) struct Plan {
    faults: Faults,
    random: Mutex<StdRng>,
}

impl Plan {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            random: Mutex::new(StdRng::seed_from_u64(faults.seed)),
        }
    }

    /// Whether this `$disconnect` is lost.
    pub(super) fn drops_disconnect(&self) -> bool {
        self.draw() < self.faults.drop_disconnect
    }

    /// How long this frame is held back.
    pub(super) fn frame_delay(&self) -> Duration {
        if self.faults.delay_frame.is_zero() {
            Duration::ZERO
        } else {
            self.faults.delay_frame.mul_f64(self.draw())
        }
    }

    /// At least 0, less than 1.
    fn draw(&self) -> f64 {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .random::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_nothing_goes_wrong() {
        let plan = Plan::new(Faults::default());
        assert!((0..100).all(|_| !plan.drops_disconnect() && plan.frame_delay().is_zero()));
    }

    #[test]
    fn the_same_seed_does_the_same_harm() {
        let faults = Faults {
            seed: 7,
            drop_disconnect: 0.5,
            delay_frame: Duration::from_secs(1),
        };
        let (one, other) = (Plan::new(faults), Plan::new(faults));
        let harm = |plan: &Plan| {
            (0..50)
                .map(|_| (plan.drops_disconnect(), plan.frame_delay()))
                .collect::<Vec<_>>()
        };
        assert_eq!(harm(&one), harm(&other));
    }
}
