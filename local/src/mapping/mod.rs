//! Event source mappings: they take messages from queues and invoke functions with them.
//!
//! `local/docs/lambda.md` shows the way of a batch.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
//!
//! Invariants:
//! - a message is deleted only after the function succeeded with it
//! - a received message reaches a function at once, so no receive is wasted (except with reserved
//!   concurrency that is used up)
//! - FIFO: if a message fails, the messages behind it in its group are not deleted, and no two
//!   batches hold messages of one group at the same time
//! - every poll and every delete is metered as a call of [`CALLER`]

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

/// The caller that the meter shows for polls and deletes.
pub const CALLER: &str = "event-source-mapping";

/// The services that mappings use.
#[derive(Debug, Clone)]
pub struct MappingServices<L = Lambda> {
    /// The queues.
    pub sqs: Sqs,
    /// The functions.
    pub lambda: L,
    /// Counts the polls.
    pub meter: Meter,
    /// Delivers batches late or twice, if the fault plan says so.
    pub faults: Injector,
    /// The region of the queues and functions.
    pub region: String,
}

/// The running mappings of a stack.
#[derive(Debug)]
pub struct Mappings {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Mappings {
    /// Starts the enabled mappings. When `kill` is cancelled they end at once and do not wait for
    /// running batches.
    pub fn start(
        mappings: &[Mapping],
        functions: &BTreeMap<String, Function>,
        services: &MappingServices,
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

    /// Takes no more messages, and waits for the running batches. Each takes at most as long as its
    /// function may.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests;
