//! One message of a client: chooses its route, invokes the function, and sends the result back if
//! the route asks for it.
//!
//! Each message runs by itself. Nothing orders the messages of one connection.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::connections::Connection;
use super::{GatewayState, clock, event, reply};
use crate::template::model::{Route, WebSocketApi};

/// Handles one message, from its arrival to its answer.
pub(super) async fn dispatch(shared: Arc<GatewayState>, connection: Arc<Connection>, text: Utf8Bytes) {
    let request_id = clock::identifier();
    let selected = select(&connection.api, &text);
    let is_in_rate = |(key, _): (&str, &Route)| shared.routes.admit(&connection.api.api_id, key);
    if !selected.is_none_or(is_in_rate) || !shared.throttle.admit() {
        send_error(&connection, "Too Many Requests", &request_id);
        return;
    }
    shared.meter.websocket_message(true, text.len() as u64);
    let delay = shared.faults.frame_delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let Some((key, route)) = selected else {
        send_error(&connection, "Forbidden", &request_id);
        return;
    };
    let event = event::message(&connection, key, &text, &request_id);
    match shared
        .invoke(&route.function, &event, Duration::from_millis(route.timeout_ms))
        .await
    {
        Ok(answer) if route.responds => respond(&shared, &connection, &answer),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(function = route.function, route = key, %error, "a message failed");
            send_error(&connection, "Internal server error", &request_id);
        }
    }
}

/// The route that the selection expression names, or else `$default`.
fn select<'a>(api: &'a WebSocketApi, text: &str) -> Option<(&'a str, &'a Route)> {
    let named = selected(&api.route_selection_expression, text);
    let is_custom = |key: &String| !key.starts_with('$');
    let custom = named.filter(is_custom).and_then(|key| api.routes.get_key_value(&key));
    custom
        .or_else(|| api.routes.get_key_value("$default"))
        .map(|(key, route)| (key.as_str(), route))
}

/// The value of the expression for this message, for example of `$request.body.action`.
fn selected(expression: &str, text: &str) -> Option<String> {
    let expression = expression.trim();
    let expression = expression
        .strip_prefix("${")
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(expression);
    let path = expression.trim_start_matches('$').strip_prefix("request.body.")?;
    let body: Value = serde_json::from_str(text).ok()?;
    match path.split('.').try_fold(&body, |value, member| value.get(member))? {
        Value::String(key) => Some(key.clone()),
        scalar @ (Value::Number(_) | Value::Bool(_)) => Some(scalar.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Sends the function's `body`, if it has one.
fn respond(shared: &GatewayState, connection: &Connection, answer: &Value) {
    let body = match answer.get("body") {
        Some(Value::String(body)) => body.clone(),
        None | Some(Value::Null) => return,
        Some(other) => other.to_string(),
    };
    let is_encoded = answer["isBase64Encoded"] == Value::Bool(true);
    let Some(text) = (if is_encoded { decoded(&body) } else { Some(body) }) else {
        tracing::warn!(
            connection = connection.id,
            "a route response is not base64 of UTF-8 text"
        );
        return;
    };
    shared.meter.websocket_message(false, text.len() as u64);
    send(connection, text);
}

fn decoded(body: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(body).ok()?).ok()
}

fn send_error(connection: &Connection, text: &str, request_id: &str) {
    send(connection, reply::error_frame(text, &connection.id, request_id));
}

/// A frame is lost if the queue is full or the socket is gone, as on AWS.
fn send(connection: &Connection, text: String) {
    if let Err(reason) = connection.queue(text.into()) {
        tracing::debug!(connection = connection.id, ?reason, "a frame was not sent");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_expression_is_a_path_into_the_body() {
        let cases = [
            ("$request.body.action", r#"{"action":"join"}"#, Some("join")),
            ("${request.body.action}", r#"{"action":"join"}"#, Some("join")),
            ("$request.body.a.b", r#"{"a":{"b":7}}"#, Some("7")),
            ("$request.body.action", r#"{"other":1}"#, None),
            ("$request.body.action", r#"{"action":{}}"#, None),
            ("$request.body.action", "not JSON", None),
            ("$request.header.x", r#"{"action":"join"}"#, None),
        ];
        for (expression, text, expected) in cases {
            assert_eq!(
                selected(expression, text).as_deref(),
                expected,
                "{expression} of {text}"
            );
        }
    }

    #[test]
    fn a_message_cannot_choose_a_route_of_the_gateways_own() {
        let route = |function: &str| Route {
            function: function.to_owned(),
            authorizer: None,
            responds: false,
            timeout_ms: 29_000,
            rate: None,
        };
        let api = WebSocketApi {
            logical_id: "Api".to_owned(),
            api_id: "abc".to_owned(),
            stage: "prod".to_owned(),
            route_selection_expression: "$request.body.action".to_owned(),
            routes: ["$connect", "$default", "join"]
                .map(|key| (key.to_owned(), route(key)))
                .into(),
        };
        let key = |text| select(&api, text).map(|(key, _)| key);
        assert_eq!(key(r#"{"action":"join"}"#), Some("join"));
        assert_eq!(key(r#"{"action":"leave"}"#), Some("$default"));
        assert_eq!(key(r#"{"action":"$connect"}"#), Some("$default"));
    }
}
