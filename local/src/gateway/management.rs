//! The management API: `POST`, `GET` and `DELETE` on `[/{stage}]/@connections/{id}`.
//!
//! The AWS endpoint checks the signature and counts the call before it comes here.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::connections::{Connection, NotQueued};
use super::{GatewayState, clock, reply};

/// The header from which SDKs read the error's name.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Reaches the connections of a [`super::Gateway`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Management {
    shared: Arc<GatewayState>,
}

impl Management {
    pub(super) fn new(shared: Arc<GatewayState>) -> Self {
        Self { shared }
    }

    /// Answers one call.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let path = percent_decode_str(request.uri().path())
            .decode_utf8_lossy()
            .into_owned();
        let Some((stage, id)) = parse(&path) else {
            let text = "Missing Authentication Token";
            return error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", text);
        };
        let operation = match *request.method() {
            Method::POST => Self::post,
            Method::GET => Self::get,
            Method::DELETE => Self::delete,
            _ => {
                return error(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowedException",
                    "Method Not Allowed",
                );
            }
        };
        if !clock::is_identifier(id) {
            return bad_request(&format!("Invalid connectionId: {id}"));
        }
        let faults = &self.shared.faults;
        let is_post = request.method() == Method::POST;
        if is_post {
            tokio::time::sleep(faults.post_delay(id)).await;
        }
        if !self.shared.throttle.admit() || (is_post && faults.refuses_post(id)) {
            return limit_exceeded("Too Many Requests");
        }
        let found = self.shared.connections.get(id);
        let Some(connection) = found.filter(|found| stage.is_none_or(|stage| stage == found.api.stage)) else {
            return gone();
        };
        operation(self, &connection, request.into_body())
    }

    /// Queues a text frame. Success means that it was queued: nobody learns whether the client got
    /// it.
    fn post(&self, connection: &Connection, data: Bytes) -> Response<Bytes> {
        let limit = self.shared.limits.frame_bytes;
        if data.len() > limit {
            let text = format!("a frame has at most {limit} bytes, these are {}", data.len());
            return error(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", &text);
        }
        let Ok(text) = Utf8Bytes::try_from(data) else {
            return bad_request(
                "the data is not UTF-8, and only text frames reach a client; encode it, for example as base64",
            );
        };
        match connection.queue(text) {
            Ok(()) => Response::new(Bytes::new()),
            Err(NotQueued::Full) => limit_exceeded("the WebSocket client side buffer is full"),
            Err(NotQueued::Gone) => gone(),
        }
    }

    #[expect(clippy::unused_self, reason = "the three operations have one signature")]
    fn get(&self, connection: &Connection, _: Bytes) -> Response<Bytes> {
        let body = json!({
            "connectedAt": connection.connected_at.iso_8601(),
            "identity": {"sourceIp": connection.source_ip, "userAgent": connection.user_agent},
            "lastActiveAt": connection.last_active_at().iso_8601(),
        });
        reply::json_body(StatusCode::OK, &body)
    }

    /// Closes the socket. The connection is gone as soon as this answers.
    fn delete(&self, connection: &Connection, _: Bytes) -> Response<Bytes> {
        self.shared.connections.remove(&connection.id);
        connection.close.cancel();
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    }
}

/// The stage, if there is one, and the connection id of a decoded path.
fn parse(path: &str) -> Option<(Option<&str>, &str)> {
    let (before, id) = path.split_once("/@connections/")?;
    match before.strip_prefix('/') {
        None if before.is_empty() => Some((None, id)),
        Some(stage) if !stage.is_empty() && !stage.contains('/') => Some((Some(stage), id)),
        _ => None,
    }
}

/// Has no body, as on AWS: SDKs use the status and the header.
fn gone() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::GONE;
    response
        .headers_mut()
        .insert(ERROR_TYPE, HeaderValue::from_static("GoneException"));
    response
}

fn bad_request(text: &str) -> Response<Bytes> {
    error(StatusCode::BAD_REQUEST, "BadRequestException", text)
}

fn limit_exceeded(text: &str) -> Response<Bytes> {
    error(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", text)
}

fn error(status: StatusCode, error_type: &'static str, text: &str) -> Response<Bytes> {
    let mut response = reply::message(status, text);
    response
        .headers_mut()
        .insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_may_be_left_out() {
        assert_eq!(parse("/prod/@connections/abc="), Some((Some("prod"), "abc=")));
        assert_eq!(parse("/@connections/abc="), Some((None, "abc=")));
        for other in [
            "/",
            "/prod",
            "/a/b/@connections/c",
            "//@connections/c",
            "x/@connections/c",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
