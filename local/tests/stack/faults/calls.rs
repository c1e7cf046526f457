//! Calls of AWS services that fail, get lost or wait.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use wigwag_local::sqs::Counts;

use super::{FaultyStack, post, put, statuses, url, within};
use crate::{dynamodb, secrets};

#[tokio::test]
async fn a_throttled_call_has_done_nothing() {
    let faulty = FaultyStack::start("[dynamodb.PutItem]\nthrottle = 1\n[sqs.all]\nthrottle = 1").await;
    let send = json!({"QueueUrl": url("local-Outbox"), "MessageBody": "x"});
    let send = json!({"service": "sqs", "target": "AmazonSQS.SendMessage", "body": send});
    let outcomes = faulty.call(json!([put("a"), send])).await;
    assert_eq!(statuses(&outcomes), [400, 400]);
    let error = outcomes[0]["body"]["__type"].as_str().unwrap();
    assert!(error.ends_with("#ThrottlingException"), "{error}");
    assert_eq!(outcomes[1]["body"]["__type"], "com.amazonaws.sqs#RequestThrottled");
    assert!(!faulty.has("a").await);
    faulty.until_counts("local-Outbox", Counts::default()).await;
    let reading = faulty.stack.meter().read();
    let row = reading.aws_total(|row| row.operation == "PutItem" && row.caller == "Probe");
    assert_eq!((row.requests, row.client_errors), (1, 1));
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_call_that_fails_or_is_cut_before_has_done_nothing() {
    for (fault, status) in [("fail_before", json!(500)), ("cut_before", Value::Null)] {
        let faulty = FaultyStack::start(&format!("[dynamodb.all]\n{fault} = 1")).await;
        assert_eq!(statuses(&faulty.call(json!([put("a")])).await), [&status]);
        assert!(!faulty.has("a").await);
        assert_eq!(faulty.injected(&format!("dynamodb.{fault}")), 1);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_has_taken_effect() {
    for (fault, status) in [("fail_after", json!(500)), ("cut_after", Value::Null)] {
        let faulty = FaultyStack::start(&format!("[dynamodb.all]\n{fault} = 1")).await;
        assert_eq!(statuses(&faulty.call(json!([put("a")])).await), [&status]);
        assert!(faulty.has("a").await);
        assert_eq!(faulty.injected(&format!("dynamodb.{fault}")), 1);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn calls_of_secrets_manager_fail_like_those_of_other_services() {
    for (fault, status, error, value) in [
        ("throttle", json!(400), json!("ThrottlingException"), "first"),
        ("fail_before", json!(500), json!("InternalServiceError"), "first"),
        ("fail_after", json!(500), json!("InternalServiceError"), "second"),
        ("cut_after", Value::Null, Value::Null, "second"),
    ] {
        let faulty = FaultyStack::start(&format!("[secretsmanager.PutSecretValue]\n{fault} = 1")).await;
        let put = json!({"SecretId": "local-Key", "SecretString": "second"});
        let put = json!({"service": "secretsmanager", "target": "secretsmanager.PutSecretValue", "body": put});
        let outcomes = faulty.call(json!([put])).await;
        assert_eq!(
            (&outcomes[0]["status"], &outcomes[0]["body"]["__type"]),
            (&status, &error),
            "{fault}"
        );
        let read = secrets(&faulty.stack, "GetSecretValue", json!({"SecretId": "local-Key"})).await;
        assert_eq!(read["SecretString"], value, "{fault}");
        assert_eq!(faulty.injected(&format!("secretsmanager.{fault}")), 1);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn a_delayed_call_takes_effect_even_if_its_process_is_dead() {
    let plan =
        "[processes]\nkill_after_ms = { rate = 1, ms = 300 }\n[dynamodb.all]\ndelay_before = { rate = 1, ms = 3000 }";
    let faulty = FaultyStack::start(plan).await;
    // The process may also be killed before its call, or its call may not wait for long. Then the
    // test tries again.
    for attempt in 0.. {
        assert!(attempt < 100, "no process is killed while its call waits");
        let (id, held) = (attempt.to_string(), faulty.injected("dynamodb.delay_before"));
        let killed = faulty.try_call(json!([put(&id)])).await.is_err();
        let was_held = faulty.injected("dynamodb.delay_before") > held;
        if killed && was_held && !faulty.has(&id).await {
            let done = async {
                while !faulty.has(&id).await {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            within(done).await;
            break;
        }
    }
    faulty.stack.stop().await;
}

#[tokio::test]
async fn statements_keys_and_entries_fail_one_by_one() {
    let faulty = FaultyStack::start("[dynamodb.all]\nentries = 0.5\n[sqs.all]\nentries = 0.5").await;
    let ids: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let insert = |id: &String| json!({"Statement": format!("INSERT INTO \"local-Items\" VALUE {{'id': '{id}'}}")});
    let statements: Vec<Value> = ids.iter().map(insert).collect();
    let keys: Vec<Value> = ids.iter().map(|id| json!({"id": {"S": id}})).collect();
    let entries: Vec<Value> = ids.iter().map(|id| json!({"Id": id, "MessageBody": id})).collect();
    let calls = json!([
        {"service": "dynamodb", "target": "DynamoDB_20120810.BatchExecuteStatement", "body": {"Statements": statements}},
        {"service": "dynamodb", "target": "DynamoDB_20120810.BatchGetItem",
         "body": {"RequestItems": {"local-Items": {"Keys": keys}}}},
        {"service": "sqs", "target": "AmazonSQS.SendMessageBatch",
         "body": {"QueueUrl": url("local-Outbox"), "Entries": entries}},
    ]);
    let outcomes = faulty.call(calls).await;
    assert_eq!(statuses(&outcomes), [200, 200, 200]);
    let length = |value: &Value| value.as_array().map_or(0, Vec::len);

    let responses = outcomes[0]["body"]["Responses"].as_array().unwrap();
    assert_eq!(responses.len(), 10);
    let mut stand = 0;
    for (id, response) in ids.iter().zip(responses) {
        let failed = response["Error"]["Code"] == "ThrottlingError";
        assert_ne!(faulty.has(id).await, failed, "{id}: {response}");
        stand += usize::from(!failed);
    }
    assert!((1..10).contains(&stand));

    let got = &outcomes[1]["body"];
    let unprocessed = length(&got["UnprocessedKeys"]["local-Items"]["Keys"]);
    assert!((1..10).contains(&unprocessed), "{got}");
    assert!(length(&got["Responses"]["local-Items"]) <= 10 - unprocessed);

    let sent = &outcomes[2]["body"];
    let (done, failed) = (length(&sent["Successful"]), length(&sent["Failed"]));
    assert!(done + failed == 10 && done > 0 && failed > 0, "{sent}");
    assert_eq!(sent["Failed"][0]["SenderFault"], false);
    assert_eq!(faulty.stack.sqs().counts("local-Outbox").unwrap().visible, done);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn calls_from_outside_are_spared() {
    let faulty = FaultyStack::start("[dynamodb.all]\nthrottle = 1").await;
    assert!(!faulty.has("a").await);
    let item = json!({"TableName": "local-Items", "Item": {"id": {"S": "a"}}});
    assert_eq!(dynamodb(&faulty.stack, "PutItem", item).await, json!({}));
    assert!(faulty.has("a").await);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn an_open_connection_is_reported_as_gone_or_busy() {
    for (fault, status) in [("gone", 410), ("throttle", 429), ("fail_after", 500)] {
        let mut faulty = FaultyStack::start(&format!("[connections.PostToConnection]\n{fault} = 1")).await;
        let (mut socket, id) = faulty.open_with_id().await;
        assert_eq!(statuses(&faulty.call(json!([post(&id, "first")])).await), [status]);
        faulty.stack.faults().pause();
        assert_eq!(statuses(&faulty.call(json!([post(&id, "second")])).await), [200]);
        let expected = if fault == "fail_after" { "first" } else { "second" };
        let frame = within(socket.next()).await.unwrap().unwrap();
        assert_eq!(frame.into_text().unwrap(), expected);
        assert_eq!(faulty.injected(&format!("connections.{fault}")), 1);
        faulty.stack.stop().await;
    }
}
