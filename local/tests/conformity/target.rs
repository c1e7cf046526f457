//! The target of the suite: the local stack, an emulator, or AWS.
//!
//! A case sees a target only from outside: its URLs, its AWS services, and the queue in which its
//! functions record their events.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use wigwag_local::lambda::{Output, Tuning};
use wigwag_local::stack::{RunningStack, StackOptions};

use crate::queue::Drained;
use crate::signed::Caller;

/// How long a case waits for anything. It is generous: functions start, messages come back,
/// machines are busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// The kinds of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKind {
    /// The local stack, in this process.
    Local,
    /// <https://pypi.org/project/ministack>
    Ministack,
    /// LocalStack.
    Localstack,
    /// AWS itself.
    Aws,
}

impl TargetKind {
    /// `CONFORMITY_TARGET`; without it, the local stack.
    pub(crate) fn from_env() -> Result<Self> {
        match std::env::var("CONFORMITY_TARGET").as_deref() {
            Err(_) | Ok("" | "local") => Ok(Self::Local),
            Ok("ministack") => Ok(Self::Ministack),
            Ok("localstack") => Ok(Self::Localstack),
            Ok("aws") => Ok(Self::Aws),
            Ok(other) => bail!("CONFORMITY_TARGET is {other}; it must be local, ministack, localstack or aws"),
        }
    }

    /// The name that people use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "the local stack",
            Self::Ministack => "ministack",
            Self::Localstack => "LocalStack",
            Self::Aws => "AWS",
        }
    }
}

/// The AWS services of a target, called as an SDK would, but with byte-exact answers.
#[derive(Debug, Clone)]
pub(crate) struct AwsServices {
    /// The endpoint of all services. On AWS each service has its own host.
    endpoint: Option<String>,
    caller: Caller,
}

impl AwsServices {
    /// The services of AWS, with the credentials of the environment.
    fn aws() -> Result<Self> {
        let missing = std::env::var("AWS_ACCESS_KEY_ID").unwrap_or_default().is_empty();
        ensure!(
            !missing,
            "there are no credentials; `eval \"$(aws configure export-credentials --format env)\"` puts them into the environment"
        );
        Ok(Self {
            endpoint: None,
            caller: Caller::from_env(),
        })
    }

    /// The services of an emulator, with made-up credentials. Real ones are never sent there.
    fn at(endpoint: String) -> Self {
        Self {
            endpoint: Some(endpoint),
            caller: Caller::new("test".to_owned(), "test".to_owned(), None),
        }
    }

    /// Calls SQS; the call must succeed.
    pub(crate) async fn sqs(&self, operation: &str, request: &Value) -> Result<Value> {
        self.json("sqs", &format!("AmazonSQS.{operation}"), request).await
    }

    /// Calls DynamoDB; the call must succeed.
    pub(crate) async fn dynamodb(&self, operation: &str, request: &Value) -> Result<Value> {
        self.json("dynamodb", &format!("DynamoDB_20120810.{operation}"), request)
            .await
    }

    async fn json(&self, service: &str, target: &str, request: &Value) -> Result<Value> {
        let endpoint = self.endpoint.clone();
        let endpoint = endpoint.unwrap_or_else(|| self.caller.endpoint(service));
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")];
        let body = request.to_string().into_bytes();
        let answer = self.caller.call(Method::POST, &endpoint, service, &headers, body).await;
        let answer = answer.map_err(|error| anyhow!(error)).context(target.to_owned())?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status == 200, "{target}: {status}: {text}");
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{target}: {text}"))
    }
}

/// The deployed template, and how to reach it.
pub(crate) struct Target {
    outputs: BTreeMap<String, String>,
    services: AwsServices,
    /// The `@connections` URL of the API that has all routes.
    management_url: String,
    /// The events that the functions got.
    pub(crate) records: Drained,
    /// The messages in the dead-letter queues, by name of the output.
    dead: BTreeMap<&'static str, Drained>,
    /// The local stack, until it is stopped.
    stack: Mutex<Option<RunningStack>>,
}

const DEAD: [&str; 3] = ["DeadFailingQueueUrl", "DeadBatchQueueUrl", "DeadSingleQueueUrl"];

impl Target {
    /// Starts the local stack, or finds the deployed template.
    pub(crate) async fn start(kind: TargetKind) -> Result<Self> {
        if kind == TargetKind::Local {
            return Self::start_local().await;
        }
        let path = std::env::var("CONFORMITY_OUTPUTS")
            .context("CONFORMITY_OUTPUTS must name a file with the stack's outputs, as one JSON object")?;
        let outputs = std::fs::read(&path).with_context(|| format!("read {path}"))?;
        let outputs: BTreeMap<String, String> =
            serde_json::from_slice(&outputs).with_context(|| format!("{path} is not a JSON object of strings"))?;
        let services = if kind == TargetKind::Aws {
            AwsServices::aws()?
        } else {
            let endpoint = std::env::var("AWS_ENDPOINT_URL");
            AwsServices::at(endpoint.context("AWS_ENDPOINT_URL must be the URL of the emulator")?)
        };
        let websocket = outputs.get("WebSocketUrl").context("the stack has no WebSocketUrl")?;
        let management_url = websocket.replacen("ws", "http", 1);
        Self::new(outputs, services, management_url, None)
    }

    async fn start_local() -> Result<Self> {
        let (lines, _) = tokio::sync::mpsc::unbounded_channel();
        let options = StackOptions {
            template: Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformity.yaml"),
            tuning: Tuning {
                output: Output::Channel(lines),
                ..Tuning::default()
            },
            ..StackOptions::default()
        };
        let stack = RunningStack::start(options).await.context("start the local stack")?;
        let here = |(name, value): (&String, &String)| (name.clone(), moved(value, &stack));
        let outputs = stack.stack.outputs.iter().map(here).collect();
        let endpoint = stack.aws_endpoint_url.clone();
        let management_url = format!("{endpoint}/whole");
        Self::new(outputs, AwsServices::at(endpoint), management_url, Some(stack))
    }

    fn new(
        outputs: BTreeMap<String, String>,
        services: AwsServices,
        management_url: String,
        stack: Option<RunningStack>,
    ) -> Result<Self> {
        let drained = |name: &str| {
            let url = outputs
                .get(name)
                .with_context(|| format!("the stack has no output {name}"))?;
            anyhow::Ok(Drained::start(services.clone(), url.clone()))
        };
        let dead = DEAD.map(|name| drained(name).map(|drained| (name, drained)));
        Ok(Self {
            records: drained("RecordQueueUrl")?,
            dead: dead.into_iter().collect::<Result<_>>()?,
            outputs,
            services,
            management_url,
            stack: Mutex::new(stack),
        })
    }

    /// Stops reading the queues, and stops the local stack.
    pub(crate) async fn stop(&self) {
        self.records.stop();
        self.dead.values().for_each(Drained::stop);
        if let Some(stack) = self.stack.lock().await.take() {
            stack.stop().await;
        }
    }

    /// The stack's output with this name.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs
            .get(name)
            .unwrap_or_else(|| panic!("the stack has no output {name}"))
    }

    /// Calls `@connections`. `connection` is the rest of the path, spelled as it is sent.
    pub(crate) async fn manage(&self, method: Method, connection: &str, body: impl Into<Vec<u8>>) -> Result<Response> {
        let url = format!("{}/@connections/{connection}", self.management_url);
        self.manage_at(method, &url, body).await
    }

    /// Like [`Target::manage`], with the whole URL.
    pub(crate) async fn manage_at(&self, method: Method, url: &str, body: impl Into<Vec<u8>>) -> Result<Response> {
        let headers = [("content-type", "application/octet-stream")];
        let answer = self
            .services
            .caller
            .call(method, url, "execute-api", &headers, body.into())
            .await;
        answer.map_err(|error| anyhow!(error))
    }

    /// The URL of `@connections`.
    pub(crate) fn management_url(&self) -> &str {
        &self.management_url
    }

    /// A request to the HTTP API.
    pub(crate) fn http(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.output("HttpUrl"));
        reqwest::Client::new().request(method, url).timeout(DEADLINE)
    }

    /// Sends a message to the queue. Returns its id.
    pub(crate) async fn send(&self, queue: &str, mut message: Value) -> Result<String> {
        message["QueueUrl"] = json!(self.output(queue));
        let answer = self.services.sqs("SendMessage", &message).await?;
        let id = answer["MessageId"].as_str().context("a message has an id")?;
        Ok(id.to_owned())
    }

    /// Calls SQS.
    pub(crate) async fn sqs(&self, operation: &str, request: &Value) -> Result<Value> {
        self.services.sqs(operation, request).await
    }

    /// The messages in the dead-letter queue with this output name.
    pub(crate) fn dead(&self, queue: &str) -> &Drained {
        &self.dead[queue]
    }

    /// Opens the gate at which a function waits.
    pub(crate) async fn open_gate(&self, id: &str) -> Result<()> {
        let request = json!({"TableName": self.output("GatesTable"), "Item": {"id": {"S": id}}});
        self.services.dynamodb("PutItem", &request).await?;
        Ok(())
    }

    /// The matching events in the order in which they were recorded. Waits until there are `count`.
    pub(crate) async fn events(
        &self,
        what: &str,
        count: usize,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>> {
        let found = self
            .records
            .wait(what, count, |message| is_meant(&event(message)))
            .await?;
        Ok(found.iter().map(event).collect())
    }

    /// The only matching event.
    pub(crate) async fn event(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Result<Value> {
        Ok(self.events(what, 1, is_meant).await?.swap_remove(0))
    }
}

/// The event in a recorded message.
fn event(message: &Value) -> Value {
    let body = message["Body"].as_str().unwrap_or_default();
    serde_json::from_str(body).unwrap_or_default()
}

/// An output of the template, with the URLs of the local stack.
fn moved(value: &str, stack: &RunningStack) -> String {
    let path = value.splitn(4, '/').nth(3).unwrap_or_default();
    if value.starts_with("wss://") {
        format!("{}/{path}", stack.websocket_url)
    } else if value.starts_with("https://sqs.") {
        format!("{}/{path}", stack.aws_endpoint_url)
    } else if value.starts_with("https://") {
        stack.http_url.clone()
    } else {
        value.to_owned()
    }
}

/// A text that no other case and no other run has.
pub(crate) fn tag() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{}", now.as_micros(), COUNT.fetch_add(1, Ordering::Relaxed))
}
