//! Processes of functions: the current invocation of each, its calls, and when the process is
//! killed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::kind::{FaultKind, Service};
use super::{Injector, lock};

/// A process, known by the session token with which it signs its calls.
#[derive(Debug)]
pub(crate) struct TrackedProcess {
    injector: Injector,
    function: String,
    token: String,
}

/// The current invocation of a process.
#[derive(Debug)]
pub(super) struct TrackedInvocation {
    /// For example `Work/12`.
    key: String,
    calls: AtomicU64,
    by_operation: Mutex<HashMap<(Service, String), u64>>,
    /// The call that ends the process.
    last_call: Option<u64>,
    last_call_made: CancellationToken,
    over: CancellationToken,
    /// Signals the end when the process is gone, or at its next invocation.
    _over_on_drop: DropGuard,
}

/// When the process of an invocation is killed, if it is.
#[derive(Debug, Clone)]
pub(crate) struct Doom {
    injector: Injector,
    at: Option<Instant>,
    last_call_made: CancellationToken,
}

/// One call of an invocation.
#[derive(Debug)]
pub(super) struct Numbered {
    /// The key for decisions about it.
    pub(super) key: String,
    /// Ends the process, if this call is its last.
    pub(super) last_call: Option<LastCall>,
}

/// The call at which a process is killed instead of getting the answer.
#[derive(Debug)]
pub(super) struct LastCall {
    made: CancellationToken,
    over: CancellationToken,
}

impl Injector {
    /// Registers the next process of this function. Its calls are recognised by the token of the
    /// result.
    pub(crate) fn process(&self, function: &str) -> TrackedProcess {
        let number = self.next(format!("process of {function}"));
        TrackedProcess {
            injector: self.clone(),
            function: function.to_owned(),
            token: format!("local/{function}/{number}"),
        }
    }

    /// Numbers the next call that is made with this token.
    pub(super) fn number(&self, function: &str, token: &str, service: Service, operation: &str) -> Numbered {
        let invocation = lock(&self.shared.invocations).get(token).cloned();
        if let Some(invocation) = invocation {
            return invocation.number(service, operation);
        }
        // Before its first invocation, or with other credentials than the function was given.
        let call = format!("{function}/{}.{operation}", service.name());
        let number = self.next(call.clone());
        Numbered {
            key: format!("{call}/{number}"),
            last_call: None,
        }
    }
}

impl TrackedProcess {
    /// For `AWS_SESSION_TOKEN`.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Starts the next invocation. It ends with the next one, or with the process.
    pub(crate) fn begin(&self) -> Doom {
        let injector = &self.injector;
        let number = injector.next(format!("invocation of {}", self.function));
        let key = format!("{}/{number}", self.function);
        let plan = &injector.plan().processes;
        let kind = FaultKind::KillAfterCalls;
        let last_call = injector
            .hits(kind, plan.kill_after_calls.rate, &key)
            .then(|| one_of(plan.kill_after_calls.calls.get(), injector.share(kind, &key)));
        let after: Option<Duration> = injector.span(FaultKind::KillAfterMs, plan.kill_after_ms, &key);
        let (last_call_made, over) = (CancellationToken::new(), CancellationToken::new());
        let doom = Doom {
            injector: injector.clone(),
            at: after.map(|after| Instant::now() + after),
            last_call_made: last_call_made.clone(),
        };
        let invocation = TrackedInvocation {
            key,
            calls: AtomicU64::new(0),
            by_operation: Mutex::default(),
            last_call,
            last_call_made,
            _over_on_drop: over.clone().drop_guard(),
            over,
        };
        lock(&injector.shared.invocations).insert(self.token.clone(), Arc::new(invocation));
        doom
    }
}

impl Drop for TrackedProcess {
    fn drop(&mut self) {
        lock(&self.injector.shared.invocations).remove(&self.token);
    }
}

impl TrackedInvocation {
    fn number(&self, service: Service, operation: &str) -> Numbered {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let of_operation = {
            let mut by_operation = lock(&self.by_operation);
            let count = by_operation.entry((service, operation.to_owned())).or_default();
            *count += 1;
            *count
        };
        Numbered {
            key: format!("{}/{}.{operation}/{of_operation}", self.key, service.name()),
            last_call: (self.last_call == Some(number)).then(|| LastCall {
                made: self.last_call_made.clone(),
                over: self.over.clone(),
            }),
        }
    }
}

impl LastCall {
    /// Ends the process and waits until it is gone.
    pub(super) async fn end_process(&self) {
        self.made.cancel();
        self.over.cancelled().await;
    }
}

impl Doom {
    /// Returns when the process should be killed; usually never.
    pub(crate) async fn comes(&self) {
        let time_is_up = async {
            match self.at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let kind = tokio::select! {
            biased;
            () = self.last_call_made.cancelled() => FaultKind::KillAfterCalls,
            () = time_is_up => FaultKind::KillAfterMs,
        };
        if !self.injector.takes_effect(kind) {
            std::future::pending::<()>().await;
        }
    }
}

/// One of the numbers from 1 to `most`, for a share of at least 0 and less than 1.
fn one_of(most: u64, share: f64) -> u64 {
    // Whole milliseconds turn a fraction into an integer without a cast.
    let drawn = u64::try_from(Duration::from_millis(most).mul_f64(share).as_millis()).unwrap_or(most);
    (drawn + 1).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_up_to_the_largest_is_drawn() {
        let numbers: Vec<u64> = [0.0, 0.24, 0.26, 0.6, 0.99].map(|share| one_of(4, share)).into();
        assert_eq!(numbers, [1, 1, 2, 3, 4]);
        assert_eq!(one_of(1, 0.99), 1);
    }
}
