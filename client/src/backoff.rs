//! Pauses before retrying: exponential, capped, with full jitter.
//!
//! With full jitter a pause may have any length from zero to the ceiling. So clients that lost
//! their connections at the same moment come back spread over the whole interval.

use std::time::Duration;

/// The ceilings of a series of pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first pause.
    pub base: Duration,
    /// Upper limit of all ceilings.
    pub cap: Duration,
}

impl Backoff {
    /// The longest pause before `attempt`, counted from 0.
    pub fn ceiling(self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// The pause before `attempt`. `unit` is a random number from 0 to 1.
    pub fn full_jitter(self, attempt: u32, unit: f64) -> Duration {
        self.ceiling(attempt).mul_f64(unit.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_millis(250),
        cap: Duration::from_secs(30),
    };

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceilings: Vec<u128> = (0..9).map(|n| BACKOFF.ceiling(n).as_millis()).collect();
        assert_eq!(ceilings, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(BACKOFF.ceiling(u32::MAX), BACKOFF.cap);
    }

    #[test]
    fn full_jitter_ranges_from_zero_to_the_ceiling() {
        assert_eq!(BACKOFF.full_jitter(3, 0.0), Duration::ZERO);
        assert_eq!(BACKOFF.full_jitter(3, 0.5), Duration::from_secs(1));
        assert_eq!(BACKOFF.full_jitter(3, 1.0), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn no_pause_is_longer_than_its_ceiling(attempt: u32, unit in -1.0..2.0_f64) {
            prop_assert!(BACKOFF.full_jitter(attempt, unit) <= BACKOFF.ceiling(attempt));
        }
    }
}
