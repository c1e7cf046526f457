//! Secrets Manager over HTTP: the protocol AWS JSON 1.1, at `/`.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{answer, permissions};
use crate::meter::{AwsCall, Meter};
use crate::secretsmanager::{SecretsError, SecretsErrorCode, SecretsManager, is_known};

/// Prefix of `X-Amz-Target`.
pub(super) const TARGET: &str = "secretsmanager.";

/// Answers one call and meters it.
pub(super) fn call(secrets: &SecretsManager, request: &Request<Bytes>, caller: &str, meter: &Meter) -> Response<Bytes> {
    let operation = operation(request);
    let response = response(secrets.call(operation, request.body()));
    meter.aws_call(&AwsCall {
        service: "secretsmanager",
        operation: if is_known(operation) { operation } else { "unknown" },
        caller,
        status: response.status().as_u16(),
        read_units: 0.0,
        write_units: 0.0,
        request_bytes: u64::try_from(request.body().len()).unwrap_or(u64::MAX),
        permissions: serde_json::from_slice(request.body())
            .map(|body| permissions::for_secretsmanager(operation, &body))
            .unwrap_or_default(),
    });
    response
}

pub(super) fn operation(request: &Request<Bytes>) -> &str {
    let target = request.headers().get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok()).unwrap_or_default();
    target.strip_prefix(TARGET).unwrap_or_default()
}

/// The HTTP response for a result.
pub(super) fn response(result: Result<Value, SecretsError>) -> Response<Bytes> {
    match result {
        Ok(body) => with_content_type(answer::json(StatusCode::OK, &body)),
        Err(error) => {
            let mut response = refusal(error.code.name(), &error.message);
            if error.code == SecretsErrorCode::InternalServiceError {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            response
        }
    }
}

/// An error. The member `Message` has a capital letter, as in the service's model.
pub(super) fn refusal(name: &str, message: &str) -> Response<Bytes> {
    let body = json!({"__type": name, "Message": message});
    with_content_type(answer::json(StatusCode::BAD_REQUEST, &body))
}

fn with_content_type(mut response: Response<Bytes>) -> Response<Bytes> {
    let content_type = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
