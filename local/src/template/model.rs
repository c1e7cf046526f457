//! What a template describes, after every intrinsic function is resolved. All other parts of the
//! stack start from it.

use std::collections::BTreeMap;

use crate::secretsmanager::FirstValue;

/// Everything that runs.
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
    /// `Outputs`, resolved as on AWS: their URLs are those of AWS, not of this machine.
    pub outputs: BTreeMap<String, String>,
    /// `Metadata.Local.NextSteps`: a text for the user who started the stack. `${WebSocketUrl}`,
    /// `${HttpUrl}` and `${AwsEndpointUrl}` in it are not filled in yet.
    pub next_steps: Option<String>,
}

/// One `AWS::Serverless::Function`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Key under `Resources`.
    pub logical_id: String,
    /// `FunctionName`, or a name made from the stack's name and the logical id.
    pub name: String,
    /// Directory to build in: `CodeUri`, relative to the template.
    pub code_uri: std::path::PathBuf,
    /// Cargo binary that becomes `bootstrap`: `Metadata.BuildProperties.Binary`.
    pub binary: String,
    /// Memory in MB; 128 by default.
    pub memory_mb: u32,
    /// Timeout in seconds; 3 by default.
    pub timeout_s: u32,
    /// Most processes at once: `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<u32>,
    /// Environment variables, resolved.
    pub environment: BTreeMap<String, String>,
    /// Whether its log consists of lines of JSON: `LoggingConfig.LogFormat`.
    pub logs_json: bool,
}

/// One WebSocket API with the only stage that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct WebSocketApi {
    /// Key under `Resources`.
    pub logical_id: String,
    /// The value of `Ref`: ten lower-case letters and digits, as on AWS.
    pub api_id: String,
    /// First segment of the URL's path.
    pub stage: String,
    /// `RouteSelectionExpression`, for example `$request.body.action`.
    pub route_selection_expression: String,
    /// Routes by key: `$connect`, `$disconnect`, `$default`, or a custom one.
    pub routes: BTreeMap<String, Route>,
}

/// One route of a WebSocket API.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Logical id of its function.
    pub function: String,
    /// Only `$connect` can have one.
    pub authorizer: Option<Authorizer>,
    /// Whether the function's return value is sent to the client: the route has a
    /// `RouteResponseSelectionExpression` and a `RouteResponse`.
    pub responds: bool,
    /// `TimeoutInMillis`; 29,000 by default.
    pub timeout_ms: u64,
    /// The rate in the stage's route settings, if there is one.
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
    /// Logical id of its function.
    pub function: String,
    /// `IdentitySource`, for example `route.request.querystring.token`. Each must be present, or
    /// the answer is 401.
    pub identity_sources: Vec<String>,
}

/// One HTTP API with its `$default` stage.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpApi {
    /// Key under `Resources`.
    pub logical_id: String,
    /// The value of `Ref`.
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
    /// For example `/user/{user_id}` or `/files/{proxy+}`. `$default` takes all requests that no
    /// other route takes.
    pub path: String,
    /// Logical id of its function.
    pub function: String,
    /// The rate in the stage's route settings, if there is one.
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
    /// `TableName`, or a name made from the stack's name and the logical id.
    pub name: String,
    /// The body of a `CreateTable` call: the resource's properties in the shape of that API.
    pub create: serde_json::Value,
    /// Attribute with the expiry time in epoch seconds, if TTL is on.
    pub ttl_attribute: Option<String>,
}

/// One `AWS::SecretsManager::Secret`.
#[derive(Debug, Clone, PartialEq)]
pub struct Secret {
    /// Key under `Resources`.
    pub logical_id: String,
    /// `Name`, or a name made from the stack's name and the logical id.
    pub name: String,
    /// The ARN, with the six characters that Secrets Manager adds at its end.
    pub arn: String,
    /// `Description`.
    pub description: Option<String>,
    /// Its first value.
    pub value: FirstValue,
}

/// One `AWS::SQS::Queue`.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Key under `Resources`.
    pub logical_id: String,
    /// `QueueName`, or a name made from the stack's name and the logical id.
    pub name: String,
    /// Its attributes, in the form that `CreateQueue` takes.
    pub attributes: BTreeMap<String, String>,
}

/// One event source mapping of a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Key under `Resources`. An event of a function has the one that SAM makes.
    pub logical_id: String,
    /// Name of the queue.
    pub queue: String,
    /// ARN of the queue.
    pub queue_arn: String,
    /// Whether the queue is FIFO.
    pub is_fifo: bool,
    /// Logical id of the function.
    pub function: String,
    /// Most messages in a batch.
    pub batch_size: usize,
    /// How long to gather a batch, in seconds.
    pub window_s: u32,
    /// How long received messages stay hidden, in seconds, if not as long as the queue says.
    pub visibility_override_s: Option<u32>,
    /// Most batches at once: `ScalingConfig.MaximumConcurrency`.
    pub maximum_concurrency: Option<u32>,
    /// Whether the function's answer names the messages that failed: `ReportBatchItemFailures`.
    pub reports_failures: bool,
    /// Whether the mapping runs.
    pub enabled: bool,
}
