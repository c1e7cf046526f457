//! Faults on purpose, driven by a plan and a seed: everything that AWS does not rule out, but
//! often.
//!
//! ```text
//! plan file ─► FaultPlan ─► Injector ◄── lambda    is this process killed, and when?
//!                              ▲  ▲ ◄─── aws       is this call refused, cut, or its answer lost?
//!                              │  └───── mapping   is this batch late, or delivered twice?
//!                              │ ◄────── gateway   is this frame, socket or `$disconnect` affected?
//!                          pause, resume, report
//! ```
//!
//! The callers ask, and do what they are told. How decisions are made: `local/docs/faults.md`.

mod calls;
mod draw;
mod kind;
mod messages;
mod plan;
mod processes;
mod sockets;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

pub use kind::{CallFault, FaultKind, Service};
pub use plan::{
    CallCount, CallFaults, FaultPlan, HARSH, HARSH_NAME, MessageFaults, Ms, OperationFaults, PlanError, ProcessFaults,
    Rate, SocketFaults, Within, WithinCalls,
};

pub(crate) use calls::{CallHarm, Refusal};
pub(crate) use messages::BatchHarm;
pub(crate) use processes::{Doom, TrackedProcess};
pub(crate) use sockets::SocketHarm;

/// Makes faults happen according to a plan. Cheap to clone; the default does nothing.
#[derive(Debug, Clone)]
pub struct Injector {
    shared: Arc<InjectorState>,
}

#[derive(Debug)]
struct InjectorState {
    plan: FaultPlan,
    /// Whether nothing can ever go wrong; then no decisions are made.
    is_harmless: bool,
    seed: u64,
    paused: watch::Sender<bool>,
    injected: Mutex<BTreeMap<FaultKind, u64>>,
    /// Counters of [`Injector::next`], by name.
    numbers: Mutex<HashMap<String, u64>>,
    /// The current invocation of each process, by its token.
    invocations: Mutex<HashMap<String, Arc<processes::TrackedInvocation>>>,
}

/// The plan, the seed, and the faults so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultReport {
    /// The seed, given or generated.
    pub seed: u64,
    /// Whether the plan is paused.
    pub paused: bool,
    /// How often each kind of fault happened, for example `dynamodb.throttle`; with zeros.
    pub injected: BTreeMap<String, u64>,
    /// The plan.
    pub plan: FaultPlan,
}

impl Default for Injector {
    fn default() -> Self {
        Self::new(FaultPlan::default(), 0)
    }
}

impl Injector {
    /// Runs this plan. The same seed makes the same faults.
    pub fn new(plan: FaultPlan, seed: u64) -> Self {
        let shared = InjectorState {
            is_harmless: plan == FaultPlan::default(),
            plan,
            seed,
            paused: watch::Sender::new(false),
            injected: Mutex::default(),
            numbers: Mutex::default(),
            invocations: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Pauses the plan. Everything that is held back continues at once.
    pub fn pause(&self) {
        self.shared.paused.send_replace(true);
    }

    /// Continues the plan.
    pub fn resume(&self) {
        self.shared.paused.send_replace(false);
    }

    /// Whether the plan is paused.
    pub fn is_paused(&self) -> bool {
        *self.shared.paused.borrow()
    }

    /// How often each kind of fault happened, including those that did not happen yet.
    pub fn injected(&self) -> BTreeMap<String, u64> {
        let injected = lock(&self.shared.injected);
        FaultKind::all()
            .map(|kind| (kind.to_string(), injected.get(&kind).copied().unwrap_or_default()))
            .collect()
    }

    /// The plan, the seed, and the faults so far.
    pub fn report(&self) -> FaultReport {
        FaultReport {
            seed: self.shared.seed,
            paused: self.is_paused(),
            injected: self.injected(),
            plan: self.shared.plan.clone(),
        }
    }

    fn plan(&self) -> &FaultPlan {
        &self.shared.plan
    }

    /// The next number of this counter, from 1.
    fn next(&self, what: String) -> u64 {
        let mut numbers = lock(&self.shared.numbers);
        let number = numbers.entry(what).or_default();
        *number += 1;
        *number
    }

    /// Whether this fault happens here.
    fn hits(&self, kind: FaultKind, rate: Rate, key: &str) -> bool {
        rate > Rate::default() && !self.is_paused() && draw::draw(self.shared.seed, &kind.to_string(), key) < rate.get()
    }

    /// For how long this fault happens here, if it does.
    fn span(&self, kind: FaultKind, within: Within, key: &str) -> Option<Duration> {
        self.hits(kind, within.rate, key)
            .then(|| Duration::from_millis(within.ms.get()).mul_f64(self.share(kind, key)))
    }

    /// Which share of the maximum: at least 0, less than 1.
    fn share(&self, kind: FaultKind, key: &str) -> f64 {
        draw::draw(self.shared.seed, &format!("{kind}, how much"), key)
    }

    /// Whether a decided fault still takes effect. If so, counts it.
    fn takes_effect(&self, kind: FaultKind) -> bool {
        let takes_effect = !self.is_paused();
        if takes_effect {
            self.count(kind);
        }
        takes_effect
    }

    fn count(&self, kind: FaultKind) {
        *lock(&self.shared.injected).entry(kind).or_default() += 1;
    }

    fn hold(&self, kind: FaultKind, within: Within, key: &str) -> Hold {
        Hold {
            injector: self.clone(),
            kind,
            span: self.span(kind, within, key),
        }
    }
}

/// A wait, usually of no time at all.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    injector: Injector,
    kind: FaultKind,
    span: Option<Duration>,
}

impl Hold {
    /// Whether there is no wait.
    pub(crate) fn is_none(&self) -> bool {
        self.span.is_none()
    }

    /// Waits. A pause ends the wait.
    pub(crate) async fn over(self) {
        let Some(span) = self.span.filter(|_| self.injector.takes_effect(self.kind)) else {
            return;
        };
        let mut paused = self.injector.shared.paused.subscribe();
        tokio::select! {
            () = tokio::time::sleep(span) => {}
            // The sender lives as long as the injector does.
            _ = paused.wait_for(|paused| *paused) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
