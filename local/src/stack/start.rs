//! The start of a stack, step by step.

use std::fs::File;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::ports::Ports;
use super::{RunningStack, StackOptions, StackStartError, data_directory, environment};
use crate::aws::{self, DynamoDb};
use crate::faults::Injector;
use crate::gateway::Gateway;
use crate::gateway::http::{self, HttpOptions};
use crate::lambda::{Lambda, LambdaConfig, REGION};
use crate::meter::Meter;
use crate::secretsmanager::SecretsManager;
use crate::sqs::{Clock, Sqs};
use crate::{build, template};

impl RunningStack {
    /// Starts everything that the template describes.
    ///
    /// # Errors
    /// See [`StackStartError`]. After an error nothing is left running.
    pub async fn start(options: StackOptions) -> Result<RunningStack, StackStartError> {
        let lock = options.data_dir.as_deref().map(data_directory::open).transpose()?;
        let stack = template::load(&options.template, &options.template_options())?;
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
        let config = LambdaConfig {
            functions: stack.functions.clone(),
            bootstraps,
            environment: environment::function_environments(&stack, &ports.aws.url()),
            meter: base.meter.clone(),
            faults: base.faults.clone(),
        };
        let lambda =
            Lambda::start_with(config, &options.tuning).map_err(|error| StackStartError::Functions(vec![error]))?;
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

fn serve(stack: template::Stack, ports: Ports, engines: Engines, options: &StackOptions, base: Base) -> RunningStack {
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
    let one_bucket = HttpOptions {
        throttle: gateway.throttle(),
        ..HttpOptions::default()
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
    RunningStack {
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

fn system_clock() -> Clock {
    Arc::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    })
}
