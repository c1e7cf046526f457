//! A WebSocket API whose functions are all the probe, and clients for it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use wigwag_local::faults::Injector;
use wigwag_local::gateway::{Gateway, GatewayFaults, Limits};
use wigwag_local::meter::Meter;
use wigwag_local::template::model::{Authorizer, Function, Route, WebSocketApi};

use crate::harness::{Functions, function, within};

/// A socket of a browser or an app.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The id of the one API.
pub(crate) const API_ID: &str = "abcdefghij";

/// A running API.
pub(crate) struct TestServer {
    pub(crate) functions: Functions,
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
}

/// The settings that differ between tests.
pub(crate) struct Setup {
    pub(crate) api: WebSocketApi,
    pub(crate) limits: Limits,
    pub(crate) faults: GatewayFaults,
    /// Timeout of all functions.
    pub(crate) timeout_s: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            api: api(),
            limits: Limits::default(),
            faults: GatewayFaults::default(),
            timeout_s: 60,
        }
    }
}

/// `$connect`, `$disconnect`, `$default` with a route response, and `quiet` without one.
pub(crate) fn api() -> WebSocketApi {
    let route = |function: &str, responds| Route {
        function: function.to_owned(),
        authorizer: None,
        responds,
        timeout_ms: 29_000,
        rate: None,
    };
    WebSocketApi {
        logical_id: "Api".to_owned(),
        api_id: API_ID.to_owned(),
        stage: "prod".to_owned(),
        route_selection_expression: "$request.body.action".to_owned(),
        routes: [
            ("$connect", route("Connect", false)),
            ("$disconnect", route("Disconnect", false)),
            ("$default", route("Default", true)),
            ("quiet", route("Default", false)),
        ]
        .map(|(key, route)| (key.to_owned(), route))
        .into(),
    }
}

/// The same API with an authorizer that has these identity sources.
pub(crate) fn authorized_api(identity_sources: &[&str]) -> WebSocketApi {
    let mut api = api();
    api.routes.get_mut("$connect").expect("it has one").authorizer = Some(Authorizer {
        function: "Authorizer".to_owned(),
        identity_sources: identity_sources.iter().map(|source| (*source).to_owned()).collect(),
    });
    api
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::set_up(Setup::default()).await
    }

    pub(crate) async fn limited(limits: Limits) -> Self {
        Self::set_up(Setup {
            limits,
            ..Setup::default()
        })
        .await
    }

    pub(crate) async fn with_api(api: WebSocketApi) -> Self {
        Self::set_up(Setup {
            api,
            ..Setup::default()
        })
        .await
    }

    pub(crate) async fn set_up(setup: Setup) -> Self {
        let functions = ["Authorizer", "Connect", "Disconnect", "Default"].map(function);
        let functions = Functions::start(functions.map(|one| Function {
            timeout_s: setup.timeout_s,
            ..one
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (lambda, meter) = (functions.lambda.clone(), Meter::default());
        let apis = vec![setup.api];
        let gateway = Gateway::start_with_faults(
            listener,
            apis,
            lambda,
            meter,
            setup.limits,
            setup.faults,
            Injector::default(),
        );
        Self {
            functions,
            gateway,
            address,
        }
    }

    /// Tries to open a socket. The query consists of names and values; the values are encoded here.
    pub(crate) async fn try_open(&self, query: &[(&str, Value)]) -> Result<Socket, Error> {
        let url = format!("ws://{}{}", self.address, path(query));
        Ok(within(Box::pin(tokio_tungstenite::connect_async(url))).await?.0)
    }

    /// An open socket.
    pub(crate) async fn open(&self) -> Socket {
        self.try_open(&[]).await.expect("the handshake succeeds")
    }

    /// An open socket and its connection id.
    pub(crate) async fn open_with_id(&mut self) -> (Socket, String) {
        let socket = self.open().await;
        let event = self.functions.event("Connect").await;
        (socket, text_at(&event, "/requestContext/connectionId"))
    }

    /// The HTTP status with which the handshake is refused.
    pub(crate) async fn refusal(&self, query: &[(&str, Value)]) -> u16 {
        match self.try_open(query).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// A call of the management API.
    pub(crate) async fn manage(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(body.into())
            .expect("it is a request");
        self.gateway.management().handle(request).await
    }

    /// Posts to the connection.
    pub(crate) async fn post(&self, id: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        self.manage(Method::POST, &format!("/prod/@connections/{id}"), body)
            .await
    }

    /// Sends a hand-written request. Returns the head of the answer, and the stream.
    pub(crate) async fn raw(&self, request: &str) -> (String, TcpStream) {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut head = Vec::new();
        let reading = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("it answers"));
            }
        };
        within(reading).await;
        (String::from_utf8(head).expect("a head is text"), stream)
    }

    /// Opens a socket by hand, with additional headers.
    pub(crate) async fn raw_open(&self, query: &[(&str, Value)], headers: &str) -> (String, TcpStream) {
        self.raw(&handshake(&path(query), headers)).await
    }
}

/// The request of a handshake.
pub(crate) fn handshake(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

fn path(query: &[(&str, Value)]) -> String {
    let encode = |value: &Value| match value {
        Value::String(text) => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        other => utf8_percent_encode(&other.to_string(), NON_ALPHANUMERIC).to_string(),
    };
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if query.is_empty() {
        "/prod".to_owned()
    } else {
        format!("/prod?{}", query.join("&"))
    }
}

/// The string at this pointer.
pub(crate) fn text_at(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text at {pointer}: {value}"))
        .to_owned()
}

/// Sends an order to the function behind `$default`.
pub(crate) async fn send(socket: &mut Socket, order: Value) {
    within(socket.send(Message::text(order.to_string())))
        .await
        .expect("the socket is open");
}

/// An order to answer with this body.
pub(crate) fn answer(body: &str) -> Value {
    json!({"answer": {"statusCode": 200, "body": body}})
}

/// The next text frame.
pub(crate) async fn text(socket: &mut Socket) -> Utf8Bytes {
    match within(socket.next()).await {
        Some(Ok(Message::Text(text))) => text,
        other => panic!("not a text frame: {other:?}"),
    }
}

/// The next close frame, except pongs.
pub(crate) async fn closed(socket: &mut Socket) -> CloseFrame {
    loop {
        match within(socket.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => return frame,
            Some(Ok(Message::Pong(_))) => {}
            other => panic!("not a close frame: {other:?}"),
        }
    }
}

/// Status and reason of the next `$disconnect`.
pub(crate) async fn disconnect(functions: &mut Functions) -> (u64, String) {
    let event = functions.event("Disconnect").await;
    let status = event["requestContext"]["disconnectStatusCode"]
        .as_u64()
        .expect("it has a status");
    (status, text_at(&event, "/requestContext/disconnectReason"))
}

/// The event as JSON, with names instead of the values that differ between runs.
pub(crate) fn settled(mut event: Value) -> String {
    let context = &mut event["requestContext"];
    let members = [
        "extendedRequestId",
        "requestTime",
        "connectedAt",
        "requestTimeEpoch",
        "requestId",
        "connectionId",
        "messageId",
    ];
    assert_eq!(context["requestId"], context["extendedRequestId"]);
    for member in members {
        if let Some(value) = context.get_mut(member) {
            *value = json!(member);
        }
    }
    if let Some(latency) = context.pointer_mut("/authorizer/integrationLatency") {
        assert!(latency.is_u64());
        *latency = json!("integrationLatency");
    }
    for (headers, trace) in [("headers", json!("trace")), ("multiValueHeaders", json!(["trace"]))] {
        if let Some(value) = event.pointer_mut(&format!("/{headers}/X-Amzn-Trace-Id")) {
            *value = trace;
        }
    }
    serde_json::to_string_pretty(&event).expect("it is JSON")
}

/// Short enough for a test to see it, long enough for a busy machine.
pub(crate) const SHORT: Duration = Duration::from_millis(300);
