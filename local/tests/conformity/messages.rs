//! Messages: which route they take, which event the function gets, and what is sent back.
//!
//! Sources: captured events and frames, and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html>

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::case::cases;
use crate::expect::{equal, is, members, no_nulls};
use crate::handshake::{CONTEXT, check_moment};
use crate::socket::{Opening, Socket};
use crate::target::{Target, tag};

cases![
    the_body_selects_the_route,
    a_message_without_a_route_takes_the_default_route,
    a_message_that_is_not_json_takes_the_default_route,
    the_result_is_sent_back_with_a_route_response,
    the_result_is_dropped_without_a_route_response,
    without_a_default_route_a_message_that_names_none_is_forbidden,
    a_failing_function_is_an_internal_server_error,
    the_message_event_has_these_members,
    each_message_has_its_own_ids_and_those_of_its_connection,
    messages_of_one_connection_run_at_the_same_time,
];

async fn route_of(target: &Target, body: &str, text: &str) -> Result<String> {
    let mut socket = Socket::open(target).await?;
    socket.send(body).await?;
    let event = socket.message_event(text).await?;
    is(&event, "/body", body)?;
    Ok(event["requestContext"]["routeKey"]
        .as_str()
        .context("it has a route")?
        .to_owned())
}

async fn the_body_selects_the_route(target: &Target) -> Result<()> {
    let text = tag();
    let body = json!({"action": "quiet", "tag": text}).to_string();
    equal(route_of(target, &body, &text).await?, "quiet".to_owned())
}

async fn a_message_without_a_route_takes_the_default_route(target: &Target) -> Result<()> {
    for action in [json!("other"), json!(null)] {
        let text = tag();
        let body = json!({"action": action, "tag": text}).to_string();
        equal(route_of(target, &body, &text).await?, "$default".to_owned())?;
    }
    Ok(())
}

async fn a_message_that_is_not_json_takes_the_default_route(target: &Target) -> Result<()> {
    let text = format!("plain text {}", tag());
    equal(route_of(target, &text, &text).await?, "$default".to_owned())
}

async fn the_result_is_sent_back_with_a_route_response(target: &Target) -> Result<()> {
    Socket::open(target).await?.still_works().await
}

/// With any status.
async fn the_result_is_dropped_without_a_route_response(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    for status in [200, 401, 501] {
        let text = tag();
        let answer = json!({"statusCode": status, "body": "dropped"});
        socket
            .order(&json!({"action": "quiet", "tag": text, "answer": answer}))
            .await?;
        socket.message_event(&text).await?;
    }
    socket.still_works().await
}

/// The error frame, including its spaces.
fn check_error(frame: &str, message: &str, connection: Option<&str>) -> Result<()> {
    let mismatch = || format!("not the frame of an error: {frame}");
    let rest = frame
        .strip_prefix(&format!(r#"{{"message": "{message}", "connectionId":""#))
        .with_context(mismatch)?;
    let (id, rest) = rest.split_once(r#"", "requestId":""#).with_context(mismatch)?;
    let request = rest.strip_suffix(r#""}"#).with_context(mismatch)?;
    ensure!(
        connection.is_none_or(|connection| connection == id),
        "another connection: {frame}"
    );
    ensure!(
        !id.is_empty() && !request.is_empty() && !request.contains('"'),
        mismatch()
    );
    Ok(())
}

async fn without_a_default_route_a_message_that_names_none_is_forbidden(target: &Target) -> Result<()> {
    let mut socket = Opening::bare(target).open().await?;
    socket.order(&json!({"action": "nothing"})).await?;
    check_error(&socket.text().await?, "Forbidden", None)?;
    // The socket stays open.
    socket
        .order(&json!({"action": "known", "answer": {"body": "heard"}}))
        .await?;
    equal(socket.text().await?, "heard".to_owned())
}

async fn a_failing_function_is_an_internal_server_error(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = socket.id().await?;
    for order in [json!({"fail": "no"}), json!({"exit": 1})] {
        socket.order(&order).await?;
        check_error(&socket.text().await?, "Internal server error", Some(&id))?;
    }
    socket.still_works().await
}

async fn the_message_event_has_these_members(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let text = tag();
    socket.order(&json!({"action": "quiet", "tag": text})).await?;
    let event = socket.message_event(&text).await?;
    members(&event, &["body", "isBase64Encoded", "requestContext"])?;
    members(&event["requestContext"], &[CONTEXT.as_slice(), &["messageId"]].concat())?;
    no_nulls(&event)?;
    is(&event, "/isBase64Encoded", false)?;
    is(&event, "/requestContext/eventType", "MESSAGE")?;
    is(&event, "/requestContext/messageDirection", "IN")?;
    is(&event, "/requestContext/stage", "whole")?;
    check_moment(&event)
}

async fn each_message_has_its_own_ids_and_those_of_its_connection(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let connect = socket.connect_event().await?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let text = tag();
        socket.order(&json!({"action": "quiet", "tag": text})).await?;
        let event = socket.message_event(&text).await?;
        for member in ["connectionId", "connectedAt", "domainName", "apiId"] {
            equal(&event["requestContext"][member], &connect["requestContext"][member]).context(member)?;
        }
        ids.extend(["requestId", "messageId"].map(|member| event["requestContext"][member].to_string()));
    }
    ids.sort();
    ids.dedup();
    let (requests, messages) = (3, 3);
    ensure!(
        ids.len() == requests + messages || ids.len() == requests,
        "ids come twice: {ids:?}"
    );
    Ok(())
}

/// The first message waits until the second has been answered.
async fn messages_of_one_connection_run_at_the_same_time(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let gate = tag();
    socket
        .order(&json!({"wait_for_gate": gate, "answer": {"body": "first"}}))
        .await?;
    socket.message_event(&gate).await?;
    socket.ask_for("second").await?;
    let answered = socket.text().await;
    target.open_gate(&gate).await?;
    equal(answered?, "second".to_owned())?;
    equal(socket.text().await?, "first".to_owned())
}
