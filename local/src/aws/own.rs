//! `/_local/…`: the stack's own paths, which need no signature.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::answer;
use crate::meter::Meter;

/// What these paths begin with.
pub(super) const PREFIX: &str = "/_local/";

/// Answers one request.
pub(super) fn handle(request: &Request<Bytes>, meter: &Meter) -> Response<Bytes> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/_local/health") => answer::json(StatusCode::OK, &json!({"status": "ok"})),
        (&Method::GET, "/_local/meter") => answer::json(StatusCode::OK, &meter.read()),
        (&Method::POST, "/_local/meter/reset") => answer::json(StatusCode::OK, &meter.reset()),
        _ => {
            let message = "here are GET /_local/health, GET /_local/meter and POST /_local/meter/reset";
            answer::json(StatusCode::NOT_FOUND, &json!({"message": message}))
        }
    }
}
