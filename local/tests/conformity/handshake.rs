//! The handshake: the authorizer and `$connect` decide before 101.
//!
//! Sources: captured events and handshakes, and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html>

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{ProtocolError, SubProtocolError};

use crate::case::cases;
use crate::expect::{equal, is, members, no_nulls};
use crate::socket::{Handshake, Opening, Socket};
use crate::target::{DEADLINE, Target, tag};

cases![
    a_2xx_of_connect_opens_the_socket,
    a_301_of_connect_is_the_status_of_the_handshake,
    a_400_of_connect_is_the_status_of_the_handshake,
    a_401_of_connect_is_the_status_of_the_handshake,
    a_501_of_connect_is_the_status_of_the_handshake,
    a_failing_connect_is_502,
    a_plain_get_is_asked_to_upgrade,
    connect_cannot_post_to_its_own_connection,
    the_function_chooses_a_subprotocol_that_was_offered,
    no_subprotocol_is_negotiated_unless_the_function_chooses,
    the_connect_event_has_these_members,
    the_connect_event_has_the_clients_headers_and_query,
    without_a_user_agent_there_is_none_in_the_event,
    the_authorizer_event_has_these_members,
    a_missing_identity_source_is_401_and_the_authorizer_is_not_asked,
    a_deny_is_403,
    unauthorized_is_401,
    a_failing_authorizer_is_500,
    the_authorizers_context_is_in_every_event,
    the_authorizers_latency_is_only_in_connect,
];

async fn a_2xx_of_connect_opens_the_socket(target: &Target) -> Result<()> {
    for status in [200, 201] {
        let answer = json!({"statusCode": status});
        let opened = Opening::new(target).answered(&answer).open().await;
        opened.with_context(|| status.to_string())?;
    }
    Ok(())
}

async fn passes_through(target: &Target, status: u16) -> Result<()> {
    let answer = json!({"statusCode": status, "body": "told"});
    equal(Opening::new(target).answered(&answer).refusal().await?, status)
}

async fn a_301_of_connect_is_the_status_of_the_handshake(target: &Target) -> Result<()> {
    passes_through(target, 301).await
}

async fn a_400_of_connect_is_the_status_of_the_handshake(target: &Target) -> Result<()> {
    passes_through(target, 400).await
}

async fn a_401_of_connect_is_the_status_of_the_handshake(target: &Target) -> Result<()> {
    passes_through(target, 401).await
}

async fn a_501_of_connect_is_the_status_of_the_handshake(target: &Target) -> Result<()> {
    passes_through(target, 501).await
}

async fn a_failing_connect_is_502(target: &Target) -> Result<()> {
    equal(Opening::new(target).order(&json!({"fail": "no"})).refusal().await?, 502)
}

async fn a_plain_get_is_asked_to_upgrade(target: &Target) -> Result<()> {
    let url = target.output("WebSocketUrl").replacen("ws", "http", 1);
    let answer = reqwest::Client::new()
        .request(Method::GET, format!("{url}?tag={}", tag()))
        .timeout(DEADLINE)
        .send()
        .await?;
    equal(answer.status().as_u16(), 426)
}

/// The function answers with the status of its own post.
async fn connect_cannot_post_to_its_own_connection(target: &Target) -> Result<()> {
    equal(
        Opening::new(target)
            .order(&json!({"post": "too early"}))
            .refusal()
            .await?,
        410,
    )
}

async fn the_function_chooses_a_subprotocol_that_was_offered(target: &Target) -> Result<()> {
    let answer = json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "b.v1"}});
    let opening = Opening::new(target).answered(&answer);
    let socket = opening.header("Sec-WebSocket-Protocol", "a.v1,b.v1").open().await?;
    equal(socket.header("Sec-WebSocket-Protocol"), Some("b.v1"))
}

async fn no_subprotocol_is_negotiated_unless_the_function_chooses(target: &Target) -> Result<()> {
    let opening = Opening::new(target).answered(&json!({"statusCode": 200}));
    match opening.header("Sec-WebSocket-Protocol", "a.v1,b.v1").attempt().await? {
        // Like a browser, this client takes a missing choice as a failure.
        Handshake::Failed(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            SubProtocolError::NoSubProtocol,
        ))) => Ok(()),
        Handshake::Failed(error) => bail!("the handshake failed in another way: {error}"),
        Handshake::Done(_) => bail!("a subprotocol was negotiated"),
    }
}

/// The members of `requestContext` in every event of a connection that an authorizer allowed.
pub(crate) const CONTEXT: [&str; 14] = [
    "apiId",
    "authorizer",
    "connectedAt",
    "connectionId",
    "domainName",
    "eventType",
    "extendedRequestId",
    "identity",
    "messageDirection",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "routeKey",
    "stage",
];

async fn the_connect_event_has_these_members(target: &Target) -> Result<()> {
    let event = Socket::open(target).await?.connect_event().await?;
    let expected = [
        "headers",
        "isBase64Encoded",
        "multiValueHeaders",
        "multiValueQueryStringParameters",
        "queryStringParameters",
        "requestContext",
    ];
    members(&event, &expected)?;
    members(&event["requestContext"], &CONTEXT)?;
    no_nulls(&event)?;
    is(&event, "/isBase64Encoded", false)?;
    is(&event, "/requestContext/routeKey", "$connect")?;
    is(&event, "/requestContext/eventType", "CONNECT")?;
    is(&event, "/requestContext/messageDirection", "IN")?;
    is(&event, "/requestContext/stage", "whole")?;
    check_moment(&event)
}

/// Checks the ids and times that every event has.
pub(crate) fn check_moment(event: &Value) -> Result<()> {
    let context = &event["requestContext"];
    equal(&context["requestId"], &context["extendedRequestId"])?;
    let id = context["connectionId"].as_str().unwrap_or_default();
    ensure!(id.len() == 16 && id.ends_with('='), "not a connection id: {id}");
    for time in ["connectedAt", "requestTimeEpoch"] {
        let is_ms = context[time].as_u64().is_some_and(|ms| ms > 1_500_000_000_000);
        ensure!(is_ms, "{time} is not in milliseconds: {}", context[time]);
    }
    let time = context["requestTime"].as_str().unwrap_or_default();
    ensure!(
        time.len() == 26 && time.ends_with(" +0000"),
        "not a time as in logs: {time}"
    );
    Ok(())
}

async fn the_connect_event_has_the_clients_headers_and_query(target: &Target) -> Result<()> {
    let opening = Opening::new(target).parameter("a", "x y").parameter("a", "z");
    let event = opening
        .header("User-Agent", "probe/1")
        .open()
        .await?
        .connect_event()
        .await?;
    is(&event, "/queryStringParameters/a", "z")?;
    is(&event, "/multiValueQueryStringParameters/a", json!(["x y", "z"]))?;
    is(&event, "/requestContext/identity/userAgent", "probe/1")?;
    is(&event, "/headers/Sec-WebSocket-Version", "13")?;
    is(&event, "/multiValueHeaders/Sec-WebSocket-Version", json!(["13"]))?;
    for name in [
        "Host",
        "X-Amzn-Trace-Id",
        "X-Forwarded-For",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
    ] {
        ensure!(
            event["headers"][name].is_string(),
            "no header {name}: {}",
            event["headers"]
        );
    }
    Ok(())
}

async fn without_a_user_agent_there_is_none_in_the_event(target: &Target) -> Result<()> {
    let event = Socket::open(target).await?.connect_event().await?;
    members(&event["requestContext"]["identity"], &["sourceIp"])
}

/// The event that the authorizer got.
async fn asked(target: &Target, tag: &str) -> Result<Value> {
    let is_meant = |event: &Value| event["type"] == "REQUEST" && event["queryStringParameters"]["tag"] == tag;
    target.event("the event of the authorizer", is_meant).await
}

async fn the_authorizer_event_has_these_members(target: &Target) -> Result<()> {
    let opening = Opening::new(target);
    opening.open().await?;
    let event = asked(target, opening.tag()).await?;
    let expected = [
        "headers",
        "methodArn",
        "multiValueHeaders",
        "multiValueQueryStringParameters",
        "queryStringParameters",
        "requestContext",
        "stageVariables",
        "type",
    ];
    members(&event, &expected)?;
    let expected: Vec<&str> = CONTEXT.into_iter().filter(|name| *name != "authorizer").collect();
    members(&event["requestContext"], &expected)?;
    is(&event, "/requestContext/eventType", "CONNECT")?;
    is(&event, "/stageVariables", json!({}))?;
    let api = event["requestContext"]["apiId"].as_str().context("it has an apiId")?;
    let arn = event["methodArn"].as_str().context("it has a methodArn")?;
    let fits = arn.starts_with("arn:aws") && arn.contains(":execute-api:");
    ensure!(
        fits && arn.ends_with(&format!(":{api}/whole/$connect")),
        "methodArn is {arn}"
    );
    check_moment(&event)
}

async fn a_missing_identity_source_is_401_and_the_authorizer_is_not_asked(target: &Target) -> Result<()> {
    let other = tag();
    let opening = Opening::new(target).unidentified().parameter("other", &other);
    equal(opening.refusal().await?, 401)?;
    // If a function had been invoked, its event would be recorded before this one.
    Socket::open(target).await?.connect_event().await?;
    let seen = target
        .records
        .all(|message| message["Body"].as_str().is_some_and(|body| body.contains(&other)));
    ensure!(seen.is_empty(), "a function was invoked");
    Ok(())
}

async fn a_deny_is_403(target: &Target) -> Result<()> {
    let deny = json!({"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [deny]});
    let order = json!({"answer": {"principalId": "p", "policyDocument": policy}});
    equal(Opening::new(target).authorizer(&order).refusal().await?, 403)
}

async fn unauthorized_is_401(target: &Target) -> Result<()> {
    equal(
        Opening::new(target)
            .authorizer(&json!({"fail": "Unauthorized"}))
            .refusal()
            .await?,
        401,
    )
}

async fn a_failing_authorizer_is_500(target: &Target) -> Result<()> {
    equal(
        Opening::new(target)
            .authorizer(&json!({"fail": "a mistake"}))
            .refusal()
            .await?,
        500,
    )
}

/// An order for the authorizer: allow, with a context.
fn allowing() -> Value {
    let allow = json!({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [allow]});
    let context = json!({"user": "7", "level": 3, "admin": false});
    json!({"answer": {"principalId": "u7", "policyDocument": policy, "context": context}})
}

async fn the_authorizers_context_is_in_every_event(target: &Target) -> Result<()> {
    let mut socket = Opening::new(target).authorizer(&allowing()).open().await?;
    let connect = socket.connect_event().await?;
    let id = crate::socket::connection_id(&connect)?;
    let text = tag();
    socket.order(&json!({"action": "quiet", "tag": text})).await?;
    let message = socket.message_event(&text).await?;
    socket.close(None).await?;
    let disconnect = socket.disconnect_event(&id).await?;
    for (event, name) in [
        (connect, "$connect"),
        (message, "a message"),
        (disconnect, "$disconnect"),
    ] {
        let said = &event["requestContext"]["authorizer"];
        for (member, value) in [("principalId", "u7"), ("user", "7"), ("level", "3"), ("admin", "false")] {
            ensure!(
                said[member] == value,
                "{member} on {name} is {}, not {value}",
                said[member]
            );
        }
    }
    Ok(())
}

async fn the_authorizers_latency_is_only_in_connect(target: &Target) -> Result<()> {
    let mut socket = Opening::new(target).authorizer(&allowing()).open().await?;
    let connect = socket.connect_event().await?;
    let latency = &connect["requestContext"]["authorizer"]["integrationLatency"];
    ensure!(latency.is_number(), "integrationLatency is {latency}");
    let text = tag();
    socket.order(&json!({"action": "quiet", "tag": text})).await?;
    let message = socket.message_event(&text).await?;
    members(
        &message["requestContext"]["authorizer"],
        &["principalId", "user", "level", "admin"],
    )
}
