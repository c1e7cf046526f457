//! Messages on their way from queues to functions.

use super::kind::Kind;
use super::{Hold, Injector};

/// What is to happen to one batch.
#[derive(Debug)]
pub(crate) struct Batch {
    injector: Injector,
    late: Hold,
    /// The time until it is visible again; there is none if it is not to be.
    twice: Hold,
    again: bool,
}

impl Injector {
    /// What is to happen to a batch that begins with the message at this position of the queue, received so many times.
    pub(crate) fn batch(&self, queue: &str, position: u64, receives: u32) -> Batch {
        let plan = &self.plan().messages;
        let key = format!("{queue}/{position}/{receives}");
        Batch {
            late: self.hold(Kind::Late, plan.late, &key),
            twice: self.hold(Kind::Twice, plan.twice, &key),
            again: self.hits(Kind::Again, plan.again, &key),
            injector: self.clone(),
        }
    }
}

impl Batch {
    /// Waits until the function is to get it.
    pub(crate) async fn begins(&self) {
        self.late.clone().over().await;
    }

    /// Returns when it is to be visible again, while the function works on it; as a rule, never.
    pub(crate) async fn is_visible_again(&self) {
        if let Some(span) = self.twice.span {
            tokio::time::sleep(span).await;
            if self.injector.takes_effect(Kind::Twice) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Whether it is not deleted although it is done.
    pub(crate) fn comes_again(&self) -> bool {
        self.again && self.injector.takes_effect(Kind::Again)
    }
}
