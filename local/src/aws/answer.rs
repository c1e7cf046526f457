//! Answers that the endpoint itself produces.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

/// The header in which SDKs look for the name of an error.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error in the form of API Gateway: the name is in a header.
pub(super) fn gateway_error(status: StatusCode, name: &'static str, message: &str) -> Response<Bytes> {
    let mut response = json(status, &json!({"message": message}));
    response
        .headers_mut()
        .insert(ERROR_TYPE, HeaderValue::from_static(name));
    response
}

/// An error for a client of an unknown service. The protocol is not known either, so the name is in
/// the body and in a header.
pub(super) fn not_implemented(message: &str) -> Response<Bytes> {
    const NAME: &str = "NotImplementedException";
    let mut response = json(
        StatusCode::NOT_IMPLEMENTED,
        &json!({"__type": NAME, "message": message}),
    );
    response
        .headers_mut()
        .insert(ERROR_TYPE, HeaderValue::from_static(NAME));
    response
}

/// An error in the form of DynamoDB: the name is in the body.
pub(super) fn dynamodb_error(name: &str, message: &str) -> Response<Bytes> {
    let body = json!({"__type": format!("com.amazon.coral.service#{name}"), "message": message});
    let mut response = json(StatusCode::BAD_REQUEST, &body);
    let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
