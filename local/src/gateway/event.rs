//! The events of a WebSocket API, with the members that AWS sends, in its order. An absent member
//! is left out, not null.
//!
//! Sources:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>
//! and captured events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock::{self, Moment};
use super::connections::Connection;
use crate::lambda::{ACCOUNT_ID, REGION, ids};
use crate::server::Peer;

/// Names and values in the order in which they came. A name may come twice.
pub(super) type Pairs = Vec<(String, String)>;

/// The handshake request, in the shape that events have.
#[derive(Debug, Clone)]
pub(super) struct Handshake {
    /// As the client sent them.
    pub(super) headers: Pairs,
    /// Decoded.
    pub(super) query: Pairs,
}

/// Which of the three events it is, with the data that only this one has.
#[derive(Debug)]
pub(super) enum EventKind<'a> {
    /// The handshake, with how long the authorizer took, if one ran.
    Connect(Option<Duration>),
    /// A message, with its route key.
    Message(&'a str),
    /// The end, with its status code and reason.
    Disconnect(u16, &'a str),
}

impl Handshake {
    /// Reads the request. Header names stay as the client spelled them; the query is decoded.
    pub(super) fn from_request(parts: &http::request::Parts, peer: &Peer) -> Self {
        let spelled = peer.spelling.take();
        let headers = parts.headers.iter().map(|(name, value)| {
            let name = spelled
                .get(name.as_str())
                .cloned()
                .unwrap_or_else(|| name.as_str().to_owned());
            (name, String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Self {
            headers: headers.collect(),
            query: query_pairs(parts.uri.query().unwrap_or_default()),
        }
    }

    /// The header with this name, in any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The query parameter with this name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The headers that functions get: the client's, without those for the hop to the gateway, and
    /// the gateway's own.
    fn forwarded(&self, connection: &Connection, all: bool) -> Pairs {
        let own = [
            "host",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-amzn-trace-id",
        ];
        let hop = ["connection", "upgrade", "content-length"];
        let kept = |name: &str| {
            let name = name.to_ascii_lowercase();
            !own.contains(&name.as_str()) && !hop.contains(&name.as_str())
        };
        let mut headers: Pairs = self.headers.iter().filter(|(name, _)| kept(name)).cloned().collect();
        let came_through = self
            .header("x-forwarded-for")
            .map(|earlier| format!("{earlier}, "))
            .unwrap_or_default();
        let trace = self
            .header("x-amzn-trace-id")
            .map_or_else(|| ids::trace_root(connection.connected_at.since_epoch()), str::to_owned);
        headers.extend(
            [
                ("Host", connection.domain_name()),
                ("X-Amzn-Trace-Id", trace),
                ("X-Forwarded-For", format!("{came_through}{}", connection.source_ip)),
                ("X-Forwarded-Port", "443".to_owned()),
                ("X-Forwarded-Proto", "https".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if all {
            let hops = [
                ("Connection", "upgrade"),
                ("content-length", "0"),
                ("Upgrade", "websocket"),
            ];
            headers.extend(hops.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        headers
    }
}

/// The event of `$connect`.
pub(super) fn connect(connection: &Connection, handshake: &Handshake, authorizer_took: Option<Duration>) -> Value {
    let (headers, multi) = maps(&handshake.forwarded(connection, false));
    let mut event = Map::new();
    event.insert("headers".to_owned(), headers);
    event.insert("multiValueHeaders".to_owned(), multi);
    if !handshake.query.is_empty() {
        let (query, multi) = maps(&handshake.query);
        event.insert("queryStringParameters".to_owned(), query);
        event.insert("multiValueQueryStringParameters".to_owned(), multi);
    }
    let context = context(connection, &EventKind::Connect(authorizer_took), &clock::identifier());
    event.insert("requestContext".to_owned(), context);
    event.insert("isBase64Encoded".to_owned(), Value::Bool(false));
    Value::Object(event)
}

/// The event of a message on the route.
pub(super) fn message(connection: &Connection, route_key: &str, body: &str, request_id: &str) -> Value {
    json!({
        "requestContext": context(connection, &EventKind::Message(route_key), request_id),
        "body": body,
        "isBase64Encoded": false,
    })
}

/// The event of `$disconnect`, with the odd set of headers that AWS sends.
pub(super) fn disconnect(connection: &Connection, status: u16, reason: &str) -> Value {
    let headers = [
        ("Host", connection.domain_name().as_str()),
        ("x-api-key", ""),
        ("X-Forwarded-For", ""),
        ("x-restapi", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    json!({
        "headers": headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>(),
        "multiValueHeaders": headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect::<Map<_, _>>(),
        "requestContext": context(connection, &EventKind::Disconnect(status, reason), &clock::identifier()),
        "isBase64Encoded": false,
    })
}

/// The event of a REQUEST authorizer.
pub(super) fn authorize(connection: &Connection, handshake: &Handshake) -> Value {
    let (headers, multi_headers) = maps(&handshake.forwarded(connection, true));
    let (query, multi_query) = maps(&handshake.query);
    json!({
        "type": "REQUEST",
        "methodArn": method_arn(connection),
        "headers": headers,
        "multiValueHeaders": multi_headers,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": multi_query,
        "stageVariables": {},
        "requestContext": context(connection, &EventKind::Connect(None), &clock::identifier()),
    })
}

/// The ARN that the authorizer's policy allows or denies.
pub(super) fn method_arn(connection: &Connection) -> String {
    let (api, stage) = (&connection.api.api_id, &connection.api.stage);
    format!("arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{api}/{stage}/$connect")
}

fn context(connection: &Connection, kind: &EventKind<'_>, request_id: &str) -> Value {
    let now = Moment::now();
    let (route_key, event_type) = match kind {
        EventKind::Connect(_) => ("$connect", "CONNECT"),
        EventKind::Message(route_key) => (*route_key, "MESSAGE"),
        EventKind::Disconnect(..) => ("$disconnect", "DISCONNECT"),
    };
    let mut context = Map::new();
    let mut put = |name: &str, value: Value| context.insert(name.to_owned(), value);
    put("routeKey", json!(route_key));
    if let Some(authorizer) = authorizer(connection, kind) {
        put("authorizer", authorizer);
    }
    match kind {
        EventKind::Connect(_) => {}
        EventKind::Message(_) => drop(put("messageId", json!(clock::identifier()))),
        EventKind::Disconnect(status, _) => drop(put("disconnectStatusCode", json!(status))),
    }
    put("eventType", json!(event_type));
    put("extendedRequestId", json!(request_id));
    put("requestTime", json!(now.common_log()));
    put("messageDirection", json!("IN"));
    if let EventKind::Disconnect(_, reason) = kind {
        put("disconnectReason", json!(reason));
    }
    put("stage", json!(connection.api.stage));
    put("connectedAt", json!(connection.connected_at.epoch_ms()));
    put("requestTimeEpoch", json!(now.epoch_ms()));
    put("identity", identity(connection));
    put("requestId", json!(request_id));
    put("domainName", json!(connection.domain_name()));
    put("connectionId", json!(connection.id));
    put("apiId", json!(connection.api.api_id));
    Value::Object(context)
}

/// What the authorizer said. On `$connect` also how long it took, in milliseconds.
fn authorizer(connection: &Connection, kind: &EventKind<'_>) -> Option<Value> {
    let said = connection.authorizer.as_ref()?;
    let EventKind::Connect(Some(took)) = kind else {
        return Some(Value::Object(said.clone()));
    };
    let mut all = Map::new();
    all.extend(
        said.get_key_value("principalId")
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    all.insert(
        "integrationLatency".to_owned(),
        json!(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    );
    all.extend(
        said.iter()
            .filter(|(name, _)| *name != "principalId")
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Some(Value::Object(all))
}

fn identity(connection: &Connection) -> Value {
    match &connection.user_agent {
        Some(user_agent) => json!({"sourceIp": connection.source_ip, "userAgent": user_agent}),
        None => json!({"sourceIp": connection.source_ip}),
    }
}

/// The pairs as two maps sorted by name: one with the last value of each name, one with all values.
fn maps(pairs: &Pairs) -> (Value, Value) {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in pairs {
        all.entry(name).or_default().push(value);
    }
    let last = all
        .iter()
        .map(|(name, values)| ((*name).to_owned(), json!(values.last())))
        .collect();
    let multi = all
        .iter()
        .map(|(name, values)| ((*name).to_owned(), json!(values)))
        .collect();
    (Value::Object(last), Value::Object(multi))
}

/// The query, decoded.
pub(super) fn query_pairs(query: &str) -> Pairs {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}
