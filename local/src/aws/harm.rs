//! Calls that fail on purpose. Callers see what AWS would show them.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use super::partial::{self, Partial};
use super::{Services, SignedCall, answer, credentials, dynamodb, secretsmanager, sqs};
use crate::faults::{self, Injector, Refusal, Service};
use crate::meter::AwsCall;
use crate::secretsmanager::{self as secrets, SecretsError};
use crate::server;
use crate::sqs::{SqsError, SqsErrorCode};

/// The header in which SDKs send the session token of temporary credentials, which functions have.
const SESSION_TOKEN: &str = "x-amz-security-token";

/// Decides what happens to a call. `None` for calls from outside, which never fail on purpose, and
/// for calls that the plan leaves alone.
pub(super) fn decide(call: &SignedCall, faults: &Injector) -> Option<faults::CallHarm> {
    if call.caller == credentials::EXTERNAL {
        return None;
    }
    let token = call.request.headers().get(SESSION_TOKEN);
    let token = token.and_then(|token| token.to_str().ok()).unwrap_or_default();
    faults.call(&call.caller, token, call.service, call.operation())
}

/// Answers the call as decided, or cuts the connection.
pub(super) async fn answer(services: &Services, call: SignedCall, harm: &faults::CallHarm) -> Response<Bytes> {
    let service = call.service;
    let response = if let Some(refusal) = harm.before().await {
        refused(services, &call, refusal)
    } else {
        let response = answer_in_part(services, call, harm).await;
        harm.after()
            .await
            .map_or(response, |refusal| refusal_of(service, refusal))
    };
    if harm.ends_process().await {
        server::cut()
    } else {
        response
    }
}

/// Answers a call, some of whose entries may fail.
async fn answer_in_part(services: &Services, mut call: SignedCall, harm: &faults::CallHarm) -> Response<Bytes> {
    let split = partial::split(call.service, call.operation(), call.request.body(), |entry| {
        harm.leaves_out(entry)
    });
    match split {
        None => services.answer(call).await,
        Some((Some(rest), partial)) => {
            *call.request.body_mut() = rest;
            let response = services.answer(call).await;
            if response.status().is_success() {
                let body = partial.merge(response.body());
                dynamodb::with_body(response, body)
            } else {
                response
            }
        }
        Some((None, partial)) => match partial {
            // AWS does the same if it could process nothing at all.
            Partial::Keys { .. } => refused(services, &call, Refusal::Throttled),
            Partial::Statements(_) | Partial::Entries(_) => {
                let response = sqs::response(Ok(serde_json::json!({})));
                let body = partial.merge(response.body());
                response.map(|_| body)
            }
        },
    }
}

/// Refuses the call without effect. The refusal is metered as a request if it is answered.
fn refused(services: &Services, call: &SignedCall, refusal: Refusal) -> Response<Bytes> {
    let response = refusal_of(call.service, refusal);
    if refusal != Refusal::Cut {
        services.meter.aws_call(&AwsCall {
            service: match call.service {
                Service::DynamoDb => "dynamodb",
                Service::Sqs => "sqs",
                Service::SecretsManager => "secretsmanager",
                Service::Connections => "execute-api",
            },
            operation: call.operation(),
            caller: &call.caller,
            status: response.status().as_u16(),
            read_units: 0.0,
            write_units: 0.0,
            request_bytes: u64::try_from(call.request.body().len()).unwrap_or(u64::MAX),
            permissions: BTreeSet::new(),
        });
    }
    response
}

fn refusal_of(service: Service, refusal: Refusal) -> Response<Bytes> {
    match (service, refusal) {
        (_, Refusal::Cut) => server::cut(),
        (Service::DynamoDb, Refusal::Throttled) => throttled_by_dynamodb(),
        (Service::DynamoDb, Refusal::Failed) => dynamodb::failure(),
        (Service::Sqs, Refusal::Throttled) => {
            sqs::response(Err(SqsError::new(SqsErrorCode::RequestThrottled, "Rate exceeded")))
        }
        (Service::Sqs, Refusal::Failed) => {
            let message = "We encountered an internal error. Please try again.";
            sqs::response(Err(SqsError::new(SqsErrorCode::InternalError, message)))
        }
        (Service::SecretsManager, Refusal::Throttled) => secretsmanager::response(Err(SecretsError::new(
            secrets::SecretsErrorCode::Throttling,
            "Rate exceeded",
        ))),
        (Service::SecretsManager, Refusal::Failed) => {
            let message = "An error occurred on the server side.";
            secretsmanager::response(Err(SecretsError::new(
                secrets::SecretsErrorCode::InternalServiceError,
                message,
            )))
        }
        (Service::Connections, Refusal::Throttled) => answer::gateway_error(
            StatusCode::TOO_MANY_REQUESTS,
            "LimitExceededException",
            "Too Many Requests",
        ),
        (Service::Connections, Refusal::Failed) => answer::gateway_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerErrorException",
            "Internal server error",
        ),
        (_, Refusal::Gone) => gone(),
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
fn throttled_by_dynamodb() -> Response<Bytes> {
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"{}"}}"#,
        partial::THROTTLED
    );
    let mut response = dynamodb::with_body(dynamodb::failure(), Bytes::from(body));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Without a body, as on AWS.
fn gone() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::GONE;
    let name = HeaderValue::from_static("GoneException");
    response.headers_mut().insert("x-amzn-errortype", name);
    response
}
