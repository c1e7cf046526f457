//! Whole functions. The target builds the event that AWS would build around the client's data. AWS
//! stores nothing, or refuses every call if the input begins with `!`.
//!
//! The first line of an input says what is called. The second has `name=value` pairs, and the rest
//! is the body. A `~` is replaced by a valid token.

use super::aws::{Answer, Aws};
use super::token::{GOOD, keys};
use super::{NOW_MS, text};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use wigwag_domain::relation::MessagesFrom;
use wigwag_edge::Keys;
use wigwag_edge::caller::Caller;
use wigwag_edge::response::Response;
use wigwag_messaging::connect::ConnectionPolicy;
use wigwag_protocol::http::Failure;
use wigwag_protocol::limits::FRAME_BYTES;
use wigwag_protocol::{Code, InputFrame, OutputFrame};

/// Most shards of a task that is run: a hundred times as many as the largest group has. Only our
/// functions write tasks.
const SHARDS: u64 = 20_000;

/// Most bytes of an answer that reports a failure.
const FAILURE_BYTES: usize = 512;

/// The parts of an input.
struct Parts<'a> {
    answer: Answer,
    what: &'a str,
    pairs: &'a str,
    body: &'a str,
}

impl<'a> Parts<'a> {
    fn parse(data: &'a [u8]) -> Option<Self> {
        let text = text(data)?;
        let (answer, text) = match text.strip_prefix('!') {
            Some(rest) => (Answer::Refusal, rest),
            None => (Answer::Empty, text),
        };
        let (what, rest) = text.split_once('\n').unwrap_or((text, ""));
        let (pairs, body) = rest.split_once('\n').unwrap_or((rest, ""));
        Some(Self {
            answer,
            what,
            pairs,
            body,
        })
    }

    /// The pairs as a JSON object.
    fn map(&self) -> Value {
        let pairs = self.pairs.split('&').filter_map(|pair| pair.split_once('='));
        let map: Map<String, Value> = pairs
            .map(|(name, value)| (name.to_owned(), json!(with_token(value))))
            .collect();
        Value::Object(map)
    }
}

/// Replaces `~` by the valid token.
fn with_token(text: &str) -> String {
    text.replace('~', &GOOD.0)
}

/// A request to the HTTP API: a route such as `POST /login`; query, path and headers together; the
/// body. Without the valid token only registering and logging in succeed. A refusal has a code, and
/// the HTTP status of that code. No answer repeats the token.
pub fn api(data: &[u8]) {
    let Some(parts) = Parts::parse(data) else { return };
    let pairs = parts.map();
    let event = json!({
        "version": "2.0", "routeKey": parts.what, "rawPath": "/", "rawQueryString": "", "headers": pairs.clone(),
        "queryStringParameters": pairs.clone(), "pathParameters": pairs.clone(), "requestContext": { "http": { "method": "POST" } },
        "body": parts.body, "isBase64Encoded": false,
    });
    let Ok(event) = serde_json::from_value(event) else {
        // HTTP cannot carry such a header.
        return;
    };
    let response = Aws::run(parts.answer, async |aws| {
        let state = wigwag_api::State {
            store: aws.store.clone(),
            queue: aws.queue.clone(),
            keys: Keys::given(keys()),
            token_ttl_s: 60,
            messages_from: MessagesFrom::Anyone,
        };
        wigwag_api::handle(&state, event, NOW_MS)
            .await
            .expect("every request is answered")
    });
    let code = code_of(&response);
    let open = ["POST /register", "POST /login"];
    if !is_signed_in(&pairs) && !open.contains(&parts.what) {
        let refusals = [
            Code::NOT_SIGNED_IN,
            Code::TOKEN_INVALID,
            Code::TOKEN_EXPIRED,
            Code::UNKNOWN_ROUTE,
        ];
        assert!(refusals.contains(&code), "{code} without a token: {}", parts.what);
    }
    assert!(
        !response.body.unwrap_or_default().contains(&GOOD.0),
        "the answer repeats the token"
    );
}

/// Whether the valid token is in the `Authorization` header.
fn is_signed_in(headers: &Value) -> bool {
    let mut headers = headers.as_object().into_iter().flatten();
    headers.any(|(name, value)| {
        let value = value.as_str().unwrap_or_default().trim_end();
        name.eq_ignore_ascii_case("authorization") && value.ends_with(&GOOD.0)
    })
}

/// The code of an answer from the HTTP API.
fn code_of(response: &Response) -> Code {
    let body = response.body.as_deref().expect("every answer has a body");
    if response.status_code < 300 {
        let _: Value = serde_json::from_str(body).expect("an answer is JSON");
        return Code::OK;
    }
    assert!(body.len() <= FAILURE_BYTES, "{body}");
    let failure: Failure = serde_json::from_str(body).expect("a refusal is a Failure");
    let code = Code::from_number(failure.code).expect("a refusal has a documented code");
    assert_eq!(
        (response.status_code, failure.retryable),
        (code.http_status(), code.is_retryable())
    );
    code
}

/// An event of a WebSocket: `AUTHORIZE`, `CONNECT`, `DISCONNECT` or `MESSAGE`; query, headers or
/// the authorizer's context; the frame. `EVENT` takes the whole event instead.
///
/// Only the valid token is accepted, for the user it names. Every frame gets one output that fits a
/// frame, has a documented code and names the request. Without a caller the output is a refusal.
pub fn sockets(data: &[u8]) {
    let Some(parts) = Parts::parse(data) else { return };
    let pairs = parts.map();
    let context = json!({
        "connectionId": "TXzPWdnOjoECGjA=", "connectedAt": NOW_MS, "requestTimeEpoch": NOW_MS, "requestId": "request", "stage": "prod", "apiId": "api",
        "authorizer": pairs.clone(),
    });
    match parts.what {
        "AUTHORIZE" => authorize(&json!({
            "type": "REQUEST", "methodArn": "arn:x/$connect", "headers": pairs.clone(), "queryStringParameters": pairs,
            "requestContext": {},
        })),
        "CONNECT" => connect(parts.answer, &json!({ "headers": pairs, "requestContext": context })),
        "DISCONNECT" => disconnect(parts.answer, &json!({ "requestContext": context })),
        "MESSAGE" => message(
            parts.answer,
            &json!({ "requestContext": context, "body": with_token(parts.body) }),
        ),
        "EVENT" => {
            let Ok(event) = serde_json::from_str(parts.body) else {
                return;
            };
            authorize(&event);
            connect(parts.answer.clone(), &event);
            disconnect(parts.answer.clone(), &event);
            message(parts.answer, &event);
        }
        _ => {}
    }
}

fn authorize(event: &Value) {
    let says_token = event.to_string().contains(&GOOD.0);
    let Ok(event) = serde_json::from_value(event.clone()) else {
        return;
    };
    let state = wigwag_authorizer::State {
        keys: Keys::given(keys()),
        allow_login_frame: false,
    };
    let policy = Aws::run(Answer::Refusal, async |_| {
        wigwag_authorizer::handle(&state, &event, NOW_MS).await
    });
    let Ok(policy) = policy else {
        return;
    };
    assert!(says_token, "accepted without the valid token");
    if policy["policyDocument"]["Statement"][0]["Effect"] == "Allow" {
        assert_eq!(policy["context"], Caller::from(&GOOD.1).to_context());
    }
}

fn connect(answer: Answer, event: &Value) {
    let Ok(event) = serde_json::from_value(event.clone()) else {
        return;
    };
    let response = Aws::run(answer, async |aws| {
        let state = wigwag_connect::State {
            store: aws.store.clone(),
            pusher: aws.pusher.clone(),
            policy: ConnectionPolicy::Device,
        };
        wigwag_connect::handle(&state, event, NOW_MS).await
    });
    if let Ok(response) = response {
        assert!([200, 403, 409, 503].contains(&response.status_code), "{response:?}");
    }
}

fn disconnect(answer: Answer, event: &Value) {
    let Ok(event) = serde_json::from_value(event.clone()) else {
        return;
    };
    let response = Aws::run(answer, async |aws| {
        let state = wigwag_disconnect::State {
            store: aws.store.clone(),
            allow_login_frame: true,
        };
        wigwag_disconnect::handle(&state, event, NOW_MS).await
    });
    if let Ok(response) = response {
        assert_eq!(response, Response::status(200));
    }
}

fn message(answer: Answer, event: &Value) {
    let frame = event["body"].as_str().unwrap_or_default().to_owned();
    let context: HashMap<String, Value> =
        serde_json::from_value(event["requestContext"]["authorizer"].clone()).unwrap_or_default();
    let is_signed_in = Caller::from_context(&context).is_some();
    let read = serde_json::from_value(event.clone());
    // Otherwise the checks below might pass only because they are never reached.
    let is_usual = context.len() == 3 && is_signed_in && event["requestContext"]["requestTimeEpoch"] == NOW_MS;
    let Ok(event) = read else {
        assert!(!is_usual, "an event as AWS writes it cannot be read");
        return;
    };
    let response = Aws::run(answer, async |aws| {
        let state = wigwag_default::State {
            store: aws.store.clone(),
            pusher: aws.pusher.clone(),
            queue: aws.queue.clone(),
            policy: ConnectionPolicy::Device,
            messages_from: MessagesFrom::Anyone,
            login_keys: None,
        };
        wigwag_default::handle(&state, event, Aws::deadline(), NOW_MS).await
    });
    let response = response.expect("every frame is answered");
    let body = response.body.expect("with a frame");
    assert!(body.len() <= FRAME_BYTES, "{} bytes", body.len());
    let outputs = OutputFrame::decode_batch(&body).expect("that a client can read");
    let [output] = outputs.as_slice() else {
        panic!("not one output: {body}")
    };
    let code = Code::from_number(output.code).expect("a documented code");
    assert_eq!(output.retryable, code.is_retryable());
    if let Ok(frame) = InputFrame::decode(&frame)
        && output.code != Code::MALFORMED_FRAME.number()
    {
        assert_eq!(output.request_id, frame.request_id);
    }
    assert!(is_signed_in || code != Code::OK, "answered without a caller: {body}");
}

/// A batch of the queue, one task per line. Each task that is to be delivered again is named once,
/// by its id in the queue.
pub fn workers(data: &[u8]) {
    let Some(parts) = Parts::parse(data) else { return };
    let bodies: Vec<&str> = [parts.what, parts.pairs]
        .into_iter()
        .chain(parts.body.lines())
        .take(10)
        .collect();
    if bodies.iter().any(|body| is_huge(body)) {
        return;
    }
    let record = |(index, body): (usize, &&str)| {
        json!({
            "messageId": format!("m{index}"), "receiptHandle": format!("r{index}"), "body": body, "eventSource": "aws:sqs",
            "attributes": {
                "MessageGroupId": format!("g{}", index / 3), "ApproximateReceiveCount": "1", "ApproximateFirstReceiveTimestamp": "1",
            },
        })
    };
    let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
    let event = serde_json::from_value(json!({ "Records": records })).expect("an event of the queue");
    let deadlines = wigwag_fanout::Deadlines {
        work: Aws::deadline(),
        pushes: Aws::deadline(),
    };
    let response = Aws::run(parts.answer, async |aws| {
        let state = wigwag_fanout::State {
            store: aws.store.clone(),
            pusher: aws.pusher.clone(),
            queue: aws.queue.clone(),
            dead_letters: aws.queue.clone(),
        };
        wigwag_fanout::handle(&state, event, deadlines, NOW_MS).await
    });
    let failures = response.expect("every batch is answered").batch_item_failures;
    let mut ids: Vec<&str> = failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    assert!(ids.iter().all(|id| {
        id.strip_prefix('m')
            .and_then(|n| n.parse().ok())
            .is_some_and(|n: usize| n < bodies.len())
    }));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), failures.len());
}

/// Whether a task has more shards than any group.
fn is_huge(body: &str) -> bool {
    let task: Value = serde_json::from_str(body).unwrap_or_default();
    let numbers = [&task["shards"], &task["shards"]["end"]];
    numbers
        .iter()
        .any(|number| number.as_u64().is_some_and(|shards| shards > SHARDS))
}
