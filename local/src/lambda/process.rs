//! One process of a function, as the pool sees it: [`Process::start`], [`Process::run`], and its
//! end when it is dropped.
//!
//! The task in [`super::owner`] does the work.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::output::{self, Output, Tail};
use super::owner::Owner;
use super::usage::Usage;
use super::{FunctionStartError, InvokeError, environment, ids};
use crate::faults::Injector;
use crate::meter::Meter;
use crate::template::model::Function;

/// What all processes of one function have in common.
#[derive(Debug, Clone)]
pub(super) struct Specification {
    /// The function, as in the template.
    pub(super) function: Function,
    /// The binary.
    pub(super) bootstrap: PathBuf,
    /// Environment that wins over the template's.
    pub(super) extra_environment: BTreeMap<String, String>,
    /// Longest time from the start to the first `/next`.
    pub(super) init_limit: Duration,
    /// The destination of its output.
    pub(super) output: Output,
    /// Counts the invocations.
    pub(super) meter: Meter,
    /// Decides when to kill the process.
    pub(super) faults: Injector,
    /// Stops all processes.
    pub(super) stop: CancellationToken,
    /// Tracks all tasks.
    pub(super) tasks: TaskTracker,
}

impl Specification {
    /// Starts the binary with its own environment and process group. The session token identifies
    /// its AWS calls.
    pub(super) fn spawn(&self, runtime_api: SocketAddr, session_token: &str) -> std::io::Result<Child> {
        let root = self.bootstrap.parent().unwrap_or(Path::new("/"));
        let log_stream = ids::log_stream_name();
        Command::new(&self.bootstrap)
            .env_clear()
            .envs(environment::process_environment(
                &self.function,
                &self.extra_environment,
                root,
                runtime_api,
                &log_stream,
            ))
            .env("AWS_SESSION_TOKEN", session_token)
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Forwards what the process prints. The tasks end with the output.
    pub(super) fn forward_output(&self, child: &mut Child, tail: &Tail) -> Vec<JoinHandle<()>> {
        let name = &self.function.logical_id;
        let forward = |tail: &Tail| (name.clone(), self.output.clone(), tail.clone(), self.stop.clone());
        let mut forwarding = Vec::with_capacity(2);
        if let Some(stdout) = child.stdout.take() {
            let (name, output, tail, stop) = forward(tail);
            forwarding.push(self.tasks.spawn(output::forward(stdout, name, output, tail, stop)));
        }
        if let Some(stderr) = child.stderr.take() {
            let (name, output, tail, stop) = forward(tail);
            forwarding.push(self.tasks.spawn(output::forward(stderr, name, output, tail, stop)));
        }
        forwarding
    }

    /// Why the process did not start, for the invocation and for the start of the stack.
    pub(super) fn not_started(&self, invoke: InvokeError, reason: String, output: Vec<String>) -> NotStarted {
        let function = self.function.logical_id.clone();
        NotStarted {
            invoke,
            start: Box::new(FunctionStartError {
                function,
                reason,
                output,
            }),
        }
    }
}

/// A process that has started. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    jobs: mpsc::Sender<Job>,
}

/// An event for a process.
#[derive(Debug)]
pub(super) struct Job {
    /// The event, as JSON.
    pub(super) event: Bytes,
    /// How long the start of the process took, if it was started for this invocation.
    pub(super) init: Option<Duration>,
    /// Receives the outcome.
    pub(super) done: oneshot::Sender<JobOutcome>,
}

/// The outcome of a job.
#[derive(Debug)]
pub(super) enum JobOutcome {
    /// The process ended before it took the event. Another process can have it.
    NotTaken,
    /// The invocation is over.
    Finished(Result<Bytes, InvokeError>),
}

/// Why a process did not start.
#[derive(Debug)]
pub(super) struct NotStarted {
    /// The error for the invocation.
    pub(super) invoke: InvokeError,
    /// The error for the start of the stack.
    pub(super) start: Box<FunctionStartError>,
}

impl Process {
    /// Starts a process and waits for its first `/next`. Also returns how long that took.
    pub(super) async fn start(specification: &Specification) -> Result<(Self, Duration), NotStarted> {
        let began = Instant::now();
        let (jobs, jobs_to_do) = mpsc::channel(1);
        let (up, came_up) = oneshot::channel();
        let owner = Owner::spawn(specification, jobs_to_do, up).await.map_err(|error| {
            let reason = format!("{} could not be started: {error}", specification.bootstrap.display());
            specification.not_started(InvokeError::Exited { status: reason.clone() }, reason, Vec::new())
        })?;
        let pid = owner.pid();
        specification.tasks.spawn(owner.run(began + specification.init_limit));
        match came_up.await {
            Ok(Ok(())) => Ok((Self { pid, jobs }, began.elapsed())),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(specification.not_started(InvokeError::Stopping, "stopped".to_owned(), Vec::new())),
        }
    }

    /// Runs one invocation. `init` is how long the start took, if the process was started for this
    /// invocation.
    pub(super) async fn run(&self, event: Bytes, init: Option<Duration>) -> JobOutcome {
        let (done, outcome) = oneshot::channel();
        if self.jobs.send(Job { event, init, done }).await.is_err() {
            return JobOutcome::NotTaken;
        }
        outcome.await.unwrap_or(JobOutcome::NotTaken)
    }

    /// What it has used so far.
    pub(super) fn usage(&self) -> Usage {
        Usage::read(self.pid)
    }

    /// Whether it can still run an invocation.
    pub(super) fn is_alive(&self) -> bool {
        !self.jobs.is_closed()
    }
}
