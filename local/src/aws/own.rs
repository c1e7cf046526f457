//! `/_local/…`: the stack's own paths, which need no signature.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::answer;
use crate::faults::Injector;
use crate::meter::Meter;

/// Prefix of these paths.
pub(super) const PREFIX: &str = "/_local/";

/// Answers one request.
pub(super) fn handle(request: &Request<Bytes>, meter: &Meter, faults: &Injector) -> Response<Bytes> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/_local/health") => answer::json(StatusCode::OK, &json!({"status": "ok"})),
        (&Method::GET, "/_local/meter") => answer::json(StatusCode::OK, &meter.read()),
        (&Method::POST, "/_local/meter/reset") => answer::json(StatusCode::OK, &meter.reset()),
        (&Method::GET, "/_local/faults") => answer::json(StatusCode::OK, &faults.report()),
        (&Method::POST, "/_local/faults/pause") => {
            faults.pause();
            answer::json(StatusCode::OK, &faults.report())
        }
        (&Method::POST, "/_local/faults/resume") => {
            faults.resume();
            answer::json(StatusCode::OK, &faults.report())
        }
        _ => {
            let message = "here are GET /_local/health, GET /_local/meter, POST /_local/meter/reset, GET /_local/faults, \
                           POST /_local/faults/pause and POST /_local/faults/resume";
            answer::json(StatusCode::NOT_FOUND, &json!({"message": message}))
        }
    }
}
