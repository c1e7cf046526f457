//! Starts the parts of the local stack together, and stops them.
//!
//! A start reads the template, takes the ports, builds the functions, opens tables, queues and
//! secrets, makes the process pools, serves the APIs and the AWS endpoint, and starts one process
//! of each function to see that it works. Only then the mappings take messages from queues. So a
//! mistake in the template is reported before anything is compiled.
//!
//! Invariants:
//! - everything listens on 127.0.0.1 only
//! - when [`Running::stop`] returns, or when the runtime in which a [`Running`] was dropped has
//!   ended, no process is left

mod environment;
mod ports;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::aws::{self, DynamoDb, DynamoDbError};
use crate::build::{self, Bootstraps, BuildError};
use crate::faults::{FaultPlan, Injector};
use crate::gateway::http::{self, HttpServer};
use crate::gateway::{Faults, Gateway, Limits, PostFault};
use crate::lambda::{self, Lambda, REGION, Tuning};
use crate::mapping::{self, Mappings};
use crate::meter::Meter;
use crate::secretsmanager::{self, SecretsManager};
use crate::sqs::{self, Clock, Sqs};
use crate::template::{self, Secrets, TemplateError};
use ports::Ports;

/// How to start a stack. The default is `template.yaml`, in memory, on free ports.
#[derive(Debug, Clone)]
pub struct Options {
    /// The template.
    pub template: PathBuf,
    /// Values for its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Directory for tables, queues and secrets. Without one they are kept in memory.
    pub data_dir: Option<PathBuf>,
    /// Port of the WebSocket APIs; 0 means any.
    pub websocket_port: u16,
    /// Port of the HTTP APIs; 0 means any.
    pub http_port: u16,
    /// Port of the AWS endpoint; 0 means any.
    pub aws_port: u16,
    /// The source of the functions' binaries.
    pub bootstraps: Bootstraps,
    /// Limits of the WebSocket APIs.
    pub limits: Limits,
    /// Faults of sockets that one test asks for.
    pub faults: Faults,
    /// Random faults in all parts.
    pub fault_plan: FaultPlan,
    /// Seed of the random faults.
    pub fault_seed: u64,
    /// Settings of the process pools, and the destination of the functions' output.
    pub tuning: Tuning,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            template: PathBuf::from("template.yaml"),
            parameters: BTreeMap::new(),
            data_dir: None,
            websocket_port: 0,
            http_port: 0,
            aws_port: 0,
            bootstraps: Bootstraps::default(),
            limits: Limits::default(),
            faults: Faults::default(),
            fault_plan: FaultPlan::default(),
            fault_seed: 0,
            tuning: Tuning::default(),
        }
    }
}

/// Why a stack does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The template cannot be run.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A port is in use.
    #[error("cannot listen on 127.0.0.1:{port}; choose another port with {flag}")]
    Port {
        /// The port.
        port: u16,
        /// The command-line flag that changes it.
        flag: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}", path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The functions cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The tables cannot be made.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The queues cannot be made.
    #[error(transparent)]
    Sqs(#[from] sqs::SqsStartError),
    /// The secrets cannot be made.
    #[error(transparent)]
    SecretsManager(#[from] secretsmanager::SecretsStartError),
    /// Functions do not start.
    #[error("{}", listed(.0))]
    Functions(Vec<lambda::StartError>),
}

fn listed(errors: &[lambda::StartError]) -> String {
    let errors: Vec<String> = errors.iter().map(|error| format!("function {error}")).collect();
    errors.join("\n")
}

/// Starts stacks.
#[derive(Debug, Clone, Copy)]
pub struct Stack;

/// A running stack. It stops when this is dropped; [`Running::stop`] also waits until it has
/// stopped.
#[derive(Debug)]
pub struct Running {
    /// `ws://127.0.0.1:PORT/STAGE`, or without the stage if the template has not exactly one
    /// WebSocket API.
    pub websocket_url: String,
    /// `http://127.0.0.1:PORT`, with the stage if the only HTTP API has a stage other than
    /// `$default`.
    pub http_url: String,
    /// `http://127.0.0.1:PORT`: the `AWS_ENDPOINT_URL` for clients of the stack's services.
    pub aws_endpoint_url: String,
    /// The template that runs.
    pub stack: template::Stack,
    meter: Meter,
    faults: Injector,
    lambda: Lambda,
    sqs: Sqs,
    mappings: Option<Mappings>,
    gateway: Gateway,
    http: HttpServer,
    tasks: TaskTracker,
    stop: DropGuard,
    /// Held while the data directory is in use.
    _lock: Option<File>,
}

impl Stack {
    /// Starts everything that the template describes.
    ///
    /// # Errors
    /// See [`StartError`]. After an error nothing is left running.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let lock = options.data_dir.as_deref().map(open_data_directory).transpose()?;
        let stack = template::load(&options.template, &template_options(&options))?;
        // Reports ports in use before the build starts. Nothing listens yet: a listener must be
        // able to answer soon.
        drop(Ports::take(&options).await?);
        let bootstraps = build::bootstraps(&stack.functions, &options.bootstraps).await?;
        let ports = Ports::take(&options).await?;

        let faults = Injector::new(options.fault_plan.clone(), options.fault_seed);
        let base = Base::new(lock, faults);
        let kept = |name: &str| options.data_dir.as_ref().map(|directory| directory.join(name));
        let file = kept("dynamodb.sqlite");
        let dynamodb = DynamoDb::start(file.as_deref(), &stack.tables, &base.stop, &base.tasks).await?;
        let file = kept("sqs.journal");
        let sqs = Sqs::start(file.as_deref(), &stack.queues, REGION, &ports.aws.url(), system_clock())?;
        let file = kept("secretsmanager.json");
        let secretsmanager = SecretsManager::start(file.as_deref(), &stack.secrets, system_clock())?;
        let config = lambda::Config {
            functions: stack.functions.clone(),
            bootstraps,
            environment: environment::of_functions(&stack, &ports.aws.url()),
            meter: base.meter.clone(),
            faults: base.faults.clone(),
        };
        let lambda = Lambda::start_with(config, &options.tuning).map_err(|error| StartError::Functions(vec![error]))?;
        let engines = Engines {
            lambda,
            dynamodb,
            sqs,
            secretsmanager,
        };
        let kill = base.stop.clone();
        let mut running = serve(stack, ports, engines, &options, base);
        match running.warm().await {
            Ok(()) => {
                running.mappings = Some(running.start_mappings(&kill));
                Ok(running)
            }
            Err(error) => {
                running.stop().await;
                Err(error)
            }
        }
    }
}

/// What all parts share, and what stops them.
struct Base {
    stop: CancellationToken,
    stop_on_drop: DropGuard,
    tasks: TaskTracker,
    meter: Meter,
    faults: Injector,
    lock: Option<File>,
}

impl Base {
    fn new(lock: Option<File>, faults: Injector) -> Self {
        let stop = CancellationToken::new();
        let stop_on_drop = stop.clone().drop_guard();
        Self {
            stop,
            stop_on_drop,
            tasks: TaskTracker::new(),
            meter: Meter::default(),
            faults,
            lock,
        }
    }
}

/// The functions, and the services that they call.
struct Engines {
    lambda: Lambda,
    dynamodb: DynamoDb,
    sqs: Sqs,
    secretsmanager: SecretsManager,
}

fn serve(stack: template::Stack, ports: Ports, engines: Engines, options: &Options, base: Base) -> Running {
    let Engines {
        lambda,
        dynamodb,
        sqs,
        secretsmanager,
    } = engines;
    let (websocket_url, http_url, aws_endpoint_url) =
        (ports.websocket_url(&stack), ports.http_url(&stack), ports.aws.url());
    let (limits, faults) = (options.limits, options.faults);
    let apis = stack.websocket_apis.clone();
    let gateway = Gateway::start_with_faults(
        ports.websocket.listener,
        apis,
        lambda.clone(),
        base.meter.clone(),
        limits,
        faults,
        base.faults.clone(),
    );
    let apis = stack.http_apis.clone();
    let one_bucket = http::Options {
        throttle: gateway.throttle(),
        ..http::Options::default()
    };
    let http = http::serve_with(
        ports.http.listener,
        apis,
        lambda.clone(),
        base.meter.clone(),
        one_bucket,
    );
    let management = gateway.management();
    let services = aws::Services {
        dynamodb,
        sqs: sqs.clone(),
        secretsmanager,
        connections: Arc::new(move |request| {
            let management = management.clone();
            Box::pin(async move { management.handle(request).await })
        }),
        meter: base.meter.clone(),
        faults: base.faults.clone(),
        functions: stack.functions.keys().cloned().collect(),
    };
    aws::serve(ports.aws.listener, services, base.stop, &base.tasks);
    Running {
        websocket_url,
        http_url,
        aws_endpoint_url,
        stack,
        meter: base.meter,
        faults: base.faults,
        lambda,
        sqs,
        mappings: None,
        gateway,
        http,
        tasks: base.tasks,
        stop: base.stop_on_drop,
        _lock: base.lock,
    }
}

impl Running {
    /// The URLs of the template's queues, by logical id.
    pub fn queue_urls(&self) -> BTreeMap<&str, String> {
        let url = |name: &str| format!("{}/{}/{name}", self.aws_endpoint_url, lambda::ACCOUNT_ID);
        let queues = self.stack.queues.iter();
        queues
            .map(|queue| (queue.logical_id.as_str(), url(&queue.name)))
            .collect()
    }

    /// Counts what the stack has done so far.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The faults of the plan: shows them, pauses them and resumes them.
    pub fn faults(&self) -> &Injector {
        &self.faults
    }

    /// Invokes the stack's functions directly.
    pub fn lambda(&self) -> &Lambda {
        &self.lambda
    }

    /// From here on, posts to a connection of a WebSocket API have this fault, until another call
    /// changes it.
    pub fn harm_posts(&self, connection_id: &str, fault: PostFault) {
        self.gateway.harm_posts(connection_id, fault);
    }

    /// The stack's queues.
    pub fn sqs(&self) -> &Sqs {
        &self.sqs
    }

    /// Stops everything and waits until no process is left.
    ///
    /// Running batches of queues end first, while the services that they call still run. Each may
    /// take as long as its function.
    pub async fn stop(self) {
        self.faults.pause();
        if let Some(mappings) = &self.mappings {
            mappings.stop().await;
        }
        self.gateway.stop().await;
        self.http.stop().await;
        self.lambda.stop().await;
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn start_mappings(&self, kill: &CancellationToken) -> Mappings {
        let services = mapping::Services {
            sqs: self.sqs.clone(),
            lambda: self.lambda.clone(),
            meter: self.meter.clone(),
            faults: self.faults.clone(),
            region: REGION.to_owned(),
        };
        Mappings::start(&self.stack.mappings, &self.stack.functions, &services, kill)
    }

    /// Starts a process of each function, so that its first caller does not find one that exits at
    /// its start.
    async fn warm(&self) -> Result<(), StartError> {
        let started = join_all(self.stack.functions.keys().map(|function| self.lambda.warm(function))).await;
        let failed: Vec<_> = started.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(StartError::Functions(failed))
        }
    }
}

fn system_clock() -> Clock {
    Arc::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    })
}

fn template_options(options: &Options) -> template::Options {
    template::Options {
        parameters: options.parameters.clone(),
        secrets: options
            .data_dir
            .as_deref()
            .map_or_else(Secrets::in_memory, Secrets::in_directory),
        ..template::Options::default()
    }
}

/// Makes the directory, readable by its owner only, and locks it against other stacks.
fn open_data_directory(path: &Path) -> Result<File, StartError> {
    let lock = || {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let file = File::create(path.join("lock"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another stack is using it"),
            TryLockError::Error(error) => error,
        })?;
        Ok(file)
    };
    lock().map_err(|source| StartError::DataDirectory {
        path: path.to_owned(),
        source,
    })
}
