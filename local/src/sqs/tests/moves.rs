//! Dead-letter queues, and message move tasks.

use super::*;

#[tokio::test]
async fn a_message_goes_to_the_dead_letter_queue_and_back() {
    let account = Account::new();
    account.create("dead", json!({})).await;
    account.create("q", redrive_to("dead", 1)).await;
    let sources = account
        .ok("ListDeadLetterSourceQueues", json!({"QueueUrl": url("dead")}))
        .await;
    assert_eq!(sources["queueUrls"].as_array().unwrap().len(), 1);
    let sent = account.send("q", "a").await;
    assert_eq!(account.receive("q").await.len(), 1);
    account.wait(1);
    assert!(account.receive("q").await.is_empty());
    let dead = account.receive("dead").await;
    assert_eq!(dead[0]["MessageId"], sent["MessageId"]);
    assert_eq!(dead[0]["Attributes"]["DeadLetterQueueSourceArn"], arn("q"));
    assert_eq!(dead[0]["Attributes"]["SentTimestamp"], "1000000");
    account.wait(30);
    account
        .ok("StartMessageMoveTask", json!({"SourceArn": arn("dead")}))
        .await;
    let tasks = account
        .ok("ListMessageMoveTasks", json!({"SourceArn": arn("dead")}))
        .await;
    assert_eq!(tasks["Results"][0]["Status"], "COMPLETED");
    assert_eq!(tasks["Results"][0]["ApproximateNumberOfMessagesMoved"], 1);
    let back = account.receive("q").await;
    assert_eq!(back[0]["Body"], "a");
    assert_ne!(back[0]["MessageId"], sent["MessageId"]);
    assert_eq!(back[0]["Attributes"]["ApproximateReceiveCount"], "1");
}

#[tokio::test]
async fn a_move_respects_its_rate_and_can_be_cancelled() {
    let account = Account::new();
    account.create("dead", json!({})).await;
    account.create("q", redrive_to("dead", 1)).await;
    account.create("other", json!({})).await;
    for body in ["a", "b", "c"] {
        account.send("dead", body).await;
    }
    let start = json!({"SourceArn": arn("dead"), "DestinationArn": arn("other"), "MaxNumberOfMessagesPerSecond": 1});
    let handle = account.ok("StartMessageMoveTask", start.clone()).await["TaskHandle"].clone();
    assert_eq!(account.receive("other").await.len(), 1);
    assert_eq!(
        account.code("StartMessageMoveTask", start).await,
        SqsErrorCode::InvalidParameterValue
    );
    account.wait(1);
    let cancelled = account.ok("CancelMessageMoveTask", json!({"TaskHandle": handle})).await;
    assert_eq!(cancelled, json!({"ApproximateNumberOfMessagesMoved": 2}));
    assert_eq!(
        account
            .code("CancelMessageMoveTask", json!({"TaskHandle": handle}))
            .await,
        SqsErrorCode::UnsupportedOperation
    );
    account.wait(9);
    assert_eq!(account.receive("dead").await.len(), 1);
}

#[tokio::test]
async fn a_move_without_a_destination_fails_on_a_message_without_a_source() {
    let account = Account::new();
    account.create("dead", json!({})).await;
    account.create("q", redrive_to("dead", 1)).await;
    account.send("dead", "a").await;
    account
        .ok("StartMessageMoveTask", json!({"SourceArn": arn("dead")}))
        .await;
    let tasks = account
        .ok("ListMessageMoveTasks", json!({"SourceArn": arn("dead")}))
        .await;
    assert_eq!(tasks["Results"][0]["FailureReason"], "CouldNotDetermineMessageSource");
    assert_eq!(account.receive("dead").await.len(), 1);
}

#[tokio::test]
async fn a_move_needs_two_queues_of_the_same_type() {
    let account = Account::new();
    for (dead, source, kind) in [
        ("dead", "q", json!({})),
        ("dead.fifo", "q.fifo", json!({"FifoQueue": "true"})),
    ] {
        account.create(dead, kind.clone()).await;
        let mut attributes = redrive_to(dead, 1);
        attributes
            .as_object_mut()
            .unwrap()
            .extend(kind.as_object().unwrap().clone());
        account.create(source, attributes).await;
    }
    for (from, to) in [("dead", "q.fifo"), ("dead.fifo", "q")] {
        let start = json!({"SourceArn": arn(from), "DestinationArn": arn(to)});
        assert_eq!(
            account.code("StartMessageMoveTask", start).await,
            SqsErrorCode::InvalidParameterValue
        );
    }
    let start = json!({"SourceArn": arn("dead.fifo"), "DestinationArn": arn("q.fifo")});
    account.ok("StartMessageMoveTask", start).await;
}

#[tokio::test]
async fn in_a_fifo_dead_letter_queue_the_id_is_the_deduplication_id_and_a_move_keeps_order() {
    let account = Account::new();
    account.create("dead.fifo", json!({"FifoQueue": "true"})).await;
    let mut attributes = redrive_to("dead.fifo", 1);
    attributes["FifoQueue"] = json!("true");
    account.create("q.fifo", attributes).await;
    let mut ids = Vec::new();
    for (group, body) in [("g", "1"), ("g", "2"), ("h", "3")] {
        let request = json!({
            "QueueUrl": url("q.fifo"), "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body,
        });
        ids.push(account.ok("SendMessage", request).await["MessageId"].clone());
    }
    assert_eq!(account.receive("q.fifo").await.len(), 3);
    account.wait(1);
    assert!(account.receive("q.fifo").await.is_empty());
    let front = account
        .ok(
            "ReceiveMessage",
            json!({"QueueUrl": url("dead.fifo"), "AttributeNames": ["All"]}),
        )
        .await;
    let front = &front["Messages"][0];
    assert_eq!((&front["Body"], &front["MessageId"]), (&json!("1"), &ids[0]));
    assert_eq!(front["Attributes"]["MessageDeduplicationId"], ids[0]);

    // "1" is in flight, so "2" must not overtake it.
    let start = json!({"SourceArn": arn("dead.fifo")});
    account.ok("StartMessageMoveTask", start.clone()).await;
    assert_eq!(account.receive("q.fifo").await[0]["Body"], "3");
    let tasks = account.ok("ListMessageMoveTasks", start.clone()).await;
    assert_eq!(tasks["Results"][0]["Status"], "COMPLETED");
    assert_eq!(tasks["Results"][0]["ApproximateNumberOfMessagesMoved"], 1);
    account.wait(30);
    account.ok("StartMessageMoveTask", start).await;
    let back = account.receive("q.fifo").await;
    assert_eq!(
        back.iter().map(|message| &message["Body"]).collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert_ne!(back[0]["MessageId"], ids[0]);
    assert_eq!(back[0]["Attributes"]["MessageDeduplicationId"], ids[0]);
}
