//! The management API of connections, byte for byte.
//!
//! Sources: the service's model in the SDKs, reports of real 410 and 400 answers, and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::case::cases;
use crate::expect::{equal, members};
use crate::socket::{Opening, Socket};
use crate::target::{DEADLINE, Target, tag};

cases![
    a_post_reaches_the_client_as_a_text_frame,
    a_post_may_spell_the_at_sign_either_way,
    a_post_of_32_kilobytes_reaches_the_client,
    a_post_of_more_than_128_kilobytes_is_413,
    a_get_returns_the_times_and_the_client,
    a_delete_is_204_and_closes_the_socket,
    a_closed_connection_is_410,
    a_410_has_its_type_in_a_header_and_no_body,
    a_malformed_id_is_400,
    an_unsigned_call_is_403,
];

/// The connection id as SDKs spell it in a path.
fn spelled(id: &str) -> String {
    id.replace('=', "%3D")
}

fn error_type(answer: &Response) -> &str {
    let header = answer.headers().get("x-amzn-errortype");
    header.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn a_post_reaches_the_client_as_a_text_frame(target: &Target) -> Result<()> {
    let (mut socket, text) = (Socket::open(target).await?, format!("{} ä", tag()));
    let id = socket.id().await?;
    let answer = target.manage(Method::POST, &spelled(&id), text.clone()).await?;
    equal(answer.status().as_u16(), 200)?;
    equal(socket.text().await?, text)
}

async fn a_post_may_spell_the_at_sign_either_way(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = spelled(&socket.id().await?);
    for connections in ["@connections", "%40connections"] {
        let url = format!("{}/{connections}/{id}", target.management_url());
        let answer = target.manage_at(Method::POST, &url, connections).await?;
        ensure!(answer.status() == 200, "{connections}: {}", answer.status());
        equal(socket.text().await?, connections.to_owned())?;
    }
    Ok(())
}

async fn a_post_of_32_kilobytes_reaches_the_client(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let text = "x".repeat(32 * 1024);
    let answer = target
        .manage(Method::POST, &spelled(&socket.id().await?), text.clone())
        .await?;
    equal(answer.status().as_u16(), 200)?;
    equal(socket.text().await?.len(), text.len())
}

async fn a_post_of_more_than_128_kilobytes_is_413(target: &Target) -> Result<()> {
    let socket = Socket::open(target).await?;
    let text = "x".repeat(128 * 1024 + 1);
    let answer = target.manage(Method::POST, &spelled(&socket.id().await?), text).await?;
    equal(answer.status().as_u16(), 413)?;
    ensure!(
        error_type(&answer).contains("PayloadTooLargeException"),
        "its type is {}",
        error_type(&answer)
    );
    Ok(())
}

async fn a_get_returns_the_times_and_the_client(target: &Target) -> Result<()> {
    let socket = Opening::new(target).header("User-Agent", "probe/1").open().await?;
    let answer = target.manage(Method::GET, &spelled(&socket.id().await?), "").await?;
    equal(answer.status().as_u16(), 200)?;
    let body: Value = answer.json().await?;
    members(&body, &["connectedAt", "identity", "lastActiveAt"])?;
    members(&body["identity"], &["sourceIp", "userAgent"])?;
    for member in ["connectedAt", "lastActiveAt"] {
        let at = body[member]
            .as_str()
            .with_context(|| format!("{member} is {}", body[member]))?;
        ensure!(
            at.ends_with('Z') && at.as_bytes().get(10) == Some(&b'T'),
            "{member} is {at}"
        );
    }
    equal(&body["identity"]["userAgent"], &Value::from("probe/1"))
}

async fn a_delete_is_204_and_closes_the_socket(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let answer = target.manage(Method::DELETE, &spelled(&socket.id().await?), "").await?;
    equal(answer.status().as_u16(), 204)?;
    // AWS does not document the close code.
    while let Ok(Some(message)) = socket.next().await {
        ensure!(message.is_close(), "not a close: {message:?}");
    }
    Ok(())
}

/// The answers of each method for a connection that has been closed.
async fn gone(target: &Target) -> Result<Vec<Response>> {
    let mut socket = Socket::open(target).await?;
    let id = socket.id().await?;
    socket.close(None).await?;
    socket.disconnect_event(&id).await?;
    let mut answers = Vec::new();
    for method in [Method::POST, Method::GET, Method::DELETE] {
        answers.push(target.manage(method, &spelled(&id), "").await?);
    }
    Ok(answers)
}

async fn a_closed_connection_is_410(target: &Target) -> Result<()> {
    for answer in gone(target).await? {
        equal(answer.status().as_u16(), 410)?;
    }
    Ok(())
}

async fn a_410_has_its_type_in_a_header_and_no_body(target: &Target) -> Result<()> {
    for answer in gone(target).await? {
        ensure!(
            error_type(&answer).contains("GoneException"),
            "its type is {:?}",
            error_type(&answer)
        );
        equal(answer.text().await?, String::new())?;
    }
    Ok(())
}

async fn a_malformed_id_is_400(target: &Target) -> Result<()> {
    let answer = target.manage(Method::POST, "nonsense", "x").await?;
    equal(answer.status().as_u16(), 400)?;
    ensure!(
        error_type(&answer).contains("BadRequestException"),
        "its type is {:?}",
        error_type(&answer)
    );
    let body = answer.text().await?;
    ensure!(body.contains("Invalid connectionId: nonsense"), "{body}");
    Ok(())
}

async fn an_unsigned_call_is_403(target: &Target) -> Result<()> {
    let socket = Socket::open(target).await?;
    let url = format!(
        "{}/@connections/{}",
        target.management_url(),
        spelled(&socket.id().await?)
    );
    let answer = reqwest::Client::new()
        .post(url)
        .timeout(DEADLINE)
        .body("x")
        .send()
        .await?;
    equal(answer.status().as_u16(), 403)
}
