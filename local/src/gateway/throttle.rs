//! The token buckets for requests: one for the account, and one for each route that has a rate of
//! its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::Rate;

/// A token bucket. Cheap to clone; all clones share one bucket.
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
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * f64::from(self.rate.per_second);
        bucket.tokens = (bucket.tokens + gained).min(f64::from(self.rate.burst));
        bucket.filled = bucket.filled.max(now);
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}

/// The token buckets of routes, by API and route key. A route without one has no limit of its own.
#[derive(Debug, Default)]
pub(super) struct RouteThrottles {
    buckets: HashMap<(String, String), Throttle>,
}

impl RouteThrottles {
    /// Full buckets for the routes that have a rate. Each item is the API's id, the route's key and
    /// the rate.
    pub(super) fn new<'a>(routes: impl IntoIterator<Item = (&'a str, String, Option<Rate>)>) -> Self {
        let buckets = routes
            .into_iter()
            .filter_map(|(api, key, rate)| Some(((api.to_owned(), key), Throttle::new(rate?))))
            .collect();
        Self { buckets }
    }

    /// Takes a token of the route if there is one. A route without a bucket always has one.
    pub(super) fn admit(&self, api_id: &str, key: &str) -> bool {
        let bucket = self.buckets.get(&(api_id.to_owned(), key.to_owned()));
        bucket.is_none_or(Throttle::admit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let throttle = Throttle::new(Rate {
            per_second: 10,
            burst: 3,
        });
        let start = Instant::now();
        let admitted = |after| (0..10).filter(|_| throttle.admit_at(start + after)).count();
        assert_eq!(admitted(Duration::ZERO), 3);
        assert_eq!(admitted(Duration::from_millis(210)), 2);
        assert_eq!(admitted(Duration::from_mins(1)), 3);
    }
}
