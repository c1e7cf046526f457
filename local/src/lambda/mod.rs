//! Lambda: runs the `bootstrap` binaries through the Runtime API.
//!
//! [`Lambda::invoke`] takes a process from the function's pool, or starts one, hands it the event,
//! and waits for its answer, its exit or its timeout. `local/docs/lambda.md` shows the parts and
//! the states of a process.
//!
//! Invariants:
//! - a process runs one invocation at a time, and an event is handed to exactly one process
//! - an invocation that was handed over runs to its end, even if its caller stops waiting
//! - no process outlives [`Lambda::stop`] or the drop of the last [`Lambda`]
//! - a process sees the environment that Lambda would give it, and nothing of the host's

mod end_reason;
mod environment;
pub(crate) mod ids;
mod output;
mod owner;
mod pool;
mod process;
mod runtime_api;
mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Injector;
use crate::meter::Meter;
use crate::template::model::Function;

pub use output::{Output, OutputLine};
pub use pool::Slot;
pub use usage::Usage;

use pool::Pool;
use process::Specification;

/// The region in ARNs and domain names, unless a function's environment names another.
pub const REGION: &str = "us-east-1";

/// The account in ARNs and events.
pub const ACCOUNT_ID: &str = "000000000000";

/// Largest event of a synchronous invocation, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const EVENT_LIMIT_BYTES: usize = 6 * 1024 * 1024;

/// Largest response of a synchronous invocation, in bytes: 6 MB and room for its envelope, as in
/// AWS's own emulator of the Runtime API.
pub const RESPONSE_LIMIT_BYTES: usize = 6 * 1024 * 1024 + 100;

/// How long [`Lambda::stop`] waits for the output of the processes that it killed.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The functions to run, and what they need.
#[derive(Debug, Clone)]
pub struct LambdaConfig {
    /// Functions, by logical id.
    pub functions: BTreeMap<String, Function>,
    /// Their `bootstrap` binaries, by logical id.
    pub bootstraps: BTreeMap<String, PathBuf>,
    /// Environment in addition to the template's (credentials, endpoints), by logical id. It wins
    /// over the template's.
    pub environment: BTreeMap<String, BTreeMap<String, String>>,
    /// Counts the invocations.
    pub meter: Meter,
    /// Kills processes, if the fault plan says so.
    pub faults: Injector,
}

/// Settings of the pools that AWS does not define.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Most processes per function. More invocations wait in order. AWS would start more processes,
    /// but a laptop should not.
    pub max_processes: u32,
    /// How long an idle process is kept. The last one of a function is always kept.
    pub idle_after: Duration,
    /// How long a process may take from its start to its first `/next`. It is 10 s on AWS.
    pub init_limit: Duration,
    /// The destination of the functions' output.
    pub output: Output,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            max_processes: 32,
            idle_after: Duration::from_mins(1),
            init_limit: Duration::from_secs(10),
            output: Output::Stderr,
        }
    }
}

/// Why a function cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}: {reason}{}", output::indented(output))]
pub struct FunctionStartError {
    /// Logical id.
    pub function: String,
    /// What went wrong.
    pub reason: String,
    /// The last lines that the process printed.
    pub output: Vec<String>,
}

/// Why an invocation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The handler returned an error, or panicked.
    #[error("{error_type}: {message}")]
    Function {
        /// `errorType` of the runtime's report.
        error_type: String,
        /// `errorMessage` of the runtime's report.
        message: String,
    },
    /// The function ran past its timeout and was killed.
    #[error("Task timed out after {timeout_s}.00 seconds")]
    Timeout {
        /// The timeout of the template, in seconds.
        timeout_s: u32,
    },
    /// The process exited before it answered.
    #[error("Runtime exited with error: {status}")]
    Exited {
        /// How it exited, for example `exit status: 101`.
        status: String,
    },
    /// The function has as many processes as its reserved concurrency allows, and all are busy.
    #[error("Rate Exceeded.")]
    Throttled,
    /// The stack is stopping.
    #[error("the stack is stopping")]
    Stopping,
}

/// Invokes functions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lambda {
    shared: Arc<LambdaState>,
}

#[derive(Debug)]
struct LambdaState {
    pools: BTreeMap<String, Arc<Pool>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Drop for LambdaState {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Lambda {
    /// Makes the functions ready to be invoked. Their processes start when they are needed. Must be
    /// called in a tokio runtime.
    ///
    /// # Errors
    /// If a function has no binary.
    pub fn start(config: LambdaConfig) -> Result<Self, FunctionStartError> {
        Self::start_with(config, &Tuning::default())
    }

    /// Like [`Lambda::start`], with these settings of the pools.
    ///
    /// # Errors
    /// If a function has no binary.
    pub fn start_with(config: LambdaConfig, tuning: &Tuning) -> Result<Self, FunctionStartError> {
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let mut pools = BTreeMap::new();
        let LambdaConfig {
            functions,
            mut bootstraps,
            mut environment,
            meter,
            faults,
        } = config;
        for (id, function) in functions {
            let specification = Specification {
                bootstrap: existing(&id, bootstraps.remove(&id))?,
                function,
                extra_environment: environment.remove(&id).unwrap_or_default(),
                init_limit: tuning.init_limit,
                output: tuning.output.clone(),
                meter: meter.clone(),
                faults: faults.clone(),
                stop: stop.clone(),
                tasks: tasks.clone(),
            };
            pools.insert(id, Pool::start(specification, tuning));
        }
        Ok(Self {
            shared: Arc::new(LambdaState { pools, stop, tasks }),
        })
    }

    /// Invokes the function with this logical id and waits for its result. The invocation goes on
    /// if the caller stops waiting.
    ///
    /// # Errors
    /// See [`InvokeError`]. An unknown logical id is an [`InvokeError::Function`] of type
    /// `ResourceNotFoundException`.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        self.run(function, event, None).await
    }

    /// Like [`Lambda::invoke`], in a slot of this function.
    ///
    /// # Errors
    /// Like [`Lambda::invoke`].
    pub async fn invoke_in(&self, slot: Slot, function: &str, event: &Value) -> Result<Value, InvokeError> {
        self.run(function, event, Some(slot)).await
    }

    /// Waits until the function can be invoked at once, and reserves that slot: if a process can be
    /// started, it is ready.
    ///
    /// # Errors
    /// If there is no such function, or the stack is stopping.
    pub async fn slot(&self, function: &str) -> Result<Slot, InvokeError> {
        self.pool(function)?.slot_with_process().await
    }

    async fn run(&self, function: &str, event: &Value, slot: Option<Slot>) -> Result<Value, InvokeError> {
        if self.shared.stop.is_cancelled() {
            return Err(InvokeError::Stopping);
        }
        let pool = Arc::clone(self.pool(function)?);
        let event = encode(event)?;
        let running = self.shared.tasks.spawn(async move { pool.invoke(event, slot).await });
        let response = running.await.unwrap_or(Err(InvokeError::Stopping))?;
        serde_json::from_slice(&response).map_err(|error| InvokeError::Function {
            error_type: "Runtime.InvalidResponse".to_owned(),
            message: format!("the response is not JSON: {error}"),
        })
    }

    /// Starts a process of the function so that the next invocation need not, and waits until it
    /// takes invocations.
    ///
    /// # Errors
    /// If the process does not start. The error has the last lines that it printed.
    pub async fn warm(&self, function: &str) -> Result<(), FunctionStartError> {
        let pool = self.pool(function).map_err(|error| FunctionStartError {
            function: function.to_owned(),
            reason: error.to_string(),
            output: Vec::new(),
        })?;
        pool.warm().await
    }

    /// How many processes of the function are idle.
    pub fn idle_processes(&self, function: &str) -> usize {
        self.pool(function).map_or(0, |pool| pool.idle_processes())
    }

    /// What each idle process of the function has used since its start.
    pub fn idle_usage(&self, function: &str) -> Vec<Usage> {
        self.pool(function)
            .map_or_else(|_| Vec::new(), |pool| pool.idle_usage())
    }

    /// Kills all processes and waits until they are gone. Running invocations end with
    /// [`InvokeError::Stopping`].
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        for pool in self.shared.pools.values() {
            pool.close();
        }
        self.shared.tasks.close();
        if tokio::time::timeout(STOP_LIMIT, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("a process that a function started still holds its output open");
        }
    }

    fn pool(&self, function: &str) -> Result<&Arc<Pool>, InvokeError> {
        self.shared.pools.get(function).ok_or_else(|| InvokeError::Function {
            error_type: "ResourceNotFoundException".to_owned(),
            message: format!("Function not found: {function}"),
        })
    }
}

fn existing(function: &str, bootstrap: Option<PathBuf>) -> Result<PathBuf, FunctionStartError> {
    let reason = match bootstrap {
        Some(path) if path.is_file() => return Ok(path),
        Some(path) => format!("there is no file {}", path.display()),
        None => "it has no binary".to_owned(),
    };
    Err(FunctionStartError {
        function: function.to_owned(),
        reason,
        output: Vec::new(),
    })
}

fn encode(event: &Value) -> Result<Bytes, InvokeError> {
    let event = event.to_string();
    if event.len() > EVENT_LIMIT_BYTES {
        return Err(InvokeError::Function {
            error_type: "RequestEntityTooLargeException".to_owned(),
            message: format!("Request must be smaller than {EVENT_LIMIT_BYTES} bytes for the InvokeFunction operation"),
        });
    }
    Ok(Bytes::from(event))
}
