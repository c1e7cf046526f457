//! Answers of API Gateway itself: error bodies and error frames.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

/// A JSON answer.
pub(super) fn json_body(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// `{"message":"…"}`.
pub(super) fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    json_body(status, &json!({ "message": text }))
}

/// The error frame of a WebSocket API, with the spacing of AWS.
pub(super) fn error_frame(text: &str, connection_id: &str, request_id: &str) -> String {
    format!(r#"{{"message": "{text}", "connectionId":"{connection_id}", "requestId":"{request_id}"}}"#)
}

/// The response in the form that hyper sends.
pub(super) fn full(response: Response<Bytes>) -> Response<Full<Bytes>> {
    response.map(Full::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_frame_is_spaced_as_on_aws() {
        assert_eq!(
            error_frame("Internal server error", "Qyi07eCbtjMCJKw=", "Qyi3UG41tjMFlUg="),
            r#"{"message": "Internal server error", "connectionId":"Qyi07eCbtjMCJKw=", "requestId":"Qyi3UG41tjMFlUg="}"#,
        );
    }
}
