//! DynamoDB: an embedded engine behind its own HTTP server, which checks requests as DynamoDB does.
//!
//! The server listens on a loopback port of its own; [`DynamoDb::call`] forwards requests to it and
//! meters them. The engine does not expire items by itself, so a task deletes expired items every
//! [`SWEEP_EVERY`].

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use dynoxide::Database;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{capacity, tables};
use crate::meter::{AwsCall, Meter};
use crate::template::model::Table;

/// Prefixes of `X-Amz-Target`.
pub(super) const TARGETS: [&str; 2] = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];

/// How often expired items are deleted. AWS takes up to a few days, so functions must not rely on
/// it.
pub const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// The checksum header; it is removed when the body has changed.
const CHECKSUM: &str = "x-amz-crc32";

/// Why the tables could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DynamoDbError {
    /// The database file cannot be opened.
    #[error("cannot open the database: {0}")]
    Open(String),
    /// The engine's port cannot be opened.
    #[error("cannot listen for the database engine")]
    Listen(#[source] std::io::Error),
    /// A table of the template cannot be created.
    #[error("{table}: {reason}")]
    Table {
        /// Logical id of the table.
        table: String,
        /// The cause.
        reason: String,
    },
}

/// The engine and its tables. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl DynamoDb {
    /// Opens the database (in memory if there is no file), creates the tables, and serves until
    /// `stop` is cancelled.
    pub async fn start(
        file: Option<&Path>,
        tables: &[Table],
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Self, DynamoDbError> {
        let database = match file {
            Some(file) => Database::new(&file.to_string_lossy()),
            None => Database::memory(),
        };
        let database = database.map_err(|error| DynamoDbError::Open(error.to_string()))?;
        tables::create(&database, tables)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(DynamoDbError::Listen)?;
        let address = listener.local_addr().map_err(DynamoDbError::Listen)?;
        tasks.spawn(sweep(database.clone(), stop.clone()));
        tasks.spawn(serve(listener, database, stop.clone()));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            address,
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Answers one call and meters it.
    pub(super) async fn call(&self, request: Request<Bytes>, caller: &str, meter: &Meter) -> Response<Bytes> {
        let operation = operation(&request).to_owned();
        let request_bytes = request.body().len();
        let (head, body) = request.into_parts();
        let prepared = capacity::prepare(&operation, body);
        let forwarded = Request::from_parts(head, prepared.body.clone());
        let response = self
            .forward(forwarded)
            .await
            .unwrap_or_else(|reason| unavailable(&reason));
        let settled = capacity::settle(&prepared, response.status().is_success(), response.body());
        meter.aws_call(&AwsCall {
            service: "dynamodb",
            operation: &operation,
            caller,
            status: response.status().as_u16(),
            read_units: settled.read_units,
            write_units: settled.write_units,
            request_bytes: u64::try_from(request_bytes).unwrap_or(u64::MAX),
            permissions: prepared.permissions(),
        });
        match settled.body {
            Some(body) => with_body(response, body),
            None => response,
        }
    }

    async fn forward(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://{}{path}", self.address)
            .parse::<Uri>()
            .map_err(|error| error.to_string())?;
        for hop in [
            header::HOST,
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::EXPECT,
        ] {
            request.headers_mut().remove(hop);
        }
        let response = self
            .client
            .request(request.map(Full::new))
            .await
            .map_err(|error| error.to_string())?;
        let (mut head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        for hop in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
            head.headers.remove(hop);
        }
        Ok(Response::from_parts(head, body))
    }
}

/// The operation that a request names, such as `GetItem`; `unknown` if the name is not valid.
pub(super) fn operation(request: &Request<Bytes>) -> &str {
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let operation = TARGETS.iter().find_map(|prefix| target.strip_prefix(prefix));
    operation
        .filter(|name| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .unwrap_or("unknown")
}

/// The response with another body, and without the checksum of the old one.
pub(super) fn with_body(response: Response<Bytes>, body: Bytes) -> Response<Bytes> {
    let mut response = response.map(|_| body);
    response.headers_mut().remove(CHECKSUM);
    response
}

fn unavailable(reason: &str) -> Response<Bytes> {
    tracing::error!(reason, "the database engine does not answer");
    failure()
}

/// Status 500 in the form of DynamoDB.
pub(super) fn failure() -> Response<Bytes> {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"The request processing has failed"}"#;
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn serve(listener: TcpListener, database: Database, stop: CancellationToken) {
    if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, stop.cancelled_owned()).await {
        tracing::error!(error, "the database engine ended");
    }
}

async fn sweep(database: Database, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(deleted)) => tracing::debug!(deleted, "deleted expired items"),
            Ok(Err(error)) => tracing::warn!(%error, "could not delete expired items"),
            Err(error) => tracing::warn!(%error, "the deletion of expired items ended early"),
        }
    }
}
