//! Processes that are killed in the middle of an invocation.

use serde_json::{Value, json};
use wigwag_local::lambda::InvokeError;
use wigwag_local::sqs::Counts;

use super::{FaultyStack, ask, put, within};

#[tokio::test]
async fn a_killed_process_has_done_its_last_call_and_its_caller_sees_a_crash() {
    let faulty = FaultyStack::start("[processes]\nkill_after_calls = { rate = 1, calls = 1 }").await;
    let error = faulty.try_call(json!([put("a"), put("b")])).await.unwrap_err();
    assert_eq!(error.to_string(), "Runtime exited with error: signal: 9 (SIGKILL)");
    assert!(faulty.has("a").await && !faulty.has("b").await);

    let order = json!({"calls": [put("c")]});
    let frame = ask(&mut faulty.open().await, &order).await;
    assert!(frame.starts_with(r#"{"message": "Internal server error", "#), "{frame}");
    let request = crate::http().get(format!("{}/do", faulty.stack.http_url));
    let response = request.query(&[("do", order.to_string())]).send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(faulty.injected("processes.kill_after_calls"), 3);
    let spared = faulty.try_call(json!([])).await;
    assert!(spared.is_ok(), "it makes no call");
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_process_is_killed_in_the_middle_of_its_work() {
    let faulty = FaultyStack::start("[processes]\nkill_after_ms = { rate = 1, ms = 1 }").await;
    let order = json!({"do": {"hang": true}});
    let error = within(faulty.stack.lambda().invoke("Probe", &order)).await.unwrap_err();
    assert!(matches!(error, InvokeError::Exited { .. }), "{error}");
    assert_eq!(faulty.injected("processes.kill_after_ms"), 1);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_batch_whose_function_is_killed_comes_back() {
    let mut faulty = FaultyStack::start("[processes]\nkill_after_calls = { rate = 1, calls = 1 }").await;
    faulty.send("local-Soon", None, &json!({"calls": [put("a")]})).await;
    let first = faulty.event("SoonWorker").await;
    let second = faulty.event("SoonWorker").await;
    let receives = |event: &Value| event["Records"][0]["attributes"]["ApproximateReceiveCount"].clone();
    assert_eq!((receives(&first), receives(&second)), (json!("1"), json!("2")));
    faulty.stack.faults().pause();
    faulty.until_counts("local-Soon", Counts::default()).await;
    assert!(faulty.has("a").await);
    faulty.stack.stop().await;
}
