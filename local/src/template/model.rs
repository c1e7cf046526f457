//! What a template describes, after every intrinsic is resolved: the input of all other parts.

use std::collections::BTreeMap;

use crate::secretsmanager::FirstValue;

/// Everything that is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// Lambda functions, by logical id.
    pub functions: BTreeMap<String, Function>,
    /// WebSocket APIs, in the order of the template.
    pub websocket_apis: Vec<WebSocketApi>,
    /// HTTP APIs, in the order of the template.
    pub http_apis: Vec<HttpApi>,
    /// DynamoDB tables, in the order of the template.
    pub tables: Vec<Table>,
    /// Secrets, in the order of the template.
    pub secrets: Vec<Secret>,
    /// SQS queues, in the order of the template.
    pub queues: Vec<Queue>,
    /// Event source mappings of queues, in the order of the template.
    pub mappings: Vec<Mapping>,
    /// `Outputs`, resolved as AWS would: their URLs are those of AWS, not of this machine.
    pub outputs: BTreeMap<String, String>,
    /// `Metadata.Local.NextSteps`: what to tell whoever started the stack, with `${WebSocketUrl}`, `${HttpUrl}` and
    /// `${AwsEndpointUrl}` yet to be filled in.
    pub next_steps: Option<String>,
}

/// One `AWS::Serverless::Function`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Key under `Resources`.
    pub logical_id: String,
    /// `FunctionName`, or made from the stack's name and the logical id.
    pub name: String,
    /// Directory to build in: `CodeUri`, relative to the template.
    pub code_uri: std::path::PathBuf,
    /// Cargo binary that becomes `bootstrap`: `Metadata.BuildProperties.Binary`.
    pub binary: String,
    /// Memory in MB, as in the template; 128 where it says nothing.
    pub memory_mb: u32,
    /// Timeout in seconds; 3 where the template says nothing.
    pub timeout_s: u32,
    /// At most this many processes at once: `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<u32>,
    /// Environment, resolved.
    pub environment: BTreeMap<String, String>,
    /// Whether its log is of lines of JSON: `LoggingConfig.LogFormat`.
    pub logs_json: bool,
}

/// One WebSocket API with the one stage that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct WebSocketApi {
    /// Key under `Resources`.
    pub logical_id: String,
    /// What `Ref` gives; ten lower-case letters and digits, as on AWS.
    pub api_id: String,
    /// Path segment of the URL.
    pub stage: String,
    /// `RouteSelectionExpression`, for example `$request.body.action`.
    pub route_selection_expression: String,
    /// Routes by key: `$connect`, `$disconnect`, `$default`, or a custom one.
    pub routes: BTreeMap<String, Route>,
}

/// One route of a WebSocket API.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Logical id of the function behind it.
    pub function: String,
    /// Only ever on `$connect`.
    pub authorizer: Option<Authorizer>,
    /// Whether the function's return value is sent to the client: the route has a `RouteResponseSelectionExpression`
    /// and a `RouteResponse`.
    pub responds: bool,
    /// `TimeoutInMillis`; 29,000 where the template says nothing.
    pub timeout_ms: u64,
    /// What the stage's route settings let through, where they say.
    pub rate: Option<Rate>,
}

/// A token bucket: it holds `burst` tokens and gains `per_second`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Steady rate.
    pub per_second: u32,
    /// Size of the bucket.
    pub burst: u32,
}

/// A Lambda REQUEST authorizer.
#[derive(Debug, Clone, PartialEq)]
pub struct Authorizer {
    /// Logical id of the function behind it.
    pub function: String,
    /// `IdentitySource`s, for example `route.request.querystring.token`; each must be present, else 401.
    pub identity_sources: Vec<String>,
}

/// One HTTP API with its `$default` stage.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpApi {
    /// Key under `Resources`.
    pub logical_id: String,
    /// What `Ref` gives.
    pub api_id: String,
    /// `$default`, or the first path segment of the URL.
    pub stage: String,
    /// Routes, in the order of the template.
    pub routes: Vec<HttpRoute>,
}

/// One route of an HTTP API.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRoute {
    /// Upper case, or `ANY`.
    pub method: String,
    /// For example `/user/{user_id}` or `/files/{proxy+}`; `$default` where it takes what no other route takes.
    pub path: String,
    /// Logical id of the function behind it.
    pub function: String,
    /// What the stage's route settings let through, where they say.
    pub rate: Option<Rate>,
}

impl HttpRoute {
    /// For example `GET /user/{user_id}`, or `$default`.
    pub fn key(&self) -> String {
        match self.path.as_str() {
            "$default" => "$default".to_owned(),
            path => format!("{} {path}", self.method),
        }
    }
}

/// One `AWS::DynamoDB::Table`.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Key under `Resources`.
    pub logical_id: String,
    /// `TableName`, or made from the stack's name and the logical id.
    pub name: String,
    /// The body of a `CreateTable` call: the resource's properties in the API's own shape.
    pub create: serde_json::Value,
    /// Attribute that holds the expiry in epoch seconds, where TTL is on.
    pub ttl_attribute: Option<String>,
}

/// One `AWS::SecretsManager::Secret`.
#[derive(Debug, Clone, PartialEq)]
pub struct Secret {
    /// Key under `Resources`.
    pub logical_id: String,
    /// `Name`, or made from the stack's name and the logical id.
    pub name: String,
    /// With the six characters at its end that Secrets Manager adds.
    pub arn: String,
    /// `Description`.
    pub description: Option<String>,
    /// What it begins with.
    pub value: FirstValue,
}

/// One `AWS::SQS::Queue`.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Key under `Resources`.
    pub logical_id: String,
    /// `QueueName`, or made from the stack's name and the logical id.
    pub name: String,
    /// Its attributes, as `CreateQueue` takes them.
    pub attributes: BTreeMap<String, String>,
}

/// One event source mapping of a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Key under `Resources`; for an event of a function, the one that SAM makes.
    pub logical_id: String,
    /// Name of the queue.
    pub queue: String,
    /// ARN of the queue.
    pub queue_arn: String,
    /// Whether the queue is FIFO.
    pub is_fifo: bool,
    /// Logical id of the function.
    pub function: String,
    /// Messages in a batch at most.
    pub batch_size: usize,
    /// How long a batch is gathered, in seconds.
    pub window_s: u32,
    /// How long received messages stay hidden, in seconds, where that is not what the queue says.
    pub visibility_override_s: Option<u32>,
    /// Batches at once at most: `ScalingConfig.MaximumConcurrency`.
    pub maximum_concurrency: Option<u32>,
    /// Whether the function's answer names the messages that failed: `ReportBatchItemFailures`.
    pub reports_failures: bool,
    /// Whether it runs.
    pub enabled: bool,
}
