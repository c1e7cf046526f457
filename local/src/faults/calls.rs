//! Faults of calls to AWS services by functions.

use super::kind::{CallFault, FaultKind, Service};
use super::plan::{Rate, Within};
use super::processes::LastCall;
use super::{Hold, Injector};

/// What happens to one call.
#[derive(Debug)]
pub(crate) struct CallHarm {
    injector: Injector,
    service: Service,
    key: String,
    delay_before: Hold,
    before: Option<CallFault>,
    entries: Rate,
    after: Option<CallFault>,
    delay_after: Hold,
    /// Present if this is the last call of its process.
    last: Option<LastCall>,
}

/// What a caller gets instead of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The service's error for too many requests.
    Throttled,
    /// Status 500.
    Failed,
    /// No answer: the connection is cut.
    Cut,
    /// 410.
    Gone,
}

impl Injector {
    /// Decides what happens to the call that this function makes now; `None` if nothing does.
    pub(crate) fn call(&self, function: &str, token: &str, service: Service, operation: &str) -> Option<CallHarm> {
        if self.shared.is_harmless {
            return None;
        }
        let number = self.number(function, token, service, operation);
        let plan = self.plan().call(service, operation);
        let key = number.key;
        let hold = |fault, within: Option<Within>| {
            self.hold(FaultKind::Call(service, fault), within.unwrap_or_default(), &key)
        };
        let first = |faults: &[(CallFault, Option<Rate>)]| {
            let hits = |(fault, rate): &(CallFault, Option<Rate>)| {
                self.hits(FaultKind::Call(service, *fault), rate.unwrap_or_default(), &key)
            };
            faults.iter().copied().find(hits).map(|(fault, _)| fault)
        };
        let call = CallHarm {
            delay_before: hold(CallFault::DelayBefore, plan.delay_before),
            before: first(&[
                (CallFault::Throttle, plan.throttle),
                (CallFault::FailBefore, plan.fail_before),
                (CallFault::CutBefore, plan.cut_before),
                (CallFault::Gone, plan.gone),
            ]),
            entries: plan.entries.filter(|_| operation.contains("Batch")).unwrap_or_default(),
            after: first(&[
                (CallFault::FailAfter, plan.fail_after),
                (CallFault::CutAfter, plan.cut_after),
            ]),
            delay_after: hold(CallFault::DelayAfter, plan.delay_after),
            last: number.last_call,
            injector: self.clone(),
            service,
            key,
        };
        call.is_harmed().then_some(call)
    }
}

impl CallHarm {
    fn is_harmed(&self) -> bool {
        self.before.is_some()
            || self.after.is_some()
            || self.entries > Rate::default()
            || self.last.is_some()
            || !self.delay_before.is_none()
            || !self.delay_after.is_none()
    }

    /// Waits until the call should take effect; returns a refusal if it should not.
    pub(crate) async fn before(&self) -> Option<Refusal> {
        self.delay_before.clone().over().await;
        self.take(self.before)
    }

    /// Whether this entry of a batch is refused.
    pub(crate) fn leaves_out(&self, entry: usize) -> bool {
        let kind = FaultKind::Call(self.service, CallFault::Entries);
        let key = format!("{}/{entry}", self.key);
        self.injector.hits(kind, self.entries, &key) && self.injector.takes_effect(kind)
    }

    /// After the call took effect: waits until it should be answered; returns a refusal if the
    /// answer is replaced.
    pub(crate) async fn after(&self) -> Option<Refusal> {
        self.delay_after.clone().over().await;
        self.take(self.after)
    }

    /// Before the answer or the refusal is sent: ends the process if this was its last call, and
    /// waits until it is gone.
    pub(crate) async fn ends_process(&self) -> bool {
        let Some(last) = &self.last else {
            return false;
        };
        let mut paused = self.injector.shared.paused.subscribe();
        tokio::select! {
            biased;
            _ = paused.wait_for(|paused| *paused) => false,
            () = last.end_process() => true,
        }
    }

    fn take(&self, fault: Option<CallFault>) -> Option<Refusal> {
        let fault = fault.filter(|fault| self.injector.takes_effect(FaultKind::Call(self.service, *fault)))?;
        match fault {
            CallFault::Throttle => Some(Refusal::Throttled),
            CallFault::FailBefore | CallFault::FailAfter => Some(Refusal::Failed),
            CallFault::CutBefore | CallFault::CutAfter => Some(Refusal::Cut),
            CallFault::Gone => Some(Refusal::Gone),
            CallFault::Entries | CallFault::DelayBefore | CallFault::DelayAfter => None,
        }
    }
}
