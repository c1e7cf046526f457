//! Lambda: invocations, and the pools of processes that run them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;
use wigwag_local::lambda::{EVENT_LIMIT_BYTES, InvokeError, Lambda, RESPONSE_LIMIT_BYTES, Tuning};

use crate::harness::{Functions, eventually, function, is_running, within};

pub(crate) async fn invoke(lambda: &Lambda, order: Value) -> Result<Value, InvokeError> {
    within(lambda.invoke("Probe", &json!({ "do": order }))).await
}

pub(crate) async fn pid(lambda: &Lambda) -> u64 {
    invoke(lambda, json!({"context": true})).await.unwrap()["pid"]
        .as_u64()
        .unwrap()
}

pub(crate) fn function_error(result: Result<Value, InvokeError>) -> (String, String) {
    match result {
        Err(InvokeError::Function { error_type, message }) => (error_type, message),
        other => panic!("not a function error: {other:?}"),
    }
}

#[tokio::test]
async fn a_function_gets_its_event_and_its_result_comes_back() {
    let mut functions = Functions::start([function("Probe")]);
    let answer = invoke(&functions.lambda, json!({"answer": {"n": 1}})).await;
    assert_eq!(answer, Ok(json!({"n": 1})));
    assert_eq!(functions.event("Probe").await, json!({"do": {"answer": {"n": 1}}}));
}

#[tokio::test]
async fn an_invocation_carries_a_uuid_an_epoch_deadline_an_arn_and_a_trace() {
    let functions = Functions::start([function("Probe")]);
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_mins(1);
    let context = invoke(&functions.lambda, json!({"context": true})).await.unwrap();
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_mins(1);
    let deadline = u128::from(context["deadline_ms"].as_u64().unwrap());
    assert!((before.as_millis()..=after.as_millis()).contains(&deadline));
    assert_eq!(context["request_id"].as_str().unwrap().len(), 36);
    assert_eq!(
        context["arn"],
        "arn:aws:lambda:us-east-1:000000000000:function:stack-Probe"
    );
    assert!(context["trace_id"].as_str().unwrap().starts_with("Root=1-"));
}

#[tokio::test]
async fn a_process_sees_the_environment_of_lambda_and_not_the_hosts() {
    let mut probe = function("Probe");
    probe.environment = BTreeMap::from([
        ("TABLE", "t"),
        ("AWS_LAMBDA_FUNCTION_NAME", "forged"),
        ("STAGE", "template"),
    ])
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    probe.logs_json = true;
    let extra = BTreeMap::from([
        ("STAGE".to_owned(), "extra".to_owned()),
        ("AWS_REGION".to_owned(), "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID".to_owned(), "key".to_owned()),
    ]);
    let environment = BTreeMap::from([("Probe".to_owned(), extra)]);
    let functions = Functions::try_start([probe], environment, Tuning::default()).unwrap();
    let seen = invoke(&functions.lambda, json!({"environment": true})).await.unwrap();
    let seen = seen.as_object().unwrap();
    let expected = [
        ("TABLE", "t"),
        ("STAGE", "extra"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_LAMBDA_FUNCTION_NAME", "stack-Probe"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/stack-Probe"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    for (name, value) in expected {
        assert_eq!(seen.get(name).and_then(Value::as_str), Some(value), "{name}");
    }
    for name in [
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "LAMBDA_TASK_ROOT",
        "AWS_DEFAULT_REGION",
    ] {
        assert!(seen.contains_key(name), "{name}");
    }
    for name in ["HOME", "USER", "CARGO", "CARGO_MANIFEST_DIR", "PWD", "RUST_BACKTRACE"] {
        assert!(!seen.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn an_error_of_the_handler_is_a_function_error_and_the_process_goes_on() {
    let functions = Functions::start([function("Probe")]);
    let before = pid(&functions.lambda).await;
    let (_, message) = function_error(invoke(&functions.lambda, json!({"fail": "no luck"})).await);
    assert_eq!(message, "no luck");
    let (_, message) = function_error(invoke(&functions.lambda, json!({"panic": "ouch"})).await);
    assert!(message.contains("ouch"), "{message}");
    assert_eq!(pid(&functions.lambda).await, before);
}

#[tokio::test]
async fn a_process_that_dies_fails_its_invocation_and_the_next_one_gets_a_new_process() {
    let functions = Functions::start([function("Probe")]);
    let before = pid(&functions.lambda).await;
    let died = invoke(&functions.lambda, json!({"exit": 3})).await;
    assert_eq!(
        died,
        Err(InvokeError::Exited {
            status: "exit status: 3".to_owned()
        })
    );
    assert_ne!(pid(&functions.lambda).await, before);
}

#[tokio::test]
async fn a_timeout_kills_the_process() {
    let functions = Functions::start([{
        let mut probe = function("Probe");
        probe.timeout_s = 1;
        probe
    }]);
    let before = pid(&functions.lambda).await;
    assert_eq!(
        invoke(&functions.lambda, json!({"hang": true})).await,
        Err(InvokeError::Timeout { timeout_s: 1 })
    );
    assert!(!is_running(before));
    assert_ne!(pid(&functions.lambda).await, before);
}

#[tokio::test]
async fn invocations_in_sequence_run_in_one_process() {
    let functions = Functions::start([function("Probe")]);
    let first = pid(&functions.lambda).await;
    for _ in 0..20 {
        assert_eq!(pid(&functions.lambda).await, first);
    }
}

#[tokio::test]
async fn concurrent_invocations_run_in_as_many_processes() {
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let mut functions = Functions::start([function("Probe")]);
    let running: Vec<_> = (0..4)
        .map(|n| {
            let (lambda, order) = (
                functions.lambda.clone(),
                json!({"print": ["in"], "wait_for": gate, "answer": n}),
            );
            tokio::spawn(async move { invoke(&lambda, order).await })
        })
        .collect();
    for _ in 0..4 {
        functions.line("Probe", "in").await;
    }
    std::fs::write(&gate, "").unwrap();
    for (n, result) in running.into_iter().enumerate() {
        assert_eq!(result.await.unwrap(), Ok(json!(n)));
    }
    assert_eq!(functions.lambda.idle_processes("Probe"), 4);
}

#[tokio::test]
async fn invocations_over_the_cap_wait_for_a_process() {
    let functions = Functions::tuned(
        [function("Probe")],
        Tuning {
            max_processes: 2,
            ..Tuning::default()
        },
    );
    let all: Vec<_> = (0..10)
        .map(|_| {
            let lambda = functions.lambda.clone();
            tokio::spawn(async move { pid(&lambda).await })
        })
        .collect();
    let mut pids = Vec::new();
    for one in all {
        pids.push(one.await.unwrap());
    }
    pids.sort_unstable();
    pids.dedup();
    assert!(pids.len() <= 2, "{pids:?}");
}

#[tokio::test]
async fn reserved_concurrency_throttles_instead_of_waiting() {
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let mut functions = Functions::start([{
        let mut probe = function("Probe");
        probe.reserved_concurrency = Some(1);
        probe
    }]);
    let lambda = functions.lambda.clone();
    let order = json!({"print": ["in"], "wait_for": gate, "answer": 1});
    let running = tokio::spawn(async move { invoke(&lambda, order).await });
    functions.line("Probe", "in").await;
    assert_eq!(invoke(&functions.lambda, json!({})).await, Err(InvokeError::Throttled));
    std::fs::write(&gate, "").unwrap();
    assert_eq!(running.await.unwrap(), Ok(json!(1)));
}

#[tokio::test]
async fn an_invocation_goes_on_when_its_caller_stops_waiting() {
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let mut functions = Functions::start([function("Probe")]);
    let lambda = functions.lambda.clone();
    let order = json!({"print": ["in"], "wait_for": gate});
    let running = tokio::spawn(async move { invoke(&lambda, order).await });
    functions.line("Probe", "in").await;
    running.abort();
    assert_eq!(functions.lambda.idle_processes("Probe"), 0);
    std::fs::write(&gate, "").unwrap();
    eventually("the process is idle", || functions.lambda.idle_processes("Probe") == 1).await;
}

#[tokio::test]
async fn an_idle_process_that_dies_costs_no_invocation() {
    let functions = Functions::start([function("Probe")]);
    let before = pid(&functions.lambda).await;
    let killed = nix::unistd::Pid::from_raw(i32::try_from(before).unwrap());
    nix::sys::signal::kill(killed, nix::sys::signal::Signal::SIGKILL).unwrap();
    // An event on its way to a dying process is lost with it, as on AWS. This one comes later.
    eventually("its end is seen", || functions.lambda.idle_processes("Probe") == 0).await;
    assert_ne!(pid(&functions.lambda).await, before);
}

#[tokio::test]
async fn all_idle_processes_except_one_end_after_a_while() {
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let tuning = Tuning {
        idle_after: Duration::from_millis(100),
        ..Tuning::default()
    };
    let mut functions = Functions::tuned([function("Probe")], tuning);
    let order = json!({"print": ["in"], "wait_for": gate});
    let running: Vec<_> = (0..3)
        .map(|_| {
            let (lambda, order) = (functions.lambda.clone(), order.clone());
            tokio::spawn(async move { invoke(&lambda, order).await })
        })
        .collect();
    for _ in 0..3 {
        functions.line("Probe", "in").await;
    }
    std::fs::write(&gate, "").unwrap();
    for one in running {
        one.await.unwrap().unwrap();
    }
    eventually("one process is left", || functions.lambda.idle_processes("Probe") == 1).await;
}

#[tokio::test]
async fn an_event_over_six_megabytes_is_refused() {
    let functions = Functions::start([function("Probe")]);
    let event = json!({"padding": "x".repeat(EVENT_LIMIT_BYTES)});
    let (error_type, _) = function_error(functions.lambda.invoke("Probe", &event).await);
    assert_eq!(error_type, "RequestEntityTooLargeException");
}

#[tokio::test]
async fn a_response_over_six_megabytes_is_a_function_error_and_the_process_goes_on() {
    let functions = Functions::start([function("Probe")]);
    let before = pid(&functions.lambda).await;
    let result = invoke(&functions.lambda, json!({"answer_bytes": RESPONSE_LIMIT_BYTES})).await;
    assert_eq!(function_error(result).0, "Function.ResponseSizeTooLarge");
    let fits = invoke(&functions.lambda, json!({"answer_bytes": RESPONSE_LIMIT_BYTES - 2}))
        .await
        .unwrap();
    assert_eq!(fits.as_str().unwrap().len(), RESPONSE_LIMIT_BYTES - 2);
    assert_eq!(pid(&functions.lambda).await, before);
}
