//! Whole stacks, from the template to a client and back.

mod faults;
mod queues;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use wigwag_local::lambda::{Output, Tuning};
use wigwag_local::stack::{RunningStack, StackOptions, StackStartError};

fn options() -> StackOptions {
    let (lines, _) = mpsc::unbounded_channel();
    StackOptions {
        template: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/template.yaml"),
        tuning: Tuning {
            output: Output::Channel(lines),
            ..Tuning::default()
        },
        ..StackOptions::default()
    }
}

async fn start(options: StackOptions) -> RunningStack {
    RunningStack::start(options).await.expect("the stack starts")
}

async fn environment(stack: &RunningStack) -> BTreeMap<String, String> {
    let order = json!({"do": {"environment": true}});
    let answer = stack
        .lambda()
        .invoke("ProbeFunction", &order)
        .await
        .expect("the probe answers");
    serde_json::from_value(answer).expect("an environment")
}

/// An HTTP client. reqwest needs a cryptography provider, even for plain HTTP.
pub(crate) fn http() -> reqwest::Client {
    // This fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn dynamodb(stack: &RunningStack, operation: &str, body: Value) -> Value {
    let target = format!("DynamoDB_20120810.{operation}");
    aws(stack, "dynamodb", &target, body).await
}

async fn secrets(stack: &RunningStack, operation: &str, body: Value) -> Value {
    let target = format!("secretsmanager.{operation}");
    aws(stack, "secretsmanager", &target, body).await
}

/// Calls a service as an SDK would.
async fn aws(stack: &RunningStack, service: &str, target: &str, body: Value) -> Value {
    let credential = format!("AKIAEXAMPLE/20261121/us-east-1/{service}/aws4_request");
    let signature = "0".repeat(64);
    let response = http()
        .post(&stack.aws_endpoint_url)
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20261121T000000Z")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={signature}"),
        )
        .body(body.to_string())
        .send()
        .await
        .expect("the endpoint answers");
    response.json().await.expect("JSON")
}

#[tokio::test]
async fn a_frame_is_answered_by_the_function_of_the_template() {
    let stack = start(options()).await;
    assert!(stack.websocket_url.ends_with("/dev"));
    let (mut socket, _) = tokio_tungstenite::connect_async(&stack.websocket_url).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap().into_text().unwrap();
    let event: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(event["body"], "hello");
    assert_eq!(event["requestContext"]["stage"], "dev");
    let reading = stack.meter().read();
    assert_eq!((reading.websocket.messages_in, reading.websocket.messages_out), (1, 1));
    assert_eq!(reading.functions["ProbeFunction"].invocations, 1);
    stack.stop().await;
}

#[tokio::test]
async fn a_request_is_answered_by_the_function_of_its_route() {
    let stack = start(options()).await;
    let response = http().get(format!("{}/hello", stack.http_url)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap()["routeKey"], "GET /hello");
    assert_eq!(stack.meter().read().http.requests, 1);
    stack.stop().await;
}

#[tokio::test]
async fn a_function_gets_the_names_and_the_endpoints_of_this_machine() {
    let stack = start(options()).await;
    let variables = environment(&stack).await;
    assert_eq!(variables["ITEMS"], "local-Items");
    assert_eq!(variables["AWS_ENDPOINT_URL"], stack.aws_endpoint_url);
    let management = format!("{}/dev", stack.aws_endpoint_url);
    assert_eq!(variables["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"], management);
    assert_eq!(variables["AWS_ACCESS_KEY_ID"], "LOCALProbeFunction");
    assert_eq!(variables["SECRET"].len(), 64);
    stack.stop().await;
}

#[tokio::test]
async fn a_data_directory_keeps_items_and_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let options = || StackOptions {
        data_dir: Some(directory.path().join("data")),
        ..options()
    };
    let stack = start(options()).await;
    let item = json!({"TableName": "local-Items", "Item": {"id": {"S": "a"}}});
    dynamodb(&stack, "PutItem", item).await;
    let variables = environment(&stack).await;
    let get_key = || json!({"SecretId": variables["KEY"]});
    let key = secrets(&stack, "GetSecretValue", get_key()).await;
    assert_eq!(key["SecretString"].as_str().unwrap().len(), 32, "{key}");
    let second = RunningStack::start(options()).await.unwrap_err();
    assert!(matches!(second, StackStartError::DataDirectory { .. }), "{second}");
    stack.stop().await;

    let stack = start(options()).await;
    let get = json!({"TableName": "local-Items", "Key": {"id": {"S": "a"}}});
    assert_eq!(
        dynamodb(&stack, "GetItem", get).await,
        json!({"Item": {"id": {"S": "a"}}})
    );
    assert_eq!(environment(&stack).await["SECRET"], variables["SECRET"]);
    assert_eq!(secrets(&stack, "GetSecretValue", get_key()).await, key);
    stack.stop().await;
}

#[tokio::test]
async fn a_function_that_dies_at_its_start_is_named_with_its_last_output() {
    let parameters = BTreeMap::from([("Start".to_owned(), "exit".to_owned())]);
    let error = RunningStack::start(StackOptions {
        parameters,
        ..options()
    })
    .await
    .unwrap_err()
    .to_string();
    assert!(error.starts_with("function ProbeFunction: "), "{error}");
    assert!(error.ends_with("last words"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = RunningStack::start(StackOptions {
        aws_port: port,
        ..options()
    })
    .await
    .unwrap_err()
    .to_string();
    let expected = format!("cannot listen on 127.0.0.1:{port}; choose another port with --aws-port");
    assert_eq!(error, expected);
}

#[tokio::test]
async fn no_process_is_left_after_a_stop() {
    let stack = start(options()).await;
    let order = json!({"do": {"context": true}});
    let answer = stack.lambda().invoke("ProbeFunction", &order).await.unwrap();
    let pid: i32 = serde_json::from_value(answer["pid"].clone()).unwrap();
    let exists = || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok();
    assert!(exists());
    stack.stop().await;
    assert!(!exists());
}
