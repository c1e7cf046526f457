//! The Runtime API (2018-06-01) of one process: turns its HTTP requests into [`RuntimeCall`]s to
//! the task that owns it.
//!
//! It only decides what is a valid request.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::RESPONSE_LIMIT_BYTES;
use crate::server;

/// The first part of each path: the version of the API.
const VERSION: &str = "/2018-06-01/runtime/";

/// What a process asks of its Runtime API.
#[derive(Debug)]
pub(super) enum RuntimeCall {
    /// `GET /invocation/next`: waits for an event.
    Next(oneshot::Sender<EventDelivery>),
    /// `POST /invocation/{id}/response`: the result, or `None` if it was too large.
    Response(String, Option<Bytes>, oneshot::Sender<ReportVerdict>),
    /// `POST /invocation/{id}/error`.
    Error(String, ErrorReport, oneshot::Sender<ReportVerdict>),
    /// `POST /init/error`.
    InitError(ErrorReport, oneshot::Sender<ReportVerdict>),
}

/// One event on its way to a process.
#[derive(Debug)]
pub(super) struct EventDelivery {
    /// `Lambda-Runtime-Aws-Request-Id`.
    pub(super) request_id: String,
    /// `Lambda-Runtime-Deadline-Ms`: milliseconds since the epoch.
    pub(super) deadline_ms: u128,
    /// `Lambda-Runtime-Invoked-Function-Arn`.
    pub(super) function_arn: String,
    /// `Lambda-Runtime-Trace-Id`.
    pub(super) trace_id: String,
    /// The event, JSON.
    pub(super) event: Bytes,
}

/// What a runtime reports about a failure.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ErrorReport {
    /// Class of the error.
    pub(super) error_type: String,
    /// The message of the handler.
    pub(super) error_message: String,
}

/// What the owner of a process makes of one of its reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportVerdict {
    /// 202.
    Accepted,
    /// 400: the process is not running that invocation.
    WrongRequestId,
    /// 413.
    TooLarge,
}

/// Answers one HTTP request of the process.
pub(super) async fn answer(request: Request<Incoming>, calls: mpsc::Sender<RuntimeCall>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Some(path) = parts.uri.path().strip_prefix(VERSION) else {
        return not_found();
    };
    let path: Vec<&str> = path.split('/').collect();
    if (&parts.method, path.as_slice()) == (&Method::GET, &["invocation", "next"]) {
        return next(&calls).await;
    }
    let Ok(body) = server::read_body(body, RESPONSE_LIMIT_BYTES).await else {
        return refusal(StatusCode::BAD_REQUEST, "InvalidRequest", "the body broke off");
    };
    let (verdict, judged) = oneshot::channel();
    let call = match (&parts.method, path.as_slice()) {
        (&Method::POST, ["invocation", id, "response"]) => RuntimeCall::Response((*id).to_owned(), body, verdict),
        (&Method::POST, ["invocation", id, "error"]) => {
            RuntimeCall::Error((*id).to_owned(), report(&parts, body), verdict)
        }
        (&Method::POST, ["init", "error"]) => RuntimeCall::InitError(report(&parts, body), verdict),
        _ => return not_found(),
    };
    if calls.send(call).await.is_err() {
        return ending();
    }
    match judged.await {
        Ok(ReportVerdict::Accepted) => json_response(StatusCode::ACCEPTED, &json!({"status": "OK"})),
        Ok(ReportVerdict::WrongRequestId) => refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Ok(ReportVerdict::TooLarge) => refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."),
        ),
        Err(_) => ending(),
    }
}

async fn next(calls: &mpsc::Sender<RuntimeCall>) -> Response<Full<Bytes>> {
    let (give, given) = oneshot::channel();
    if calls.send(RuntimeCall::Next(give)).await.is_err() {
        return ending();
    }
    let Ok(delivery) = given.await else { return ending() };
    let headers = [
        ("lambda-runtime-aws-request-id", delivery.request_id),
        ("lambda-runtime-deadline-ms", delivery.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", delivery.function_arn),
        ("lambda-runtime-trace-id", delivery.trace_id),
    ];
    let mut response = Response::new(Full::new(delivery.event));
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        match HeaderValue::try_from(value) {
            Ok(value) => drop(response.headers_mut().insert(name, value)),
            Err(error) => tracing::error!(name, %error, "a header of an event cannot be sent"),
        }
    }
    response
}

/// The report in the body. If the body has no type, the header's is used.
fn report(parts: &http::request::Parts, body: Option<Bytes>) -> ErrorReport {
    let mut report: ErrorReport = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    if report.error_type.is_empty() {
        let header = parts
            .headers
            .get("lambda-runtime-function-error-type")
            .and_then(|value| value.to_str().ok());
        header.unwrap_or("Unhandled").clone_into(&mut report.error_type);
    }
    report
}

fn not_found() -> Response<Full<Bytes>> {
    refusal(StatusCode::NOT_FOUND, "NotFound", "the Runtime API has no such call")
}

fn ending() -> Response<Full<Bytes>> {
    refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Stopping",
        "this process is being stopped",
    )
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    json_response(status, &json!({"errorType": error_type, "errorMessage": message}))
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}
