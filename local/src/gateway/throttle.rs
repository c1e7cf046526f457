//! The token bucket that every request of an account draws from.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::Rate;

/// Cheap to clone; all clones draw from one bucket.
#[derive(Debug, Clone)]
pub struct Throttle {
    rate: Rate,
    bucket: Arc<Mutex<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Throttle {
    /// A full bucket.
    pub fn new(rate: Rate) -> Self {
        let bucket = Bucket {
            tokens: f64::from(rate.burst),
            filled: Instant::now(),
        };
        Self {
            rate,
            bucket: Arc::new(Mutex::new(bucket)),
        }
    }

    /// Takes a token if there is one.
    pub fn admit(&self) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = (now - bucket.filled).as_secs_f64() * f64::from(self.rate.per_second);
        bucket.tokens = (bucket.tokens + gained).min(f64::from(self.rate.burst));
        bucket.filled = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate() {
        let throttle = Throttle::new(Rate {
            per_second: 10,
            burst: 3,
        });
        let admitted = |throttle: &Throttle| (0..10).filter(|_| throttle.admit()).count();
        assert_eq!(admitted(&throttle), 3);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(admitted(&throttle), 2);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(admitted(&throttle), 3);
    }
}
