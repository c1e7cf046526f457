//! Behaviour of AWS that nobody knows. Each case prints what it sees, and never fails because of
//! it. The page `aws-unknowns.md` says what is assumed in the meantime, and what would break.
//!
//! `CONFORMITY_TARGET=aws … cargo test --test conformity -- --ignored unknown`

use std::time::{Duration, Instant};

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::case::cases;
use crate::socket::{Opening, Socket};
use crate::target::{Target, tag};

cases![
    what_a_post_that_is_not_utf_8_becomes,
    what_a_post_of_33_kilobytes_becomes,
    what_a_post_of_128_kilobytes_becomes,
    what_a_delete_looks_like_from_both_sides,
    what_disconnect_says_after_a_break,
    whether_messages_in_a_row_run_in_order,
    whether_posts_in_a_row_arrive_in_order,
    whether_a_client_ping_is_answered,
    whether_compression_is_negotiated,
    whether_a_posting_flood_is_refused,
    what_a_failing_status_does_on_a_route_with_a_response,
    what_a_connect_without_a_status_is,
    what_an_authorizer_error_in_lower_case_is,
    what_a_base64_route_response_becomes,
    what_a_function_error_on_a_route_without_a_response_sends,
    what_raw_path_is_of_an_encoded_path,
    what_a_malformed_http_response_is,
    what_answers_without_failures_mean,
    takes_11_minutes_whether_pings_keep_an_idle_connection,
    takes_2_hours_what_the_longest_connection_ends_with,
];

fn saw(what: &str, seen: impl std::fmt::Display) {
    println!("observed: {what}: {seen}");
}

fn spelled(id: &str) -> String {
    id.replace('=', "%3D")
}

/// The interesting part of a frame.
fn shown(frame: &Result<Option<Message>>) -> String {
    match frame {
        Ok(Some(Message::Text(text))) if text.len() > 200 => format!("a text frame of {} bytes", text.len()),
        Ok(Some(Message::Binary(bytes))) => format!("a binary frame of {} bytes", bytes.len()),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("{error:#}"),
    }
}

/// Posts this body, and prints what happens at both ends.
async fn tell_of_a_post(target: &Target, what: &str, body: Vec<u8>) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = spelled(&socket.id().await?);
    let answer = target.manage(Method::POST, &id, body).await?;
    let status = answer.status();
    saw(
        &format!("{what} is answered"),
        format!("{status} {:?}", answer.text().await?),
    );
    if status == 200 {
        saw(&format!("{what} arrives as"), shown(&socket.next().await));
    }
    Ok(())
}

async fn what_a_post_that_is_not_utf_8_becomes(target: &Target) -> Result<()> {
    tell_of_a_post(target, "a post that is not UTF-8", vec![0xff, 0xfe]).await
}

async fn what_a_post_of_33_kilobytes_becomes(target: &Target) -> Result<()> {
    tell_of_a_post(target, "a post of 33 KB", vec![b'x'; 33 * 1024]).await
}

async fn what_a_post_of_128_kilobytes_becomes(target: &Target) -> Result<()> {
    tell_of_a_post(target, "a post of 128 KB", vec![b'x'; 128 * 1024]).await
}

async fn tell_of_the_end(socket: &Socket<'_>, id: &str, what: &str) {
    let end = match socket.disconnect_event(id).await {
        Ok(event) => json!([
            event["requestContext"]["disconnectStatusCode"],
            event["requestContext"]["disconnectReason"]
        ])
        .to_string(),
        Err(error) => format!("{error:#}"),
    };
    saw(what, end);
}

async fn what_a_delete_looks_like_from_both_sides(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = socket.id().await?;
    let answer = target.manage(Method::DELETE, &spelled(&id), "").await?;
    saw("a delete is answered", answer.status());
    saw("a delete arrives as", shown(&socket.next().await));
    tell_of_the_end(&socket, &id, "$disconnect after a delete").await;
    Ok(())
}

async fn what_disconnect_says_after_a_break(target: &Target) -> Result<()> {
    let socket = Socket::open(target).await?;
    let id = socket.id().await?;
    drop(socket);
    let other = Socket::open(target).await?;
    tell_of_the_end(&other, &id, "$disconnect after a break without a close frame").await;
    Ok(())
}

async fn texts(socket: &mut Socket<'_>, count: usize) -> Result<String> {
    let mut texts = Vec::with_capacity(count);
    for _ in 0..count {
        texts.push(socket.text().await?);
    }
    Ok(texts.join(" "))
}

async fn whether_messages_in_a_row_run_in_order(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    for n in 0..20 {
        socket.ask_for(&n.to_string()).await?;
    }
    saw(
        "messages 0 to 19 are answered in this order",
        texts(&mut socket, 20).await?,
    );
    Ok(())
}

async fn whether_posts_in_a_row_arrive_in_order(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = spelled(&socket.id().await?);
    for n in 0..20 {
        target.manage(Method::POST, &id, n.to_string()).await?;
    }
    saw(
        "posts 0 to 19, one after the other, arrive in this order",
        texts(&mut socket, 20).await?,
    );
    Ok(())
}

async fn whether_a_client_ping_is_answered(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    socket.send_message(Message::Ping("are you there".into())).await?;
    saw("after a ping comes", shown(&socket.next_frame().await.map(Some)));
    Ok(())
}

async fn whether_compression_is_negotiated(target: &Target) -> Result<()> {
    let socket = Opening::new(target)
        .header("Sec-WebSocket-Extensions", "permessage-deflate")
        .open()
        .await?;
    saw(
        "permessage-deflate is answered with",
        format!("{:?}", socket.header("Sec-WebSocket-Extensions")),
    );
    Ok(())
}

/// The client does not read during the flood.
async fn whether_a_posting_flood_is_refused(target: &Target) -> Result<()> {
    let socket = Socket::open(target).await?;
    let id = spelled(&socket.id().await?);
    let began = Instant::now();
    for n in 0..1_000 {
        let answer = target.manage(Method::POST, &id, vec![b'x'; 32 * 1024]).await?;
        if answer.status() != 200 {
            let text = format!(
                "{} after {n} posts in {:?}: {}",
                answer.status(),
                began.elapsed(),
                answer.text().await?
            );
            saw("a flood of posts of 32 KB is refused with", text);
            return Ok(());
        }
    }
    saw(
        "a flood of 1,000 posts of 32 KB takes",
        format!("{:?}", began.elapsed()),
    );
    Ok(())
}

async fn what_a_failing_status_does_on_a_route_with_a_response(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    socket
        .order(&json!({"answer": {"statusCode": 500, "body": "the body"}}))
        .await?;
    saw("a result with the status 500 arrives as", shown(&socket.next().await));
    Ok(())
}

async fn what_a_connect_without_a_status_is(target: &Target) -> Result<()> {
    let opening = Opening::new(target).answered(&json!("no status"));
    saw(
        "a $connect without a status is",
        format!("{:?}", opening.refusal().await),
    );
    Ok(())
}

async fn what_an_authorizer_error_in_lower_case_is(target: &Target) -> Result<()> {
    let opening = Opening::new(target).authorizer(&json!({"fail": "unauthorized"}));
    saw(
        "an authorizer that fails with \"unauthorized\" is",
        format!("{:?}", opening.refusal().await),
    );
    Ok(())
}

async fn what_a_base64_route_response_becomes(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    socket
        .order(&json!({"answer": {"statusCode": 200, "body": "aGk=", "isBase64Encoded": true}}))
        .await?;
    saw("a result of base64 of \"hi\" arrives as", shown(&socket.next().await));
    Ok(())
}

async fn what_a_function_error_on_a_route_without_a_response_sends(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let text = tag();
    socket
        .order(&json!({"action": "quiet", "tag": text, "fail": "no"}))
        .await?;
    socket.message_event(&text).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    socket.ask_for("nothing").await?;
    saw(
        "after a function error on a route without a response comes",
        shown(&socket.next().await),
    );
    Ok(())
}

async fn what_raw_path_is_of_an_encoded_path(target: &Target) -> Result<()> {
    let answer = target.http(Method::GET, "/user/a%20b%2Fc").send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    let event: Value = serde_json::from_str(&text).unwrap_or_default();
    let seen = json!([
        event["rawPath"],
        event["requestContext"]["http"]["path"],
        event["pathParameters"]
    ]);
    saw("/user/a%20b%2Fc is", format!("{status} {seen}"));
    Ok(())
}

async fn what_a_malformed_http_response_is(target: &Target) -> Result<()> {
    for result in [
        json!({"statusCode": "many"}),
        json!({"statusCode": 200, "body": {"a": 1}}),
    ] {
        let order = json!({ "answer": result }).to_string();
        let request = target
            .http(Method::POST, "/echo")
            .header("Content-Type", "application/json");
        let answer = request.body(order).send().await?;
        saw(
            &format!("the result {result} is"),
            format!("{} {}", answer.status(), answer.text().await?),
        );
    }
    Ok(())
}

/// All messages are in one group. When the last one comes, the fate of those before it is known.
async fn what_answers_without_failures_mean(target: &Target) -> Result<()> {
    let group = tag();
    let answers = [json!({}), json!({"unknown": 1}), json!({"batchItemFailures": null})];
    let orders = answers.iter().map(|answer| json!({"tag": group, "answer": answer}));
    let last = json!({"tag": group, "last": true});
    for order in orders.chain([last]) {
        let message =
            json!({"MessageBody": order.to_string(), "MessageGroupId": group, "MessageDeduplicationId": tag()});
        target.send("FailingQueueUrl", message).await?;
    }
    let has = |message: &Value, text: &str| {
        let body = message["Body"].as_str().unwrap_or_default().replace('\\', "");
        body.contains(&group) && body.contains(text)
    };
    target
        .records
        .wait("the last of the group", 1, |message| has(message, r#""last":true"#))
        .await?;
    for answer in answers {
        let text = format!(r#""answer":{answer}"#);
        let seen = target.records.all(|message| has(message, &text)).len();
        saw(
            &format!("{answer} as an answer: the message comes"),
            format!("{seen} times"),
        );
    }
    Ok(())
}

async fn takes_11_minutes_whether_pings_keep_an_idle_connection(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = socket.id().await?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_mins(11) {
        tokio::time::sleep(Duration::from_secs(30)).await;
        if socket.send_message(Message::Ping(Vec::new().into())).await.is_err() {
            break;
        }
        match socket.next_frame().await {
            Ok(Message::Pong(_)) => {}
            other => {
                saw(
                    "a connection with nothing but pings ends",
                    format!("after {:?}: {other:?}", began.elapsed()),
                );
                tell_of_the_end(&socket, &id, "and its $disconnect is told").await;
                return Ok(());
            }
        }
    }
    saw(
        "a connection with nothing but pings lives",
        format!("{:?}", began.elapsed()),
    );
    Ok(())
}

async fn takes_2_hours_what_the_longest_connection_ends_with(target: &Target) -> Result<()> {
    let mut socket = Socket::open(target).await?;
    let id = socket.id().await?;
    let began = Instant::now();
    loop {
        socket.ask_for("busy").await.ok();
        match socket.next().await {
            Ok(Some(Message::Text(_))) => {}
            other => {
                saw(
                    "a connection that is always busy ends",
                    format!("after {:?}: {}", began.elapsed(), shown(&other)),
                );
                break;
            }
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    tell_of_the_end(&socket, &id, "and its $disconnect is told").await;
    Ok(())
}
