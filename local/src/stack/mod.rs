//! Starts the parts together, and stops them.
//!
//! The order of a start: read the template, take the ports, build the functions, open the tables, queues and secrets, make the pools, serve the APIs and
//! the AWS endpoint, start one process of each function to see that it comes up, and only then let messages come from queues. What fails early costs nothing: a mistake in
//! the template is reported before anything is compiled.
//!
//! Invariants:
//! - everything listens on 127.0.0.1 alone
//! - when [`Running::stop`] returns, or the runtime in which a [`Running`] was dropped has ended, no process is left

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

/// How a stack is started. The default is `template.yaml`, in memory, on free ports.
#[derive(Debug, Clone)]
pub struct Options {
    /// The template.
    pub template: PathBuf,
    /// Values for its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Where tables, queues and secrets are kept; in memory where there is none.
    pub data_dir: Option<PathBuf>,
    /// Port of the WebSocket APIs; 0 is any.
    pub websocket_port: u16,
    /// Port of the HTTP APIs; 0 is any.
    pub http_port: u16,
    /// Port of the AWS endpoint; 0 is any.
    pub aws_port: u16,
    /// Where the functions' binaries come from.
    pub bootstraps: Bootstraps,
    /// What the WebSocket APIs take.
    pub limits: Limits,
    /// What goes wrong with sockets on purpose: what one test asks for.
    pub faults: Faults,
    /// What goes wrong on purpose, everywhere, by chance.
    pub fault_plan: FaultPlan,
    /// Where that chance begins.
    pub fault_seed: u64,
    /// How the functions' pools behave, and where their output goes.
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
    /// A port cannot be taken.
    #[error("cannot listen on 127.0.0.1:{port}; choose another port with {flag}")]
    Port {
        /// The port.
        port: u16,
        /// The flag of the command line that changes it.
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
    /// Functions do not come up.
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

/// A stack that runs. It stops when this is dropped; [`Running::stop`] also waits until it has.
#[derive(Debug)]
pub struct Running {
    /// `ws://127.0.0.1:PORT/STAGE`; without a stage where there is not exactly one WebSocket API.
    pub websocket_url: String,
    /// `http://127.0.0.1:PORT`, with a stage where the only HTTP API has one that is not `$default`.
    pub http_url: String,
    /// `http://127.0.0.1:PORT`: what `AWS_ENDPOINT_URL` is to be for a client of the stack's services.
    pub aws_endpoint_url: String,
    /// What runs.
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
    /// Held as long as the data directory is in use.
    _lock: Option<File>,
}

impl Stack {
    /// Starts everything that the template describes.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running then.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let lock = options.data_dir.as_deref().map(open_data_directory).transpose()?;
        let stack = template::load(&options.template, &template_options(&options))?;
        // Ports that are in use are told of before all is built, but nothing listens until it can answer soon.
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

/// What is there for all parts, and ends them.
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

/// What runs functions, and what they call.
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

    /// What the stack has done so far.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What goes wrong by the plan, and has; to pause it and go on.
    pub fn faults(&self) -> &Injector {
        &self.faults
    }

    /// Invokes the stack's functions directly.
    pub fn lambda(&self) -> &Lambda {
        &self.lambda
    }

    /// From here on, this goes wrong with posts to a connection of a WebSocket API, until it is told otherwise.
    pub fn harm_posts(&self, connection_id: &str, fault: PostFault) {
        self.gateway.harm_posts(connection_id, fault);
    }

    /// The stack's queues.
    pub fn sqs(&self) -> &Sqs {
        &self.sqs
    }

    /// Stops everything and waits until no process is left. Batches of queues that functions work on end before anything else,
    /// as what they call is still there then; each may take as long as its function may.
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

    /// Starts a process of each function. One that dies at its start would otherwise be found by its first caller.
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

/// Makes the directory, readable by its owner alone, and keeps other stacks out of it.
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
