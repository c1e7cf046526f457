//! SQS over HTTP: the protocol AWS JSON 1.0, at `/` or at the URL of a queue.
//!
//! Errors have their name in the body and, under the name of the older Query protocol, in a header
//! that SDKs prefer. The Query protocol itself is refused: SDKs have not used it since the end of
//! 2023.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::credentials::EXTERNAL;
use super::{answer, permissions};
use crate::lambda::ids::request_id;
use crate::meter::{AwsCall, Meter, QueueCall};
use crate::sqs::{Reply, Sqs, SqsError, SqsErrorCode};

/// Prefix of `X-Amz-Target`.
pub(super) const TARGET: &str = "AmazonSQS.";

/// Answers one call and meters it.
pub(super) async fn call(sqs: &Sqs, request: &Request<Bytes>, caller: &str, meter: &Meter) -> Response<Bytes> {
    let Some(operation) = operation(request) else {
        return answer::not_implemented(
            "the local stack speaks AWS JSON 1.0 with SQS, not the Query protocol of older SDKs",
        );
    };
    let reply = sqs.call(operation, request.body(), &sender_id(caller)).await;
    let is_fifo = reply.is_fifo;
    let is_known = !matches!(&reply, Reply { result: Err(error), .. } if error.code == SqsErrorCode::InvalidAction);
    let response = response(reply.result);
    let bytes = |body: &Bytes| u64::try_from(body.len()).unwrap_or(u64::MAX);
    meter.aws_call(&AwsCall {
        service: "sqs",
        operation: if is_known { operation } else { "unknown" },
        caller,
        status: response.status().as_u16(),
        read_units: 0.0,
        write_units: 0.0,
        request_bytes: bytes(request.body()),
        permissions: serde_json::from_slice(request.body())
            .map(|body| permissions::for_sqs(operation, &body))
            .unwrap_or_default(),
    });
    meter.queue_call(&QueueCall {
        is_fifo,
        payload_bytes: bytes(request.body()).max(bytes(response.body())),
    });
    response
}

/// `SenderId`: a user for callers from outside, the session of a role for functions.
fn sender_id(caller: &str) -> String {
    if caller == EXTERNAL {
        "AIDALOCAL000000000000".to_owned()
    } else {
        format!("AROALOCAL000000000000:{caller}")
    }
}

pub(super) fn operation(request: &Request<Bytes>) -> Option<&str> {
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    target.strip_prefix(TARGET)
}

/// The HTTP response for a result.
pub(super) fn response(result: Result<Value, SqsError>) -> Response<Bytes> {
    match result {
        Ok(body) => with_headers(answer::json(StatusCode::OK, &body)),
        Err(error) => {
            let mut response = refusal(error.code.name(), error.code.query_name(), &error.message);
            if error.code == SqsErrorCode::InternalError {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            response
        }
    }
}

/// An error under both of its names.
pub(super) fn refusal(name: &str, query_name: &str, message: &str) -> Response<Bytes> {
    let body = json!({"__type": name, "message": message});
    let mut response = with_headers(answer::json(StatusCode::BAD_REQUEST, &body));
    let fault = if query_name == SqsErrorCode::InternalError.query_name() {
        "Receiver"
    } else {
        "Sender"
    };
    if let Ok(value) = HeaderValue::from_str(&format!("{query_name};{fault}")) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}

fn with_headers(mut response: Response<Bytes>) -> Response<Bytes> {
    let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if let Ok(id) = HeaderValue::from_str(&request_id()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
