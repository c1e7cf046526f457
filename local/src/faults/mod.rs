//! Harm on purpose, by a plan and a seed: whatever AWS does not rule out, done often.
//!
//! ```text
//! plan file ─► Plan ─► Injector ◄── lambda    is this process to be killed, and when?
//!                         ▲  ▲ ◄─── aws       is this call to be refused, cut, or its answer lost?
//!                         │  └───── mapping   is this batch late, or does it come twice?
//!                         │ ◄────── gateway   is this frame, this socket, this `$disconnect` harmed?
//!                     pause, resume, report
//! ```
//!
//! Others ask, and do what they are told; nothing here knows what a process or a socket is.
//!
//! Invariants:
//! - a decision is a pure function of the seed, the kind of harm, and a key that says where: the third `PutItem` of the twelfth
//!   invocation of a function, the message at position 7 of a queue when it is received the second time. No decision changes
//!   another one, so the same thing in the same place gets the same harm
//! - calls of functions are harmed, never those from outside: whoever watches sees what is there
//! - while it is paused, nothing is harmed: what was held goes on at once, and what was decided but not done is not done
//! - what was done is counted, once, by kind

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

pub use kind::{CallFault, Kind, Service};
pub use plan::{CallFaults, Calls, HARSH, HARSH_NAME, Messages, Plan, PlanError, Processes, Rate, Sockets, Within};

pub(crate) use calls::{Call, Refusal};
pub(crate) use messages::Batch;
pub(crate) use processes::{Doom, Process};
pub(crate) use sockets::Socket;

/// Does what a plan says. Cheap to clone; the default does nothing.
#[derive(Debug, Clone)]
pub struct Injector {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    /// Whether nothing ever goes wrong: then nothing is asked twice.
    is_harmless: bool,
    seed: u64,
    paused: watch::Sender<bool>,
    injected: Mutex<BTreeMap<Kind, u64>>,
    /// How often [`Injector::next`] was asked, by what for.
    numbers: Mutex<HashMap<String, u64>>,
    /// What each process does now, by its token.
    invocations: Mutex<HashMap<String, Arc<processes::Invocation>>>,
}

/// What goes wrong, and what has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// As given, or as made up.
    pub seed: u64,
    /// Whether nothing goes wrong at the moment.
    pub paused: bool,
    /// How often each kind of harm was done, for example `dynamodb.throttle`; also those that were not done yet.
    pub injected: BTreeMap<String, u64>,
    /// The plan.
    pub plan: Plan,
}

impl Default for Injector {
    fn default() -> Self {
        Self::new(Plan::default(), 0)
    }
}

impl Injector {
    /// Does what this plan says; the same seed does the same harm in the same places.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let shared = Shared {
            is_harmless: plan == Plan::default(),
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

    /// Lets nothing go wrong from now on. What is held back goes on at once.
    pub fn pause(&self) {
        self.shared.paused.send_replace(true);
    }

    /// Goes on with the plan.
    pub fn resume(&self) {
        self.shared.paused.send_replace(false);
    }

    /// Whether nothing goes wrong at the moment.
    pub fn is_paused(&self) -> bool {
        *self.shared.paused.borrow()
    }

    /// How often each kind of harm was done; also those that were not done yet.
    pub fn injected(&self) -> BTreeMap<String, u64> {
        let injected = lock(&self.shared.injected);
        Kind::all()
            .map(|kind| (kind.to_string(), injected.get(&kind).copied().unwrap_or_default()))
            .collect()
    }

    /// What goes wrong, and what has.
    pub fn report(&self) -> Report {
        Report {
            seed: self.shared.seed,
            paused: self.is_paused(),
            injected: self.injected(),
            plan: self.shared.plan.clone(),
        }
    }

    fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    /// The next number for this, from 1.
    fn next(&self, what: String) -> u64 {
        let mut numbers = lock(&self.shared.numbers);
        let number = numbers.entry(what).or_default();
        *number += 1;
        *number
    }

    /// Whether it is to happen here.
    fn hits(&self, kind: Kind, rate: Rate, key: &str) -> bool {
        rate > Rate::default() && !self.is_paused() && draw::draw(self.shared.seed, &kind.to_string(), key) < rate.get()
    }

    /// For how long it is to happen here, if it is.
    fn span(&self, kind: Kind, within: Within, key: &str) -> Option<Duration> {
        self.hits(kind, within.rate, key)
            .then(|| Duration::from_millis(within.ms.get()).mul_f64(self.share(kind, key)))
    }

    /// How much of what is possible: at least 0, less than 1.
    fn share(&self, kind: Kind, key: &str) -> f64 {
        draw::draw(self.shared.seed, &format!("{kind}, how much"), key)
    }

    /// Whether what was decided is still to be done; it is counted then.
    fn takes_effect(&self, kind: Kind) -> bool {
        let takes_effect = !self.is_paused();
        if takes_effect {
            self.count(kind);
        }
        takes_effect
    }

    fn count(&self, kind: Kind) {
        *lock(&self.shared.injected).entry(kind).or_default() += 1;
    }

    fn hold(&self, kind: Kind, within: Within, key: &str) -> Hold {
        Hold {
            injector: self.clone(),
            kind,
            span: self.span(kind, within, key),
        }
    }
}

/// Something that is to wait, as a rule for no time at all.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    injector: Injector,
    kind: Kind,
    span: Option<Duration>,
}

impl Hold {
    /// Whether there is no wait.
    pub(crate) fn is_none(&self) -> bool {
        self.span.is_none()
    }

    /// Returns when the wait is over: a pause ends it.
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
