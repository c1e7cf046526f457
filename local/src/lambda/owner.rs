//! The task that owns one process: runs one invocation after the other in it, and ends it.
//!
//! It reacts to the pool (jobs), to the process (calls of its Runtime API), to the system (the exit
//! of the process) and to the clock. Its states are:
//!
//! ```text
//! Starting ──/next──► Polling ──job──► Running ──/response, /error──► Returning ──/next──► Polling
//! ```
//!
//! A job that arrives in `Returning` waits for the next `/next`. Until it is handed over it can go
//! to another process ([`JobOutcome::NotTaken`]). The deadline of an invocation starts when its
//! event is handed over.

use std::net::Ipv4Addr;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use super::end_reason::EndReason;
use super::output::Tail;
use super::process::{Job, JobOutcome, NotStarted, Specification};
use super::runtime_api::{self, EventDelivery, ReportVerdict, RuntimeCall};
use super::usage::{self, Usage};
use super::{ACCOUNT_ID, InvokeError, REGION, RESPONSE_LIMIT_BYTES, ids};
use crate::faults::{Doom, TrackedProcess as Caller};
use crate::meter::FinishedInvocation;
use crate::server;

/// How long to go on reading the output of a process that has exited: a grandchild may hold the
/// pipe open.
const OUTPUT_LIMIT: Duration = Duration::from_millis(500);

/// Reports whether the process has started. Used once.
type StartReport = oneshot::Sender<Result<(), NotStarted>>;

#[derive(Debug)]
enum ProcessState {
    Starting(StartReport),
    Polling(oneshot::Sender<EventDelivery>),
    Running(RunningInvocation),
    Returning,
}

#[derive(Debug)]
struct RunningInvocation {
    request_id: String,
    since: Instant,
    cpu_before: Option<Duration>,
    init: Option<Duration>,
    doom: Doom,
    done: oneshot::Sender<JobOutcome>,
}

pub(super) struct Owner {
    specification: Specification,
    child: Child,
    pid: u32,
    /// The name under which the AWS endpoint knows the process.
    caller: Caller,
    tail: Tail,
    forwarding: Vec<JoinHandle<()>>,
    jobs: mpsc::Receiver<Job>,
    calls: mpsc::Receiver<RuntimeCall>,
    /// Stops the Runtime API server of this process when it is dropped.
    _server: DropGuard,
    state: ProcessState,
    waiting: Option<Job>,
}

impl Owner {
    /// Starts the process and its Runtime API.
    pub(super) async fn spawn(
        specification: &Specification,
        jobs: mpsc::Receiver<Job>,
        up: StartReport,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let caller = specification.faults.process(&specification.function.logical_id);
        let mut child = specification.spawn(listener.local_addr()?, caller.token())?;
        let pid = child
            .id()
            .ok_or_else(|| std::io::Error::other("it has no process id"))?;
        let tail = Tail::default();
        let forwarding = specification.forward_output(&mut child, &tail);
        let (call, calls) = mpsc::channel(4);
        let stop_server = specification.stop.child_token();
        server::serve(
            listener,
            stop_server.clone(),
            &specification.tasks,
            move |request, _peer| runtime_api::answer(request, call.clone()),
        );
        Ok(Self {
            specification: specification.clone(),
            child,
            pid,
            caller,
            tail,
            forwarding,
            jobs,
            calls,
            _server: stop_server.drop_guard(),
            state: ProcessState::Starting(up),
            waiting: None,
        })
    }

    /// The id of the process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Runs as long as the process.
    pub(super) async fn run(mut self, init_deadline: Instant) {
        let stop = self.specification.stop.clone();
        let end = loop {
            let deadline = self.deadline(init_deadline);
            let doom = self.doom();
            let takes_jobs =
                self.waiting.is_none() && matches!(self.state, ProcessState::Polling(_) | ProcessState::Returning);
            tokio::select! {
                biased;
                () = stop.cancelled() => break EndReason::Stopping,
                Some(call) = self.calls.recv() => if let Some(end) = self.hear(call) { break end },
                status = self.child.wait() => break EndReason::Exited(describe(status)),
                () = comes(doom) => break EndReason::Killed,
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    break EndReason::TimedOut;
                }
                job = self.jobs.recv(), if takes_jobs => match job {
                    Some(job) => {
                        self.waiting = Some(job);
                        self.hand_over();
                    }
                    None => break EndReason::NotNeeded,
                },
            }
        };
        self.end(end).await;
    }

    fn deadline(&self, init_deadline: Instant) -> Option<Instant> {
        match &self.state {
            ProcessState::Starting(_) => Some(init_deadline),
            ProcessState::Running(running) => Some(running.since + self.timeout()),
            ProcessState::Polling(_) | ProcessState::Returning => None,
        }
    }

    /// When the fault plan kills the process. `None` if it is not running an invocation.
    fn doom(&self) -> Option<Doom> {
        match &self.state {
            ProcessState::Running(running) => Some(running.doom.clone()),
            ProcessState::Starting(_) | ProcessState::Polling(_) | ProcessState::Returning => None,
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.specification.function.timeout_s))
    }

    /// Handles a call of the process. Returns a reason if the process has to end.
    fn hear(&mut self, call: RuntimeCall) -> Option<EndReason> {
        match call {
            RuntimeCall::Next(give) => {
                match std::mem::replace(&mut self.state, ProcessState::Polling(give)) {
                    // The caller that started it may be gone. Then the pool drops this process.
                    ProcessState::Starting(up) => drop(up.send(Ok(()))),
                    ProcessState::Running(running) => self.finish(running, Err(no_response()), &Usage::read(self.pid)),
                    ProcessState::Polling(_) | ProcessState::Returning => {}
                }
                self.hand_over();
            }
            RuntimeCall::Response(id, body, verdict) => {
                let result = body.ok_or_else(response_too_large);
                let accepted = if result.is_ok() {
                    ReportVerdict::Accepted
                } else {
                    ReportVerdict::TooLarge
                };
                self.report(&id, result, accepted, verdict);
            }
            RuntimeCall::Error(id, report, verdict) => {
                self.report(&id, Err(report.into()), ReportVerdict::Accepted, verdict);
            }
            RuntimeCall::InitError(report, verdict) => {
                let _ = verdict.send(ReportVerdict::Accepted);
                return matches!(self.state, ProcessState::Starting(_)).then_some(EndReason::InitFailed(report));
            }
        }
        None
    }

    fn report(
        &mut self,
        id: &str,
        result: Result<Bytes, InvokeError>,
        verdict: ReportVerdict,
        to: oneshot::Sender<ReportVerdict>,
    ) {
        match std::mem::replace(&mut self.state, ProcessState::Returning) {
            ProcessState::Running(running) if running.request_id == id => {
                let _ = to.send(verdict);
                self.finish(running, result, &Usage::read(self.pid));
            }
            other => {
                self.state = other;
                let _ = to.send(ReportVerdict::WrongRequestId);
            }
        }
    }

    /// Hands the waiting job to the process if the process is polling.
    fn hand_over(&mut self) {
        let Some(job) = self.waiting.take() else { return };
        match std::mem::replace(&mut self.state, ProcessState::Returning) {
            ProcessState::Polling(give) => {
                let delivery = self.delivery(job.event.clone());
                let request_id = delivery.request_id.clone();
                let cpu_before = usage::cpu_time(self.pid);
                let doom = self.caller.begin();
                if give.send(delivery).is_err() {
                    // The poll broke off. The process polls again or exits.
                    self.waiting = Some(job);
                    return;
                }
                let running = RunningInvocation {
                    request_id,
                    since: Instant::now(),
                    cpu_before,
                    init: job.init,
                    doom,
                    done: job.done,
                };
                self.state = ProcessState::Running(running);
            }
            other => {
                self.state = other;
                self.waiting = Some(job);
            }
        }
    }

    fn delivery(&self, event: Bytes) -> EventDelivery {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let region = self
            .specification
            .extra_environment
            .get("AWS_REGION")
            .map_or(REGION, String::as_str);
        EventDelivery {
            request_id: ids::request_id(),
            deadline_ms: (now + self.timeout()).as_millis(),
            function_arn: format!(
                "arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{}",
                self.specification.function.name
            ),
            trace_id: ids::trace_id(now),
            event,
        }
    }

    fn finish(&self, running: RunningInvocation, result: Result<Bytes, InvokeError>, usage: &Usage) {
        self.specification.meter.invocation(&FinishedInvocation {
            function: &self.specification.function.logical_id,
            duration: running.since.elapsed(),
            cpu: usage
                .cpu
                .zip(running.cpu_before)
                .map(|(after, before)| after.saturating_sub(before)),
            peak_memory_bytes: usage.peak_memory_bytes,
            memory_mb: self.specification.function.memory_mb,
            init: running.init,
            failed: result.is_err(),
        });
        // Nobody waits any more if the stack is stopping.
        drop(running.done.send(JobOutcome::Finished(result)));
    }

    /// Ends the process and everything that it started, and answers all waiting callers.
    async fn end(mut self, end: EndReason) {
        self.jobs.close();
        let usage = Usage::read(self.pid);
        self.kill().await;
        match std::mem::replace(&mut self.state, ProcessState::Returning) {
            ProcessState::Running(running) => self.finish(
                running,
                Err(end.into_invoke_error(self.specification.function.timeout_s)),
                &usage,
            ),
            ProcessState::Starting(up) => {
                self.drain_output().await;
                drop(up.send(Err(end.into_not_started(&self.specification, self.tail.lines()))));
            }
            ProcessState::Polling(_) | ProcessState::Returning => {
                if let EndReason::Exited(status) = end {
                    tracing::warn!(
                        function = self.specification.function.logical_id,
                        status,
                        "an idle process ended"
                    );
                }
            }
        }
        let not_taken = self
            .waiting
            .take()
            .into_iter()
            .chain(std::iter::from_fn(|| self.jobs.try_recv().ok()));
        for job in not_taken {
            drop(job.done.send(JobOutcome::NotTaken));
        }
    }

    /// Kills the process group and waits for the process.
    async fn kill(&mut self) {
        // An error means that nothing is left to kill.
        if let Ok(group) = i32::try_from(self.pid) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        drop(self.child.start_kill());
        if let Err(error) = self.child.wait().await {
            tracing::warn!(pid = self.pid, %error, "could not wait for a process");
        }
    }

    async fn drain_output(&mut self) {
        let reading = futures_util::future::join_all(self.forwarding.drain(..));
        drop(tokio::time::timeout(OUTPUT_LIMIT, reading).await);
    }
}

/// Waits for [`Doom::comes`], or for ever without an invocation.
async fn comes(doom: Option<Doom>) {
    match doom {
        Some(doom) => doom.comes().await,
        None => std::future::pending().await,
    }
}

fn no_response() -> InvokeError {
    InvokeError::Function {
        error_type: "Runtime.NoResponse".to_owned(),
        message: "the process asked for the next event without answering this one".to_owned(),
    }
}

fn response_too_large() -> InvokeError {
    InvokeError::Function {
        error_type: "Function.ResponseSizeTooLarge".to_owned(),
        message: format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."),
    }
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}
