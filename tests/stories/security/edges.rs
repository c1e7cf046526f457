//! Input that is too large, too deep or too much, and the endpoint that is not for clients.
use super::scene::Scene;
use super::sending::text_to;
use super::{Row, name};
use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use reqwest::{Client, Method};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message as Frame;
use wigwag_protocol::limits::{CHANGE_USERS, CONTENT_BYTES, FRAME_BYTES, HTTP_BODY_BYTES};
use wigwag_protocol::pb::SessionType;

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(scene: &Scene) -> Vec<Row<'_>> {
    let Scene { bob, eve, group, .. } = scene;
    let login = |body: String| scene.http("POST", "/login", None, Some(body)).boxed();
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1000), close.repeat(1000));
    let everyone: Vec<u64> = (1..=CHANGE_USERS as u64 + 1).collect();
    let unsigned = |method| connections(scene, method, None).boxed();
    let signature = "0".repeat(64);
    let for_service = move |service: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/{service}/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        )
    };
    let (whole, half) = (
        for_service("dynamodb"),
        for_service("execute-api").replace(", Signature=", ", S="),
    );
    vec![
        // Frames. See bad_input::frames.
        (
            "a frame over 32 KB",
            "closed with 1009",
            close(scene, Frame::text("x".repeat(FRAME_BYTES + 1))).boxed(),
        ),
        (
            "a binary frame",
            "closed with 1003",
            close(scene, Frame::binary(vec![0; 9])).boxed(),
        ),
        ("content over 16 KB", "CONTENT_TOO_LARGE", {
            scene
                .frame(
                    eve,
                    text_to(SessionType::Single, bob.user_id, 1, 1, &"x".repeat(CONTENT_BYTES + 1)),
                )
                .boxed()
        }),
        (
            "a frame of objects in objects",
            "MALFORMED_FRAME",
            raw(scene, deep("{\"data\":", "}")).boxed(),
        ),
        ("a frame of lists in lists", "MALFORMED_FRAME", {
            raw(scene, format!("{{\"type\":5,\"data\":{}}}", deep("[", "]"))).boxed()
        }),
        (
            "a frame shorter than its length says",
            "MALFORMED_FRAME",
            raw(scene, "CAUS////Bw==".to_owned()).boxed(),
        ),
        (
            "a frame that only the server sends",
            "UNKNOWN_COMMAND",
            raw(scene, "{\"type\":\"KICK\"}".to_owned()).boxed(),
        ),
        // Bodies. accounts::bad_requests has bad fields.
        (
            "a body over 8 KB",
            "BODY_TOO_LARGE",
            login(format!("{{\"x\":\"{}\"}}", "x".repeat(HTTP_BODY_BYTES))),
        ),
        (
            "a body of objects in objects",
            "MALFORMED_FRAME",
            login(deep("{\"a\":", "}")),
        ),
        ("a body of lists in lists", "MALFORMED_FRAME", login(deep("[", "]"))),
        ("a body with the same field twice", "MALFORMED_FRAME", {
            login("{\"phone_number\":\"+15550000000\",\"phone_number\":\"+15550000001\"}".to_owned())
        }),
        ("a password of kilobytes, which is not hashed", "WRONG_CREDENTIALS", {
            let password = "x".repeat(4000);
            login(
                json!({ "phone_number": "+15550000000", "password": password, "platform": 7, "device_id": "d" })
                    .to_string(),
            )
        }),
        ("more users than one request may name", "TOO_MANY_USERS", {
            scene
                .post("/group/create", eve, json!({ "name": "crowd", "user_ids": everyone }))
                .boxed()
        }),
        (
            "a path that does not exist",
            "404",
            status(scene, "/group/1/../../me").boxed(),
        ),
        ("an id that is not a number", "INVALID_FIELD", {
            async move { scene.get(&format!("/group/{group}%00"), eve).await }.boxed()
        }),
        // The management API, by a user who knows the id of bob's connection.
        ("a frame to a connection, unsigned", "403", unsigned(Method::POST)),
        ("closing a connection, unsigned", "403", unsigned(Method::DELETE)),
        ("asking about a connection, unsigned", "403", unsigned(Method::GET)),
        (
            "a frame to a connection, with half a signature",
            "403",
            connections(scene, Method::POST, Some(half)).boxed(),
        ),
        ("a frame to a connection, signed for another service", "refused", {
            connections(scene, Method::POST, Some(whole))
                .map(|status| status.map(refused))
                .boxed()
        }),
        ("a frame to a connection, with one's own token", "403", {
            connections(scene, Method::POST, Some(format!("Bearer {}", eve.token))).boxed()
        }),
        (
            "a frame to a connection, at the address for clients",
            "refused",
            at_the_front(scene).boxed(),
        ),
    ]
}

/// Any status that is not a success. AWS and its emulators use different ones here.
fn refused(status: String) -> String {
    if status.starts_with('2') {
        status
    } else {
        "refused".to_owned()
    }
}

/// The name of the code that answers a frame.
async fn raw(scene: &Scene, frame: String) -> Result<String> {
    let mut device = scene.device(&scene.eve).await?;
    let output = device.ask_raw(&frame).await?;
    device.leave().await?;
    name(output.code)
}

/// The code that a socket is closed with after a frame.
async fn close(scene: &Scene, frame: Frame) -> Result<String> {
    let mut device = scene.device(&scene.eve).await?;
    device.send_raw(frame).await?;
    let close = device.closed().await?.context("closed without a code")?;
    Ok(format!("closed with {}", u16::from(close.code)))
}

async fn status(scene: &Scene, path: &str) -> Result<String> {
    // Encoded, because a client would resolve the dots.
    let url = scene.cluster.stack.http_url.clone() + &path.replace("..", "%2e%2e%2f");
    let answer = Client::new().get(url).bearer_auth(&scene.eve.token).send().await?;
    Ok(answer.status().as_u16().to_string())
}

/// Calls `@connections` on bob's connection. Bob must not notice.
async fn connections(scene: &Scene, method: Method, authorization: Option<String>) -> Result<String> {
    let mut bob = scene.device(&scene.bob).await?;
    let id = connection_id(scene).await?;
    let url = format!("{}/prod/@connections/{id}", scene.cluster.stack.aws_endpoint_url);
    let mut call = Client::new()
        .request(method, url)
        .header("x-amz-date", "20261121T000000Z")
        .body("{\"outputs\":[]}");
    if let Some(authorization) = authorization {
        call = call.header("authorization", authorization);
    }
    let answer = call.send().await?;
    // The connection still works, and its next frame is the answer to its own request.
    bob.heartbeat().await?;
    bob.leave().await?;
    Ok(answer.status().as_u16().to_string())
}

/// Calls `@connections` at the addresses of the WebSocket API and the HTTP API.
async fn at_the_front(scene: &Scene) -> Result<String> {
    let mut bob = scene.device(&scene.bob).await?;
    let id = connection_id(scene).await?;
    let stack = &scene.cluster.stack;
    let mut outcome = String::new();
    for front in [stack.websocket_url.replace("ws://", "http://"), stack.http_url.clone()] {
        let answer = Client::new()
            .post(format!("{front}/@connections/{id}"))
            .body("{\"outputs\":[]}")
            .send()
            .await?;
        outcome = refused(answer.status().as_u16().to_string());
        if outcome != "refused" {
            break;
        }
    }
    bob.heartbeat().await?;
    bob.leave().await?;
    Ok(outcome)
}

/// The id of the connection that bob has.
async fn connection_id(scene: &Scene) -> Result<String> {
    let ids = scene.cluster.connection_ids(scene.bob.user_id).await?;
    ids.into_iter().next().context("bob is not connected")
}
