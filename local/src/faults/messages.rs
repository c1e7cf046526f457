//! Faults of messages between queues and functions.

use super::kind::FaultKind;
use super::{Hold, Injector};

/// What happens to one batch.
#[derive(Debug)]
pub(crate) struct BatchHarm {
    injector: Injector,
    late: Hold,
    /// The time until it is visible again, if it becomes so.
    twice: Hold,
    again: bool,
}

impl Injector {
    /// Decides what happens to a batch, given the position of its first message in the queue and
    /// how often that message was received.
    pub(crate) fn batch(&self, queue: &str, position: u64, receives: u32) -> BatchHarm {
        let plan = &self.plan().messages;
        let key = format!("{queue}/{position}/{receives}");
        BatchHarm {
            late: self.hold(FaultKind::Late, plan.late, &key),
            twice: self.hold(FaultKind::Twice, plan.twice, &key),
            again: self.hits(FaultKind::Again, plan.again, &key),
            injector: self.clone(),
        }
    }
}

impl BatchHarm {
    /// Waits until the function should get the batch.
    pub(crate) async fn begins(&self) {
        self.late.clone().over().await;
    }

    /// Returns when the batch should be visible again while the function works on it; usually
    /// never.
    pub(crate) async fn is_visible_again(&self) {
        if let Some(span) = self.twice.span {
            tokio::time::sleep(span).await;
            if self.injector.takes_effect(FaultKind::Twice) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Whether the processed batch is not deleted.
    pub(crate) fn comes_again(&self) -> bool {
        self.again && self.injector.takes_effect(FaultKind::Again)
    }
}
