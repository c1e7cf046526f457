//! The endpoint for AWS SDKs: one port for all services. The signature names the service.
//!
//! ```text
//! request ─► /_local/…            the stack's own paths, unsigned
//!         ─► …/@connections/{id}  the WebSocket gateway
//!         ─► dynamodb             the embedded engine
//!         ─► sqs                  our queues
//!         ─► secretsmanager       our secrets
//!         ─► anything else        refused by name
//! ```
//!
//! Calls that fail on purpose go through `harm`, in a task of their own: as on AWS, a call takes
//! effect even if its caller goes away.
//!
//! Without a complete signature nothing is done. Its value is not verified (`signature`). Each call
//! that a service handled is metered once, under the function whose credentials signed it.

mod answer;
mod capacity;
mod credentials;
mod dynamodb;
mod harm;
mod own;
mod partial;
mod permissions;
mod secretsmanager;
mod signature;
mod sqs;
mod tables;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::{Injector, Service};
use crate::meter::{AwsCall, Meter};
use crate::secretsmanager::SecretsManager;
use crate::server;
use crate::sqs::Sqs;
use signature::{Signed, Unsigned};

pub use credentials::credentials_for;
pub use dynamodb::{DynamoDb, DynamoDbError, SWEEP_EVERY};

/// Largest body of a request: the limit of DynamoDB, which is the larger one.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// Answers calls to `@connections` whose signature was already checked.
pub type ConnectionsHandler =
    Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, Response<Bytes>> + Send + Sync + 'static>;

/// The services of the endpoint.
#[derive(Clone)]
pub struct Services {
    /// DynamoDB.
    pub dynamodb: DynamoDb,
    /// SQS.
    pub sqs: Sqs,
    /// Secrets Manager.
    pub secretsmanager: SecretsManager,
    /// The management API of the WebSocket APIs.
    pub connections: ConnectionsHandler,
    /// Meters the calls.
    pub meter: Meter,
    /// Decides which calls fail on purpose.
    pub faults: Injector,
    /// Logical ids of the functions, to recognise callers.
    pub functions: BTreeSet<String>,
}

impl fmt::Debug for Services {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Services")
            .field("functions", &self.functions)
            .finish_non_exhaustive()
    }
}

/// The services, by the names that signatures use.
const SERVICES: [(&str, Service); 4] = [
    ("dynamodb", Service::DynamoDb),
    ("sqs", Service::Sqs),
    ("secretsmanager", Service::SecretsManager),
    ("execute-api", Service::Connections),
];

/// The services, and what outlives a request.
#[derive(Debug)]
struct Endpoint {
    services: Services,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A signed call of a service that runs here.
#[derive(Debug)]
struct SignedCall {
    service: Service,
    /// A function's logical id, or `external`.
    caller: String,
    request: Request<Bytes>,
}

/// Serves until `stop` is cancelled.
pub fn serve(listener: TcpListener, services: Services, stop: CancellationToken, tasks: &TaskTracker) {
    let endpoint = Arc::new(Endpoint {
        services,
        stop: stop.clone(),
        tasks: tasks.clone(),
    });
    server::serve(listener, stop, tasks, move |request, _| {
        let endpoint = Arc::clone(&endpoint);
        async move { endpoint.receive(request).await.map(Full::new) }
    });
}

impl Endpoint {
    async fn receive(self: Arc<Self>, request: Request<Incoming>) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        match server::read_body(body, BODY_LIMIT_BYTES).await {
            Ok(Some(body)) => self.handle(Request::from_parts(head, body)).await,
            Ok(None) => answer::gateway_error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                "Request Too Large",
            ),
            Err(error) => answer::gateway_error(StatusCode::BAD_REQUEST, "BadRequestException", &error.to_string()),
        }
    }

    async fn handle(self: Arc<Self>, request: Request<Bytes>) -> Response<Bytes> {
        let services = &self.services;
        if request.uri().path().starts_with(own::PREFIX) {
            return own::handle(&request, &services.meter, &services.faults);
        }
        let signed = match signature::read(request.headers(), request.uri().query()) {
            Ok(signed) => signed,
            Err(unsigned) => return refuse(aimed_at(&request), unsigned),
        };
        match services.recognise(request, &signed) {
            Ok(call) => match harm::decide(&call, &services.faults) {
                None => services.answer(call).await,
                Some(harm) => self.answer_harmed(call, harm).await,
            },
            Err(refusal) => *refusal,
        }
    }

    /// Answers a call that fails on purpose, even if the caller goes away meanwhile.
    async fn answer_harmed(self: Arc<Self>, call: SignedCall, harm: crate::faults::CallHarm) -> Response<Bytes> {
        let (tasks, stop) = (self.tasks.clone(), self.stop.clone());
        let answering = async move {
            stop.run_until_cancelled(harm::answer(&self.services, call, &harm))
                .await
        };
        let answered = tasks.spawn(answering).await;
        answered.ok().flatten().unwrap_or_else(server::cut)
    }
}

impl Services {
    /// The call that a signed request makes, or the refusal if it makes none.
    fn recognise(&self, request: Request<Bytes>, signed: &Signed) -> Result<SignedCall, Box<Response<Bytes>>> {
        let service = SERVICES
            .iter()
            .find(|(name, _)| *name == signed.service)
            .map(|(_, service)| *service);
        let is_connections = aimed_at(&request) == Some(Service::Connections);
        match service {
            Some(service) if service == Service::Connections || !is_connections => Ok(SignedCall {
                service,
                caller: credentials::caller(&signed.access_key_id, &self.functions).to_owned(),
                request,
            }),
            _ if is_connections => Err(Box::new(answer::gateway_error(
                StatusCode::FORBIDDEN,
                "InvalidSignatureException",
                "Credential should be scoped to correct service: 'execute-api'. ",
            ))),
            _ => Err(Box::new(unsupported(&signed.service))),
        }
    }

    async fn answer(&self, call: SignedCall) -> Response<Bytes> {
        let SignedCall {
            service,
            caller,
            request,
        } = call;
        match service {
            Service::DynamoDb => self.dynamodb.call(request, &caller, &self.meter).await,
            Service::Sqs => sqs::call(&self.sqs, &request, &caller, &self.meter).await,
            Service::SecretsManager => secretsmanager::call(&self.secretsmanager, &request, &caller, &self.meter),
            Service::Connections => self.connections(request, &caller).await,
        }
    }

    async fn connections(&self, request: Request<Bytes>, caller: &str) -> Response<Bytes> {
        let operation = connections_operation(request.method());
        let request_bytes = u64::try_from(request.body().len()).unwrap_or(u64::MAX);
        let response = (self.connections)(request).await;
        self.meter.aws_call(&AwsCall {
            service: "execute-api",
            operation,
            caller,
            status: response.status().as_u16(),
            read_units: 0.0,
            write_units: 0.0,
            request_bytes,
            permissions: permissions::for_connections(),
        });
        response
    }
}

impl SignedCall {
    /// The name of the operation; `unknown` if there is none.
    fn operation(&self) -> &str {
        match self.service {
            Service::DynamoDb => dynamodb::operation(&self.request),
            Service::Sqs => sqs::operation(&self.request).unwrap_or("unknown"),
            Service::SecretsManager => secretsmanager::operation(&self.request),
            Service::Connections => connections_operation(self.request.method()),
        }
    }
}

fn connections_operation(method: &Method) -> &'static str {
    match *method {
        Method::POST => "PostToConnection",
        Method::GET => "GetConnection",
        Method::DELETE => "DeleteConnection",
        _ => "unknown",
    }
}

/// The service that the form of the request suggests, whatever it is signed for.
fn aimed_at(request: &Request<Bytes>) -> Option<Service> {
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    if dynamodb::TARGETS.iter().any(|prefix| target.starts_with(prefix)) {
        return Some(Service::DynamoDb);
    }
    if target.starts_with(sqs::TARGET) {
        return Some(Service::Sqs);
    }
    if target.starts_with(secretsmanager::TARGET) {
        return Some(Service::SecretsManager);
    }
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    path.split('/')
        .any(|segment| segment == "@connections")
        .then_some(Service::Connections)
}

fn refuse(service: Option<Service>, unsigned: Unsigned) -> Response<Bytes> {
    match (service, unsigned) {
        (Some(Service::DynamoDb), Unsigned::Missing) => answer::dynamodb_error(
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
        ),
        (Some(Service::DynamoDb), Unsigned::Incomplete(text)) => {
            answer::dynamodb_error("IncompleteSignatureException", &text)
        }
        (Some(Service::Sqs), Unsigned::Missing) => sqs::refusal(
            "com.amazon.coral.service#MissingAuthenticationTokenException",
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        ),
        (Some(Service::Sqs), Unsigned::Incomplete(text)) => sqs::refusal(
            "com.amazon.coral.service#IncompleteSignatureException",
            "IncompleteSignature",
            &text,
        ),
        (Some(Service::SecretsManager), Unsigned::Missing) => secretsmanager::refusal(
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
        ),
        (Some(Service::SecretsManager), Unsigned::Incomplete(text)) => {
            secretsmanager::refusal("IncompleteSignatureException", &text)
        }
        (_, Unsigned::Missing) => answer::gateway_error(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        (_, Unsigned::Incomplete(text)) => {
            answer::gateway_error(StatusCode::FORBIDDEN, "IncompleteSignatureException", &text)
        }
    }
}

fn unsupported(service: &str) -> Response<Bytes> {
    let supported: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
    let message = format!(
        "the local stack does not run the service {service}; it runs {}",
        supported.join(", ")
    );
    tracing::warn!(service, "a call to a service that the local stack does not run");
    answer::not_implemented(&message)
}

#[cfg(test)]
mod tests;
