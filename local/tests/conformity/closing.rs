//! Frames that are too large, and how connections end.
//!
//! Sources: captured events and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-binary-media-types.html>

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::case::cases;
use crate::expect::{equal, is, members, no_nulls};
use crate::handshake::{CONTEXT, check_moment};
use crate::socket::Socket;
use crate::target::{Target, tag};

cases![
    a_binary_frame_closes_with_1003,
    a_frame_of_32_kilobytes_passes,
    a_frame_of_a_byte_more_closes_with_1009,
    a_message_of_128_kilobytes_in_frames_passes,
    a_message_of_a_byte_more_closes_with_1009,
    disconnect_gets_the_clients_code,
    a_close_without_a_code_is_1005,
    the_disconnect_event_has_these_members,
];

const FRAME: usize = 32 * 1024;

/// A message of this length for the route without a response.
fn padded(text: &str, length: usize) -> String {
    let start = format!(r#"{{"action":"quiet","tag":"{text}","padding":""#);
    format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
}

async fn passes(target: &Target, frames: &[usize]) -> Result<()> {
    let (mut socket, text) = (Socket::open(target).await?, tag());
    let message = padded(&text, frames.iter().sum());
    socket.send_fragments(&message, frames).await?;
    is(&socket.message_event(&text).await?, "/body", message)
}

async fn is_too_much(target: &Target, frames: &[usize]) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let message = padded(&tag(), frames.iter().sum());
    // Sending may break off when the other side closes the socket.
    let _ = socket.send_fragments(&message, frames).await;
    socket.ask_for("still open").await.ok();
    equal(socket.closed().await?, 1009)
}

async fn a_binary_frame_closes_with_1003(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    socket.send_message(Message::binary(vec![1, 2, 3])).await?;
    socket.ask_for("still open").await.ok();
    equal(socket.closed().await?, 1003)
}

async fn a_frame_of_32_kilobytes_passes(target: &Target) -> Result<()> {
    passes(target, &[FRAME]).await
}

async fn a_frame_of_a_byte_more_closes_with_1009(target: &Target) -> Result<()> {
    is_too_much(target, &[FRAME + 1]).await
}

async fn a_message_of_128_kilobytes_in_frames_passes(target: &Target) -> Result<()> {
    passes(target, &[FRAME; 4]).await
}

async fn a_message_of_a_byte_more_closes_with_1009(target: &Target) -> Result<()> {
    is_too_much(target, &[FRAME, FRAME, FRAME, FRAME, 1]).await
}

async fn disconnect_gets_the_clients_code(target: &Target) -> Result<()> {
    for code in [1000_u16, 4001] {
        let mut socket = Socket::open(target).await?;
        let id = socket.id().await?;
        let frame = CloseFrame {
            code: code.into(),
            reason: "bye".into(),
        };
        socket.close(Some(frame)).await?;
        let event = socket.disconnect_event(&id).await?;
        is(&event, "/requestContext/disconnectStatusCode", code)?;
        ensure!(
            event["requestContext"]["disconnectReason"].is_string(),
            "no reason: {event}"
        );
    }
    Ok(())
}

async fn a_close_without_a_code_is_1005(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = socket.id().await?;
    socket.close(None).await?;
    let event = socket.disconnect_event(&id).await?;
    is(&event, "/requestContext/disconnectStatusCode", 1005)?;
    is(
        &event,
        "/requestContext/disconnectReason",
        "Client-side close frame status not set",
    )
}

async fn the_disconnect_event_has_these_members(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let connect = socket.connect_event().await?;
    let id = crate::socket::connection_id(&connect)?;
    socket.close(None).await?;
    let event = socket.disconnect_event(&id).await?;
    members(
        &event,
        &["headers", "isBase64Encoded", "multiValueHeaders", "requestContext"],
    )?;
    let headers = ["Host", "X-Forwarded-For", "x-api-key", "x-restapi"];
    members(&event["headers"], &headers)?;
    members(&event["multiValueHeaders"], &headers)?;
    let own = ["disconnectReason", "disconnectStatusCode"];
    members(&event["requestContext"], &[CONTEXT.as_slice(), &own].concat())?;
    no_nulls(&event)?;
    is(&event, "/headers/x-api-key", "")?;
    is(&event, "/multiValueHeaders/x-restapi", json!([""]))?;
    is(&event, "/requestContext/routeKey", "$disconnect")?;
    is(&event, "/requestContext/messageDirection", "IN")?;
    equal(
        &event["requestContext"]["connectedAt"],
        &connect["requestContext"]["connectedAt"],
    )
    .context("connectedAt")?;
    check_moment(&event)
}
