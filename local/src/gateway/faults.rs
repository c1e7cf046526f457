//! Faults that a test asks for: a `$disconnect` that never comes, frames that overtake each other,
//! and a connection that refuses posts for a while or takes them slowly. AWS rules none of them
//! out. Random ones follow a seed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Which faults to inject at random. The default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GatewayFaults {
    /// The same seed gives the same faults to the same sequence of frames and closes.
    pub seed: u64,
    /// Share of `$disconnect` invocations that do not happen, from 0 to 1.
    pub drop_disconnect: f64,
    /// Each frame waits up to this long before it is dispatched, so that frames overtake each
    /// other.
    pub delay_frame: Duration,
}

/// The fault of posts to one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostFault {
    /// This many of the next posts are answered with 429.
    pub refuse: u32,
    /// Each post waits this long before anything else happens to it.
    pub delay: Duration,
}

/// Decides about each frame, close and post.
#[derive(Debug)]
pub(super) struct GatewayHarm {
    faults: GatewayFaults,
    random: Mutex<StdRng>,
    /// By connection id.
    posts: Mutex<HashMap<String, PostFault>>,
}

impl GatewayHarm {
    pub(super) fn new(faults: GatewayFaults) -> Self {
        Self {
            faults,
            random: Mutex::new(StdRng::seed_from_u64(faults.seed)),
            posts: Mutex::default(),
        }
    }

    /// Whether this `$disconnect` is lost.
    pub(super) fn drops_disconnect(&self) -> bool {
        self.draw() < self.faults.drop_disconnect
    }

    /// How long this frame waits.
    pub(super) fn frame_delay(&self) -> Duration {
        if self.faults.delay_frame.is_zero() {
            Duration::ZERO
        } else {
            self.faults.delay_frame.mul_f64(self.draw())
        }
    }

    /// From here on, posts to the connection have this fault.
    pub(super) fn harm_posts(&self, connection_id: &str, fault: PostFault) {
        self.posts().insert(connection_id.to_owned(), fault);
    }

    /// How long this post waits.
    pub(super) fn post_delay(&self, connection_id: &str) -> Duration {
        self.posts()
            .get(connection_id)
            .map_or(Duration::ZERO, |fault| fault.delay)
    }

    /// Whether this post is refused.
    pub(super) fn refuses_post(&self, connection_id: &str) -> bool {
        let mut posts = self.posts();
        let Some(fault) = posts.get_mut(connection_id).filter(|fault| fault.refuse > 0) else {
            return false;
        };
        fault.refuse -= 1;
        true
    }

    fn posts(&self) -> MutexGuard<'_, HashMap<String, PostFault>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
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
        let plan = GatewayHarm::new(GatewayFaults::default());
        assert!((0..100).all(|_| !plan.drops_disconnect() && plan.frame_delay().is_zero()));
        assert!(!plan.refuses_post("a") && plan.post_delay("a").is_zero());
    }

    #[test]
    fn the_next_posts_of_one_connection_are_refused_and_no_others() {
        let plan = GatewayHarm::new(GatewayFaults::default());
        let fault = PostFault {
            refuse: 2,
            delay: Duration::from_secs(1),
        };
        plan.harm_posts("a", fault);
        let refused: Vec<bool> = (0..3).map(|_| plan.refuses_post("a")).collect();
        assert_eq!(refused, [true, true, false]);
        assert!(!plan.refuses_post("b") && plan.post_delay("b").is_zero());
        assert_eq!(plan.post_delay("a"), Duration::from_secs(1));
    }

    #[test]
    fn the_same_seed_injects_the_same_faults() {
        let faults = GatewayFaults {
            seed: 7,
            drop_disconnect: 0.5,
            delay_frame: Duration::from_secs(1),
        };
        let (one, other) = (GatewayHarm::new(faults), GatewayHarm::new(faults));
        let harm = |plan: &GatewayHarm| {
            (0..50)
                .map(|_| (plan.drops_disconnect(), plan.frame_delay()))
                .collect::<Vec<_>>()
        };
        assert_eq!(harm(&one), harm(&other));
    }
}
