//! The handshake of a WebSocket: authorizer, `$connect`, and only then 101.
//!
//! The upgrade stays pending until the function has answered. Any status other than 2xx becomes the
//! status of the handshake. The handshake runs in its own task, so that a client that goes away in
//! the meantime still gets its `$disconnect`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connections::{Client, Connection};
use super::event::{self, Handshake};
use super::{GatewayState, Unanswered, authorizer, clock, reply, socket};
use crate::server::Peer;
use crate::template::model::WebSocketApi;

/// What the client gets instead of 101.
type Refused = Box<Response<Bytes>>;

/// A connection that the function accepted, with what it said.
struct Accepted {
    connection: Connection,
    frames: mpsc::Receiver<Utf8Bytes>,
    protocol: Option<String>,
}

/// Answers one HTTP request to the WebSocket listener.
pub(super) async fn answer(shared: Arc<GatewayState>, request: Request<Incoming>, peer: Peer) -> Response<Full<Bytes>> {
    let tasks = shared.tasks.clone();
    let answered = tasks.spawn(async move {
        upgrade(&shared, request, &peer)
            .await
            .unwrap_or_else(|refused| *refused)
    });
    let stopping = |_| reply::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    reply::full(answered.await.unwrap_or_else(stopping))
}

async fn upgrade(
    shared: &Arc<GatewayState>,
    mut request: Request<Incoming>,
    peer: &Peer,
) -> Result<Response<Bytes>, Refused> {
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let handshake = Handshake::from_request(&parts, peer);
    let api = find_api(shared, &parts)?;
    let key = websocket_key(&parts.method, &parts.headers)?;
    if !shared.routes.admit(&api.api_id, "$connect") || !shared.throttle.admit() {
        return Err(refuse(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
    }
    let client = Client {
        source_ip: peer.address.ip(),
        user_agent: handshake.header("user-agent").map(str::to_owned),
    };
    let accepted = connect(shared, api, client, &handshake).await?;
    peer.spelling.end();
    let protocol = accepted.protocol.clone();
    open(shared, accepted, on_upgrade);
    Ok(switching_protocols(&key, protocol))
}

/// Runs the authorizer and `$connect`.
async fn connect(
    shared: &GatewayState,
    api: Arc<WebSocketApi>,
    client: Client,
    handshake: &Handshake,
) -> Result<Accepted, Refused> {
    let route = api.routes.get("$connect").cloned();
    let (harm, queue) = (shared.injector.socket(), shared.limits.outbound_frames);
    let (mut connection, frames) = Connection::new(clock::identifier(), api, client, harm, queue);
    let Some(route) = route else {
        return Ok(Accepted {
            connection,
            frames,
            protocol: None,
        });
    };
    let mut authorizer_took = None;
    if let Some(authorizer) = &route.authorizer {
        let asked = authorizer::ask(authorizer, shared, &connection, handshake).await;
        let allowed = asked.map_err(|(status, text)| refuse(status, text))?;
        authorizer_took = Some(allowed.took);
        connection.authorizer = Some(allowed.said);
    }
    let event = event::connect(&connection, handshake, authorizer_took);
    let limit = Duration::from_millis(route.timeout_ms);
    let answer = shared.invoke(&route.function, &event, limit).await.map_err(|error| {
        tracing::warn!(function = route.function, %error, "$connect failed");
        match error {
            Unanswered::Failed(_) => refuse(StatusCode::BAD_GATEWAY, "Internal server error"),
            Unanswered::TimedOut => refuse(StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out"),
        }
    })?;
    match status_of(&answer) {
        Some(status) if status.is_success() => {
            let protocol = negotiated(&answer, handshake);
            Ok(Accepted {
                connection,
                frames,
                protocol,
            })
        }
        Some(status) => Err(passed_on(status, &answer)),
        None => Err(refuse(StatusCode::BAD_GATEWAY, "Internal server error")),
    }
}

/// Registers the connection and gives it its socket as soon as the upgrade is through.
fn open(shared: &Arc<GatewayState>, accepted: Accepted, on_upgrade: OnUpgrade) {
    let connection = Arc::new(accepted.connection);
    shared.connections.insert(&connection);
    let shared_by_socket = Arc::clone(shared);
    shared.tasks.spawn(async move {
        let upgraded = tokio::select! {
            () = shared_by_socket.stop.cancelled() => return,
            upgraded = on_upgrade => upgraded,
        };
        socket::run(shared_by_socket, connection, upgraded, accepted.frames).await;
    });
}

fn find_api(shared: &GatewayState, parts: &http::request::Parts) -> Result<Arc<WebSocketApi>, Refused> {
    let path = parts.uri.path();
    let stage = path.strip_prefix('/').unwrap_or(path).trim_end_matches('/');
    let host = parts
        .headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let mut of_stage = shared.apis.iter().filter(|api| api.stage == stage);
    // If two APIs have a stage of the same name, the host tells them apart, as on AWS.
    let named = of_stage
        .clone()
        .find(|api| host.split('.').next() == Some(api.api_id.as_str()));
    named
        .or_else(|| of_stage.next())
        .cloned()
        .ok_or_else(|| refuse(StatusCode::FORBIDDEN, "Forbidden"))
}

/// The key of the handshake, in the form that RFC 6455 asks for.
fn websocket_key(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, Refused> {
    let has = |name, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    if method != Method::GET || !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        let mut response = reply::message(StatusCode::UPGRADE_REQUIRED, "Upgrade Required");
        response
            .headers_mut()
            .insert(UPGRADE, HeaderValue::from_static("websocket"));
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        return Err(Box::new(response));
    }
    let version = headers
        .get("sec-websocket-version")
        .is_some_and(|version| version == "13");
    match headers.get("sec-websocket-key") {
        Some(key) if version => Ok(key.clone()),
        _ => Err(refuse(StatusCode::BAD_REQUEST, "Bad Request")),
    }
}

fn switching_protocols(key: &HeaderValue, protocol: Option<String>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    headers.extend(accept.ok().map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    let protocol = protocol.and_then(|protocol| HeaderValue::try_from(protocol).ok());
    headers.extend(protocol.map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)));
    response
}

/// The subprotocol that the function chose, if the client offered it.
fn negotiated(answer: &Value, handshake: &Handshake) -> Option<String> {
    let headers = answer.get("headers")?.as_object()?;
    let (_, chosen) = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(SEC_WEBSOCKET_PROTOCOL.as_str()))?;
    let chosen = chosen.as_str()?;
    let offered = handshake
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(SEC_WEBSOCKET_PROTOCOL.as_str()));
    let is_offered = offered
        .flat_map(|(_, value)| value.split(','))
        .any(|protocol| protocol.trim() == chosen);
    is_offered.then(|| chosen.to_owned())
}

/// The `statusCode`: a number, or digits in a string.
fn status_of(answer: &Value) -> Option<StatusCode> {
    let status = answer.get("statusCode")?;
    let number = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    StatusCode::from_u16(u16::try_from(number).ok()?).ok()
}

/// The function's status and body as the answer to the handshake.
fn passed_on(status: StatusCode, answer: &Value) -> Refused {
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body.to_owned()));
    // 101 and the other 1xx statuses would break the framing of the connection.
    *response.status_mut() = if status.is_informational() {
        StatusCode::BAD_GATEWAY
    } else {
        status
    };
    Box::new(response)
}

fn refuse(status: StatusCode, text: &str) -> Refused {
    Box::new(reply::message(status, text))
}
