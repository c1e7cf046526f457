//! How processes of functions start and end, and those parts of the Runtime API that only a
//! hand-written client can test.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wigwag_local::faults::Injector;
use wigwag_local::lambda::{InvokeError, Lambda, LambdaConfig, Tuning};
use wigwag_local::meter::Meter;
use wigwag_local::template::model::Function;

use crate::harness::{Functions, eventually, function, is_running, probe, within};
use crate::lambda::{function_error, invoke, pid};

fn probe_that_starts(how: &str) -> Function {
    let mut probe = function("Probe");
    probe.environment.insert("PROBE_START".to_owned(), how.to_owned());
    probe
}

#[tokio::test]
async fn a_function_that_dies_at_its_start_is_named_with_its_last_output() {
    let functions = Functions::start([probe_that_starts("exit")]);
    let error = within(functions.lambda.warm("Probe")).await.unwrap_err();
    assert_eq!(error.function, "Probe");
    assert_eq!(error.output, ["first words", "last words"]);
    assert!(error.reason.contains("exit status: 7"), "{error}");
    let invoked = invoke(&functions.lambda, json!({})).await;
    assert_eq!(
        invoked,
        Err(InvokeError::Exited {
            status: "exit status: 7".to_owned()
        })
    );
}

#[tokio::test]
async fn an_init_error_reaches_the_caller_that_waits_for_the_process() {
    let functions = Functions::start([probe_that_starts("init-error"), function("Other")]);
    assert_eq!(within(functions.lambda.warm("Other")).await, Ok(()));
    let (error_type, message) = function_error(invoke(&functions.lambda, json!({})).await);
    assert_eq!(
        (error_type.as_str(), message.as_str()),
        ("Probe.Init", "a setting is missing")
    );
    assert!(functions.lambda.invoke("Other", &json!({"do": {}})).await.is_ok());
}

#[tokio::test]
async fn a_function_that_does_not_start_in_time_is_killed() {
    let tuning = Tuning {
        init_limit: Duration::from_millis(200),
        ..Tuning::default()
    };
    let functions = Functions::tuned([probe_that_starts("hang")], tuning);
    let error = within(functions.lambda.warm("Probe")).await.unwrap_err();
    assert!(error.reason.contains("/next"), "{error}");
}

#[tokio::test]
async fn a_function_without_a_binary_does_not_start() {
    let config = LambdaConfig {
        functions: BTreeMap::from([("Probe".to_owned(), function("Probe"))]),
        bootstraps: BTreeMap::new(),
        environment: BTreeMap::new(),
        meter: Meter::default(),
        faults: Injector::default(),
    };
    assert_eq!(Lambda::start(config).unwrap_err().function, "Probe");
}

#[tokio::test]
async fn a_warm_function_has_an_idle_process() {
    let functions = Functions::start([function("Probe")]);
    assert_eq!(functions.lambda.idle_processes("Probe"), 0);
    within(functions.lambda.warm("Probe")).await.unwrap();
    assert_eq!(functions.lambda.idle_processes("Probe"), 1);
}

#[tokio::test]
async fn stop_ends_all_processes_and_all_invocations() {
    let mut functions = Functions::start([function("Probe")]);
    let idle = pid(&functions.lambda).await;
    let lambda = functions.lambda.clone();
    let hanging = tokio::spawn(async move { invoke(&lambda, json!({"print": ["in"], "hang": true})).await });
    functions.line("Probe", "in").await;
    within(functions.lambda.stop()).await;
    assert_eq!(hanging.await.unwrap(), Err(InvokeError::Stopping));
    assert!(!is_running(idle));
    assert_eq!(invoke(&functions.lambda, json!({})).await, Err(InvokeError::Stopping));
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_processes() {
    let functions = Functions::start([function("Probe")]);
    let idle = pid(&functions.lambda).await;
    drop(functions);
    eventually("the process is gone", || !is_running(idle)).await;
}

/// What happens when the stack is killed with SIGKILL: nobody is left to end the processes, so they
/// must do it themselves.
#[tokio::test]
async fn a_process_ends_by_itself_when_its_runtime_api_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut child = tokio::process::Command::new(probe())
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "probe".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut poll, _) = within(listener.accept()).await.unwrap();
    let mut head = [0; 64];
    let read = within(poll.read(&mut head)).await.unwrap();
    assert!(head[..read].starts_with(b"GET /2018-06-01/runtime/invocation/next"));
    drop(poll);
    drop(listener);
    assert!(!within(child.wait()).await.unwrap().success());
}

/// Speaks the Runtime API by hand, instead of the function's own runtime.
#[tokio::test]
async fn a_response_for_another_request_id_is_refused() {
    let mut functions = Functions::start([function("Probe")]);
    let environment = invoke(&functions.lambda, json!({"environment": true})).await.unwrap();
    let api = environment["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap().to_owned();
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let lambda = functions.lambda.clone();
    let order = json!({"print": ["in"], "wait_for": gate, "answer": "mine"});
    let running = tokio::spawn(async move { invoke(&lambda, order).await });
    functions.line("Probe", "in").await;
    let path = "/2018-06-01/runtime/invocation/8b3a4b9e-0000-4000-8000-000000000000/response";
    assert!(post(&api, path).await.starts_with("HTTP/1.1 400 "));
    assert!(
        post(&api, "/2018-06-01/runtime/nothing")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
    std::fs::write(&gate, "").unwrap();
    assert_eq!(running.await.unwrap(), Ok(json!("mine")));
}

async fn post(host: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 7\r\n\r\n\"other\"");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    within(stream.read_to_string(&mut response)).await.unwrap();
    response
}
