//! An AWS without a network: it gives every call the same answer.

use aws_sdk_dynamodb::config::{
    AsyncSleep, BehaviorVersion, Credentials, HttpClient, Region, RuntimeComponents, Sleep,
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use wigwag_edge::{Pusher, Queue};
use wigwag_store::Store;

/// Calls that are answered. All later ones are refused, so that every input ends.
const CALLS: u32 = 64;

/// The answer of AWS.
#[derive(Debug, Clone, Default)]
pub(super) enum Answer {
    /// Nothing is stored, and every write succeeds.
    #[default]
    Empty,
    /// Every call is refused.
    Refusal,
    /// Every read finds this item.
    Item(Value),
}

/// The clients of a function, and a runtime for it. Each thread has its own.
pub(super) struct Aws {
    pub(super) store: Store,
    pub(super) queue: Queue,
    pub(super) pusher: Pusher,
    runtime: Runtime,
    wire: Wire,
}

thread_local! {
    static AWS: Aws = Aws::new();
}

impl Aws {
    /// Runs a function on an AWS with this answer.
    pub(super) fn run<T>(answer: Answer, run: impl AsyncFnOnce(&Self) -> T) -> T {
        AWS.with(|aws| {
            *aws.wire.0.lock().unwrap_or_else(PoisonError::into_inner) = (answer, CALLS);
            aws.runtime.block_on(run(aws))
        })
    }

    /// A deadline that never comes.
    pub(super) fn deadline() -> Instant {
        Instant::now() + Duration::from_hours(1)
    }

    fn new() -> Self {
        let wire = Wire(Arc::default());
        let credentials = || Credentials::new("local", "local", None, None, "fuzz");
        let dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .sleep_impl(NoTime)
            .http_client(wire.clone());
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .sleep_impl(NoTime)
            .http_client(wire.clone());
        let management = aws_sdk_apigatewaymanagement::Config::builder()
            .behavior_version(aws_sdk_apigatewaymanagement::config::BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url("http://localhost")
            .sleep_impl(NoTime)
            .http_client(wire.clone());
        Self {
            store: Store::new(dynamodb, "timelines", "directory"),
            queue: Queue::new(sqs, "http://localhost/queue"),
            pusher: Pusher::new(management),
            runtime: Builder::new_current_thread().enable_all().build().expect("a runtime"),
            wire,
        }
    }
}

/// An HTTP client that gives the answer itself.
#[derive(Debug, Clone)]
struct Wire(Arc<Mutex<(Answer, u32)>>);

impl Wire {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, left) = &mut *state;
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let (status, body) = match answer {
            Answer::Empty if *left > 0 => (200, json!({})),
            Answer::Item(item) if *left > 0 => (200, item_response(target, item)),
            _ => (400, json!({ "__type": "ResourceNotFoundException", "message": "no" })),
        };
        *left = left.saturating_sub(1);
        HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body.to_string()))
    }
}

/// The response of an operation that finds an item.
fn item_response(target: &str, item: &Value) -> Value {
    match target.rsplit('.').next().unwrap_or_default() {
        "BatchGetItem" => json!({ "Responses": { "timelines": [item], "directory": [item] } }),
        "BatchExecuteStatement" => json!({ "Responses": [{ "Item": item }] }),
        _ => json!({ "Item": item, "Items": [item], "Attributes": item }),
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(self.answer(&request)))
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The SDK's pauses between attempts end at once. Its timeouts never come.
#[derive(Debug)]
struct NoTime;

impl AsyncSleep for NoTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < Duration::from_secs(1) {
            Sleep::new(std::future::ready(()))
        } else {
            Sleep::new(std::future::pending())
        }
    }
}
