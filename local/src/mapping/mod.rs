//! Event source mappings: they take messages from queues and invoke functions with them.
//!
//! ```text
//! queue ─► Lambda::slot ─► collect ─► Lambda::invoke_in ─► outcome ─► delete what succeeded; what failed stays hidden until its timeout
//!          a process       a batch     a task each
//! ```
//!
//! A mapping asks its queue as long as there is room for another batch: [`scaling`] for standard queues; a FIFO queue
//! itself gives out no message of a group of which one is in flight, so it has as many batches as there are active groups. And it
//! takes no message before a process can have it: on AWS another process would be started.
//!
//! Invariants:
//! - a message is deleted only after the function succeeded with it
//! - a message that is received reaches a function at once: none is hidden in vain, and none is received without having been tried (but of a function with reserved concurrency that has none left)
//! - FIFO: a message whose predecessor in its group failed is not deleted, and no two batches hold messages of one group at once
//! - every poll and every delete is metered as a call of [`CALLER`]
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

mod event;
mod invoke;
mod outcome;
mod poller;
mod scaling;

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Injector;
use crate::lambda::Lambda;
use crate::meter::Meter;
use crate::sqs::Sqs;
use crate::template::model::{Function, Mapping};
use poller::Poller;

pub use invoke::Invoke;

/// Who the meter says has polled, and deleted what was done.
pub const CALLER: &str = "event-source-mapping";

/// What mappings work with.
#[derive(Debug, Clone)]
pub struct Services<L = Lambda> {
    /// Where messages come from.
    pub sqs: Sqs,
    /// What they go to.
    pub lambda: L,
    /// Counts the polls.
    pub meter: Meter,
    /// Delivers batches late, and twice, if it is to.
    pub faults: Injector,
    /// Of the queues and functions.
    pub region: String,
}

/// The mappings of a stack that run.
#[derive(Debug)]
pub struct Mappings {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Mappings {
    /// Starts those that are enabled. When `kill` is cancelled they end at once; batches that run then are not waited for.
    pub fn start(
        mappings: &[Mapping],
        functions: &BTreeMap<String, Function>,
        services: &Services,
        kill: &CancellationToken,
    ) -> Self {
        let (stop, tasks) = (kill.child_token(), TaskTracker::new());
        for mapping in mappings.iter().filter(|mapping| mapping.enabled) {
            let Some(function) = functions.get(&mapping.function) else {
                continue;
            };
            let poller = Poller::new(mapping.clone(), function.timeout_s, services.clone());
            tasks.spawn(poller.run(stop.clone(), kill.clone()));
        }
        Self { stop, tasks }
    }

    /// Takes no more messages, and waits for the batches that run, each no longer than its function may take.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests;
