//! What is left after a restart.

use super::*;

#[tokio::test]
async fn answered_calls_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sqs.journal");
    let mut account = Account::kept_in(Some(&file));
    account
        .create(
            "q.fifo",
            json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"}),
        )
        .await;
    account.create("gone", json!({})).await;
    account.ok("DeleteQueue", json!({"QueueUrl": url("gone")})).await;
    let send = |body: &str| json!({"QueueUrl": url("q.fifo"), "MessageBody": body, "MessageGroupId": "g"});
    let first = account.ok("SendMessage", send("a")).await;
    account.ok("SendMessage", send("b")).await;
    let request = json!({"QueueUrl": url("q.fifo")});
    let handle = account.ok("ReceiveMessage", request.clone()).await["Messages"][0]["ReceiptHandle"].clone();

    // A crash in the middle of a line: its changes did not happen.
    let kept = std::fs::read(&file).unwrap();
    std::fs::write(&file, [&kept[..], br#"[{"Changed":["q.fifo",[{"Rem"#].concat()).unwrap();
    account.sqs = Account::open(Some(&file), &account.clock);

    assert!(account.receive("q.fifo").await.is_empty());
    account
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": url("q.fifo"), "ReceiptHandle": handle}),
        )
        .await;
    assert_eq!(
        account.ok("SendMessage", send("a")).await["MessageId"],
        first["MessageId"]
    );
    assert_eq!(account.receive("q.fifo").await[0]["Body"], "b");
    assert_eq!(
        account.code("GetQueueUrl", json!({"QueueName": "gone"})).await,
        SqsErrorCode::QueueDoesNotExist
    );
    account.sqs = Account::open(Some(&file), &account.clock);
    assert!(account.receive("q.fifo").await.is_empty());
    account.wait(30);
    assert_eq!(
        account.receive("q.fifo").await[0]["Attributes"]["ApproximateReceiveCount"],
        "2"
    );
}

#[tokio::test]
async fn the_journal_does_not_grow_without_limit() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sqs.journal");
    let account = Account::kept_in(Some(&file));
    account.create("q", json!({})).await;
    let body = "a".repeat(500_000);
    for _ in 0..20 {
        account.send("q", &body).await;
        let handle = account.receive("q").await[0]["ReceiptHandle"].clone();
        account
            .ok("DeleteMessage", json!({"QueueUrl": url("q"), "ReceiptHandle": handle}))
            .await;
    }
    assert!(std::fs::metadata(&file).unwrap().len() < 4_000_000);
}

#[tokio::test]
async fn a_move_continues_after_a_restart_and_the_latest_ten_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sqs.journal");
    let mut account = Account::kept_in(Some(&file));
    account.create("dead", json!({})).await;
    account.create("q", redrive_to("dead", 1)).await;
    account.create("other", json!({})).await;
    let start = json!({"SourceArn": arn("dead"), "DestinationArn": arn("other")});
    for _ in 0..11 {
        account.ok("StartMessageMoveTask", start.clone()).await;
    }
    for body in ["a", "b", "c"] {
        account.send("dead", body).await;
    }
    let slow = json!({"SourceArn": arn("dead"), "DestinationArn": arn("other"), "MaxNumberOfMessagesPerSecond": 1});
    let handle = account.ok("StartMessageMoveTask", slow).await["TaskHandle"].clone();

    for _ in 0..2 {
        account.sqs = Account::open(Some(&file), &account.clock);
    }
    let list = json!({"SourceArn": arn("dead"), "MaxResults": 10});
    let tasks = account.ok("ListMessageMoveTasks", list.clone()).await["Results"].clone();
    assert_eq!(tasks.as_array().unwrap().len(), 10);
    assert_eq!(tasks[0]["TaskHandle"], handle);
    assert_eq!(tasks[0]["ApproximateNumberOfMessagesMoved"], 1);
    assert_eq!(tasks[1]["Status"], "COMPLETED");
    account.wait(2);
    let moved = async {
        while account.sqs.counts("other").unwrap().visible < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), moved).await.unwrap();
    let tasks = account.ok("ListMessageMoveTasks", list).await["Results"].clone();
    assert_eq!(tasks[0]["Status"], "COMPLETED");
}

#[tokio::test]
async fn the_pause_after_a_purge_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sqs.journal");
    let mut account = Account::kept_in(Some(&file));
    account.create("q", json!({})).await;
    account.send("q", "before").await;
    let purge = json!({"QueueUrl": url("q")});
    account.ok("PurgeQueue", purge.clone()).await;
    account.send("q", "after").await;
    for _ in 0..2 {
        account.sqs = Account::open(Some(&file), &account.clock);
        assert_eq!(
            account.code("PurgeQueue", purge.clone()).await,
            SqsErrorCode::PurgeQueueInProgress
        );
        assert_eq!(account.sqs.counts("q").unwrap().visible, 1);
    }
    account.wait(60);
    account.ok("PurgeQueue", purge).await;
}
