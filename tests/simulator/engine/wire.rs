//! Connects the SDK to an engine in this process, without a socket.
//!
//! Calls and replies are the bytes that `DynamoDB` defines.

use aws_sdk_dynamodb::config::{
    AsyncSleep, BehaviorVersion, Builder, HttpClient, Region, RuntimeComponents, Sleep, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use wigwag_store::Store;

/// A call to `DynamoDB`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) body: String,
}

/// The answer of `DynamoDB`.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Call {
    fn from_request(request: &HttpRequest) -> Self {
        let target = request.headers().get("x-amz-target").unwrap();
        let body = request.body().bytes().unwrap();
        Self {
            operation: target.rsplit('.').next().unwrap().to_owned(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Runs the call on the engine, at once and as a whole.
    pub(crate) fn run(&self, database: &Database) -> Reply {
        let body = self.body.as_str();
        let result = match self.operation.as_str() {
            "CreateTable" => answer(body, |request| database.create_table(request)),
            "GetItem" => answer(body, |request| database.get_item(request)),
            "PutItem" => answer(body, |request| database.put_item(request)),
            "UpdateItem" => answer(body, |request| database.update_item(request)),
            "DeleteItem" => answer(body, |request| database.delete_item(request)),
            "Query" => answer(body, |request| database.query(request)),
            "Scan" => answer(body, |request| database.scan(request)),
            "BatchGetItem" => answer(body, |request| database.batch_get_item(request)),
            "BatchExecuteStatement" => answer(body, |request| database.batch_execute_statement(request)),
            "TransactWriteItems" => answer(body, |request| database.transact_write_items(request)),
            other => panic!("no code under test is known to call {other}"),
        };
        match result {
            Ok(body) => Reply { status: 200, body },
            Err(error) => Reply {
                status: error.status_code(),
                body: error.to_json(),
            },
        }
    }
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    body: &str,
    run: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let answer = run(serde_json::from_str(body).unwrap())?;
    Ok(serde_json::to_string(&answer).unwrap())
}

impl Reply {
    /// The refusal of a call that came too soon: nothing was done.
    pub(crate) fn throttled() -> Self {
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"too many"}"#;
        Self {
            status: 400,
            body: body.to_owned(),
        }
    }

    /// A success with this body.
    pub(crate) fn success(body: &Value) -> Self {
        Self {
            status: 200,
            body: body.to_string(),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status == 200
    }

    fn into_response(self) -> HttpResponse {
        HttpResponse::new(self.status.try_into().unwrap(), SdkBody::from(self.body))
    }
}

/// The answer to a call, once it is there.
pub(crate) type PendingReply = Pin<Box<dyn Future<Output = Result<Reply, ConnectorError>> + Send>>;

/// An HTTP client that hands each call to a function, which answers it.
#[derive(Clone)]
pub(crate) struct Wire(Arc<dyn Fn(Call) -> PendingReply + Send + Sync>);

impl Wire {
    pub(crate) fn new(answer: impl Fn(Call) -> PendingReply + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let reply = (self.0)(Call::from_request(&request));
        HttpConnectorFuture::new(async move { reply.await.map(Reply::into_response) })
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A clock for the SDK: waits between attempts (two seconds at most) end at once, and timeouts
/// never come.
#[derive(Debug)]
pub(crate) struct NoTime;

impl AsyncSleep for NoTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < wigwag_store::ATTEMPT_TIMEOUT {
            Sleep::new(std::future::ready(()))
        } else {
            Sleep::new(std::future::pending())
        }
    }
}

/// Settings of a client whose calls are answered by `wire`.
pub(crate) fn config(wire: Wire) -> Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .allow_no_auth()
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(NoTime)
        .http_client(wire)
}

/// The store of a client with these settings.
pub(crate) fn store_over(config: Builder) -> Store {
    Store::new(config, "timelines", "directory")
}
