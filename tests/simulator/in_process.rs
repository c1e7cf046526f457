//! The way from the SDK to an engine in this process: a call is carried as bytes, and answered as `DynamoDB` answers it,
//! without a socket.

use aws_sdk_dynamodb::config::{AsyncSleep, HttpClient, RuntimeComponents, Sleep};
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

/// A call to `DynamoDB`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) body: String,
}

/// What `DynamoDB` answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Call {
    fn of(request: &HttpRequest) -> Self {
        let target = request.headers().get("x-amz-target").unwrap();
        let body = request.body().bytes().unwrap();
        Self {
            operation: target.rsplit('.').next().unwrap().to_owned(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Takes effect, at once and as a whole.
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
            other => panic!("the store does not call {other}"),
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
    /// Too many requests: nothing was done.
    pub(crate) fn throttled() -> Self {
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"too many"}"#;
        Self {
            status: 400,
            body: body.to_owned(),
        }
    }

    /// A success that says this.
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

/// A call on its way.
pub(crate) type Carried = Pin<Box<dyn Future<Output = Result<Reply, ConnectorError>> + Send>>;

/// An HTTP client that hands each call to whoever carries it.
#[derive(Clone)]
pub(crate) struct Wire(Arc<dyn Fn(Call) -> Carried + Send + Sync>);

impl Wire {
    pub(crate) fn new(carry: impl Fn(Call) -> Carried + Send + Sync + 'static) -> Self {
        Self(Arc::new(carry))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let carried = (self.0)(Call::of(&request));
        HttpConnectorFuture::new(async move { carried.await.map(Reply::into_response) })
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The SDK's waits between two attempts (two seconds at most) are over at once, its timeouts never come.
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
