//! The queues as callers of the API see them, and after a restart.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/";

/// Queues, and the clock that they read.
struct Account {
    sqs: Sqs,
    clock: Arc<AtomicU64>,
}

impl Account {
    fn new() -> Self {
        Self::kept_in(None)
    }

    fn kept_in(file: Option<&Path>) -> Self {
        let clock = Arc::new(AtomicU64::new(1_000_000));
        Self {
            sqs: Self::open(file, &clock),
            clock,
        }
    }

    fn open(file: Option<&Path>, clock: &Arc<AtomicU64>) -> Sqs {
        let read = Arc::clone(clock);
        let clock: Clock = Arc::new(move || read.load(Ordering::Relaxed));
        Sqs::start(file, &[], "us-east-1", "http://127.0.0.1:1", clock).unwrap()
    }

    fn wait(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    async fn call(&self, operation: &str, body: Value) -> Result<Value, SqsError> {
        self.sqs
            .call(operation, body.to_string().as_bytes(), "sender")
            .await
            .result
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        self.call(operation, body).await.unwrap()
    }

    async fn code(&self, operation: &str, body: Value) -> Code {
        self.call(operation, body).await.unwrap_err().code
    }

    async fn create(&self, name: &str, attributes: Value) {
        let answer = self
            .ok("CreateQueue", json!({"QueueName": name, "Attributes": attributes}))
            .await;
        assert_eq!(answer["QueueUrl"], format!("http://127.0.0.1:1/000000000000/{name}"));
    }

    async fn send(&self, name: &str, body: &str) -> Value {
        self.ok("SendMessage", json!({"QueueUrl": url(name), "MessageBody": body}))
            .await
    }

    async fn receive(&self, name: &str) -> Vec<Value> {
        let request = json!({
            "QueueUrl": url(name), "MaxNumberOfMessages": 10,
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        let answer = self.ok("ReceiveMessage", request).await;
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }
}

fn url(name: &str) -> String {
    format!("{URL}{name}")
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn redrive_to(name: &str, max_receive_count: u32) -> Value {
    let policy = json!({"deadLetterTargetArn": arn(name), "maxReceiveCount": max_receive_count});
    json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "1"})
}

#[tokio::test]
async fn a_message_comes_with_what_was_asked_for() {
    let account = Account::new();
    account.create("q.fifo", json!({"FifoQueue": "true"})).await;
    let sent = account
        .ok(
            "SendMessage",
            json!({
                "QueueUrl": url("q.fifo"), "MessageBody": "Hello", "MessageGroupId": "g", "MessageDeduplicationId": "d",
                "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}, "b.c": {"DataType": "Number", "StringValue": "1"}},
                "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}},
            }),
        )
        .await;
    assert_eq!(sent["MD5OfMessageBody"], "8b1a9953c4611296a827abf8c47804d7");
    assert!(sent["MD5OfMessageSystemAttributes"].is_string());
    let request = json!({
        "QueueUrl": url("q.fifo"), "AttributeNames": ["SentTimestamp", "MessageGroupId"],
        "MessageSystemAttributeNames": ["SequenceNumber"], "MessageAttributeNames": ["b.*"], "VisibilityTimeout": 0,
    });
    let message = account.ok("ReceiveMessage", request).await["Messages"][0].clone();
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    let attributes =
        json!({"SentTimestamp": "1000000", "SequenceNumber": sent["SequenceNumber"], "MessageGroupId": "g"});
    assert_eq!(message["Attributes"], attributes);
    assert_eq!(
        message["MessageAttributes"],
        json!({"b.c": {"DataType": "Number", "StringValue": "1"}})
    );
    assert_ne!(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    let all = account.receive("q.fifo").await[0].clone();
    assert_eq!(all["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    assert_eq!(all["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(all["Attributes"]["MessageDeduplicationId"], "d");
    assert_eq!(all["Attributes"]["AWSTraceHeader"], "Root=1");
    assert_eq!(all["Attributes"]["SenderId"], "sender");
    assert_eq!(all["Attributes"]["ApproximateFirstReceiveTimestamp"], "1000000");
}

#[tokio::test]
async fn entries_of_a_batch_fail_for_themselves() {
    let account = Account::new();
    account.create("q", json!({})).await;
    let entries = json!([
        {"Id": "good", "MessageBody": "a"},
        {"Id": "bad", "MessageBody": "\u{0}"},
        {"Id": "late", "MessageBody": "a", "DelaySeconds": 901},
    ]);
    let answer = account
        .ok("SendMessageBatch", json!({"QueueUrl": url("q"), "Entries": entries}))
        .await;
    assert_eq!(answer["Successful"][0]["Id"], "good");
    let failed: Vec<_> = answer["Failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| (&failed["Id"], &failed["Code"]))
        .collect();
    assert_eq!(
        failed,
        [
            (&json!("bad"), &json!("InvalidMessageContents")),
            (&json!("late"), &json!("InvalidParameterValue"))
        ]
    );
    let handle = account.receive("q").await[0]["ReceiptHandle"].clone();
    let entries = json!([{"Id": "1", "ReceiptHandle": handle}, {"Id": "2", "ReceiptHandle": "junk"}]);
    let answer = account
        .ok("DeleteMessageBatch", json!({"QueueUrl": url("q"), "Entries": entries}))
        .await;
    assert_eq!(answer["Successful"], json!([{"Id": "1"}]));
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole_for_its_form() {
    let account = Account::new();
    account.create("q", json!({})).await;
    let entry = |id: &str, body: &str| json!({"Id": id, "MessageBody": body});
    let many: Vec<Value> = (0..11).map(|number| entry(&number.to_string(), "a")).collect();
    let half = "a".repeat(600_000);
    for (entries, code) in [
        (json!([]), Code::EmptyBatchRequest),
        (json!(many), Code::TooManyEntriesInBatchRequest),
        (
            json!([entry("a", "a"), entry("a", "b")]),
            Code::BatchEntryIdsNotDistinct,
        ),
        (json!([entry("a b", "a")]), Code::InvalidBatchEntryId),
        (json!([entry("a", &half), entry("b", &half)]), Code::BatchRequestTooLong),
    ] {
        let request = json!({"QueueUrl": url("q"), "Entries": entries});
        assert_eq!(account.code("SendMessageBatch", request).await, code);
    }
    assert!(account.receive("q").await.is_empty());
}

#[tokio::test]
async fn a_message_has_at_most_one_mebibyte() {
    let account = Account::new();
    account.create("q", json!({})).await;
    account.send("q", &"a".repeat(MESSAGE_LIMIT_BYTES)).await;
    let request = json!({"QueueUrl": url("q"), "MessageBody": "a".repeat(MESSAGE_LIMIT_BYTES + 1)});
    assert_eq!(account.code("SendMessage", request).await, Code::InvalidParameterValue);
}

#[tokio::test]
async fn bad_requests_get_the_errors_of_sqs() {
    let account = Account::new();
    account.create("q", json!({})).await;
    for (operation, request, code) in [
        (
            "SendMessage",
            json!({"QueueUrl": url("none"), "MessageBody": "a"}),
            Code::QueueDoesNotExist,
        ),
        ("SendMessage", json!({"MessageBody": "a"}), Code::MissingParameter),
        (
            "SendMessage",
            json!({"QueueUrl": "q", "MessageBody": "a"}),
            Code::InvalidAddress,
        ),
        ("SendMessage", json!({"QueueUrl": url("q")}), Code::MissingParameter),
        (
            "SendMessage",
            json!({"QueueUrl": url("q"), "MessageBody": 1}),
            Code::Serialization,
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url("q"), "MaxNumberOfMessages": 11}),
            Code::InvalidParameterValue,
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url("q"), "WaitTimeSeconds": 21}),
            Code::InvalidParameterValue,
        ),
        (
            "DeleteMessage",
            json!({"QueueUrl": url("q"), "ReceiptHandle": "x"}),
            Code::ReceiptHandleIsInvalid,
        ),
        ("GetQueueUrl", json!({"QueueName": "none"}), Code::QueueDoesNotExist),
        (
            "GetQueueAttributes",
            json!({"QueueUrl": url("q"), "AttributeNames": ["Size"]}),
            Code::InvalidAttributeName,
        ),
        (
            "CreateQueue",
            json!({"QueueName": "q", "Attributes": {"DelaySeconds": "1"}}),
            Code::QueueNameExists,
        ),
        ("TagQueue", json!({}), Code::InvalidAction),
    ] {
        assert_eq!(account.code(operation, request).await, code, "{operation}");
    }
}

#[tokio::test]
async fn a_member_that_is_null_is_as_good_as_none() {
    let account = Account::new();
    account.create("q", json!({"DelaySeconds": null})).await;
    let request = json!({
        "QueueUrl": url("q"), "MessageBody": "a", "DelaySeconds": null, "MessageAttributes": null,
        "MessageSystemAttributes": {"AWSTraceHeader": null}, "MessageGroupId": null,
    });
    account.ok("SendMessage", request).await;
    let entries = json!([{"Id": "1", "MessageBody": "b", "MessageAttributes": null}]);
    account
        .ok("SendMessageBatch", json!({"QueueUrl": url("q"), "Entries": entries}))
        .await;
    let request =
        json!({"QueueUrl": url("q"), "AttributeNames": null, "WaitTimeSeconds": null, "MaxNumberOfMessages": 10});
    assert_eq!(
        account.ok("ReceiveMessage", request).await["Messages"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        account
            .code("SendMessage", json!({"QueueUrl": url("q"), "MessageBody": null}))
            .await,
        Code::MissingParameter
    );
}

#[tokio::test]
async fn queues_are_made_found_listed_set_and_deleted() {
    let account = Account::new();
    for name in ["a1", "a2", "b"] {
        account.create(name, json!({})).await;
    }
    account.create("a1", json!({})).await;
    let local = |name: &str| format!("http://127.0.0.1:1/000000000000/{name}");
    let found = account.ok("GetQueueUrl", json!({"QueueName": "b"})).await;
    assert_eq!(found["QueueUrl"], local("b"));
    let page = account
        .ok("ListQueues", json!({"QueueNamePrefix": "a", "MaxResults": 1}))
        .await;
    assert_eq!(page["QueueUrls"], json!([local("a1")]));
    let rest = account
        .ok(
            "ListQueues",
            json!({"QueueNamePrefix": "a", "NextToken": page["NextToken"]}),
        )
        .await;
    assert_eq!(rest, json!({"QueueUrls": [local("a2")]}));
    let set = json!({"QueueUrl": url("b"), "Attributes": {"VisibilityTimeout": "7"}});
    account.ok("SetQueueAttributes", set).await;
    account.send("b", "a").await;
    let names = ["VisibilityTimeout", "ApproximateNumberOfMessages", "QueueArn"];
    let shown = account
        .ok(
            "GetQueueAttributes",
            json!({"QueueUrl": url("b"), "AttributeNames": names}),
        )
        .await;
    let expected = json!({"ApproximateNumberOfMessages": "1", "QueueArn": arn("b"), "VisibilityTimeout": "7"});
    assert_eq!(shown["Attributes"], expected);
    account.ok("PurgeQueue", json!({"QueueUrl": url("b")})).await;
    assert!(account.receive("b").await.is_empty());
    assert_eq!(
        account.code("PurgeQueue", json!({"QueueUrl": url("b")})).await,
        Code::PurgeQueueInProgress
    );
    account.ok("DeleteQueue", json!({"QueueUrl": url("b")})).await;
    assert_eq!(
        account.code("DeleteQueue", json!({"QueueUrl": url("b")})).await,
        Code::QueueDoesNotExist
    );
}

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
async fn a_move_keeps_to_its_rate_and_can_be_cancelled() {
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
        Code::InvalidParameterValue
    );
    account.wait(1);
    let cancelled = account.ok("CancelMessageMoveTask", json!({"TaskHandle": handle})).await;
    assert_eq!(cancelled, json!({"ApproximateNumberOfMessagesMoved": 2}));
    assert_eq!(
        account
            .code("CancelMessageMoveTask", json!({"TaskHandle": handle}))
            .await,
        Code::UnsupportedOperation
    );
    account.wait(9);
    assert_eq!(account.receive("dead").await.len(), 1);
}

#[tokio::test]
async fn a_move_without_a_destination_fails_on_a_message_that_came_from_nowhere() {
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
async fn a_dead_letter_queue_must_exist_be_of_the_same_kind_and_want_the_source() {
    let account = Account::new();
    account.create("dead.fifo", json!({"FifoQueue": "true"})).await;
    let closed = json!({"RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"#});
    account.create("closed", closed).await;
    for target in ["none", "dead.fifo", "closed"] {
        let request = json!({"QueueName": "q", "Attributes": redrive_to(target, 1)});
        assert_eq!(
            account.code("CreateQueue", request).await,
            Code::InvalidParameterValue,
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_fifo_queue_without_high_throughput_takes_300_sends_in_a_second() {
    let account = Account::new();
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    account.create("q.fifo", attributes).await;
    let request =
        |body: u32| json!({"QueueUrl": url("q.fifo"), "MessageBody": body.to_string(), "MessageGroupId": "g"});
    for body in 0..300 {
        account.ok("SendMessage", request(body)).await;
    }
    assert_eq!(account.code("SendMessage", request(300)).await, Code::RequestThrottled);
    account.wait(1);
    account.ok("SendMessage", request(300)).await;
}

#[tokio::test]
async fn a_receive_waits_for_a_message_or_for_its_time() {
    let account = Account::new();
    account.create("q", json!({})).await;
    let receive = |wait| Receive {
        max: 1,
        wait: Some(wait),
        ..Receive::default()
    };
    let received = account.sqs.receive("q", receive(Duration::from_millis(1))).await;
    assert_eq!(received, Ok(Vec::new()));
    let waiting = account.sqs.receive("q", receive(Duration::from_hours(1)));
    let (received, _) = tokio::join!(waiting, account.send("q", "a"));
    assert_eq!(received.unwrap().len(), 1);
}

#[tokio::test]
async fn a_receive_sees_a_message_whose_timeout_ends_while_it_waits() {
    let began = Instant::now();
    let clock: Clock = Arc::new(move || u64::try_from(began.elapsed().as_millis()).unwrap());
    let account = Account {
        sqs: Sqs::start(None, &[], "us-east-1", "http://127.0.0.1:1", clock).unwrap(),
        clock: Arc::default(),
    };
    account.create("q", json!({"VisibilityTimeout": "1"})).await;
    account.send("q", "a").await;
    let receive = Receive {
        max: 1,
        wait: Some(Duration::from_hours(1)),
        ..Receive::default()
    };
    for receives in 1..=2 {
        let received = account.sqs.receive("q", receive).await.unwrap();
        assert_eq!(received[0].delivery.receives, receives);
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
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
        Code::QueueDoesNotExist
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
async fn a_journal_does_not_grow_without_end() {
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
async fn a_move_goes_on_after_a_restart_and_the_latest_ten_are_known() {
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
async fn a_move_is_between_queues_of_one_kind() {
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
            Code::InvalidParameterValue
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

#[tokio::test]
async fn a_queue_is_not_its_own_dead_letter_queue() {
    let account = Account::new();
    account.create("q", json!({})).await;
    let set = json!({"QueueUrl": url("q"), "Attributes": redrive_to("q", 1)});
    assert_eq!(
        account.code("SetQueueAttributes", set).await,
        Code::InvalidParameterValue
    );
}

#[tokio::test]
async fn a_pause_after_a_purge_is_kept() {
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
            Code::PurgeQueueInProgress
        );
        assert_eq!(account.sqs.counts("q").unwrap().visible, 1);
    }
    account.wait(60);
    account.ok("PurgeQueue", purge).await;
}

/// Fills the queue up to its limit: this many messages of one group are in flight, for a minute.
async fn fill(account: &Account, name: &str, count: u64) {
    let sent = json!({
        "QueueUrl": url(name), "MessageBody": "a", "MessageGroupId": "full", "MessageDeduplicationId": "a",
    });
    let request = if name.ends_with(FIFO_SUFFIX) {
        sent
    } else {
        json!({"QueueUrl": url(name), "MessageBody": "a"})
    };
    account.ok("SendMessage", request).await;
    let mut state = account.sqs.state();
    let queue = state.queues.queue_mut(name).unwrap();
    let first = queue.first_visible(1_000_000).unwrap().clone();
    for position in 1..=count {
        let mut message = Message {
            position,
            ..first.clone()
        };
        message.delivery = Delivery {
            available_ms: 1_060_000,
            receives: 1,
            ..Delivery::default()
        };
        queue.apply(&Change::Added(Box::new(message)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_of_a_queue_with_120000_in_flight_is_refused_when_short_and_waits_when_long() {
    let account = Account::new();
    account.create("q", json!({})).await;
    fill(&account, "q", 120_000).await;
    account.send("q", "late").await;
    assert_eq!(
        account.code("ReceiveMessage", json!({"QueueUrl": url("q")})).await,
        Code::OverLimit
    );
    let long = json!({"QueueUrl": url("q"), "WaitTimeSeconds": 20});
    assert_eq!(account.ok("ReceiveMessage", long.clone()).await, json!({}));
    assert!(!account.sqs.has_next("q", Duration::ZERO).await.unwrap());
    account
        .sqs
        .state()
        .queues
        .queue_mut("q")
        .unwrap()
        .apply(&Change::Removed(1));
    assert!(account.sqs.has_next("q", Duration::ZERO).await.unwrap());
    assert_eq!(account.ok("ReceiveMessage", long).await["Messages"][0]["Body"], "late");
}

#[tokio::test]
async fn a_fifo_queue_looks_through_120000_messages_for_a_free_group() {
    for (ahead, found) in [(119_998, 1), (120_000, 0)] {
        let account = Account::new();
        account.create("q.fifo", json!({"FifoQueue": "true"})).await;
        fill(&account, "q.fifo", ahead).await;
        let late = json!({
            "QueueUrl": url("q.fifo"), "MessageBody": "late", "MessageGroupId": "free", "MessageDeduplicationId": "late",
        });
        account.ok("SendMessage", late).await;
        assert_eq!(
            account.sqs.has_next("q.fifo", Duration::ZERO).await.unwrap(),
            found == 1
        );
        assert_eq!(account.receive("q.fifo").await.len(), found, "behind {ahead}");
    }
}

#[tokio::test]
async fn what_is_put_back_was_never_received() {
    let account = Account::new();
    account.create("q", json!({})).await;
    account.send("q", "a").await;
    let receive = Receive {
        max: 1,
        ..Receive::default()
    };
    let received = account.sqs.receive("q", receive).await.unwrap();
    account.sqs.put_back("q", &received);
    let again = account.sqs.receive("q", receive).await.unwrap();
    assert_eq!(again, received);
    account.sqs.put_back(
        "q",
        &[
            Message {
                position: 7,
                ..again[0].clone()
            },
            again[0].clone(),
        ],
    );
    assert_eq!(account.sqs.counts("q").unwrap().visible, 1);
}

#[tokio::test]
async fn a_release_goes_on_past_a_message_that_is_gone() {
    let account = Account::new();
    account.create("q", json!({})).await;
    account.send("q", "a").await;
    account.send("q", "b").await;
    let received = account.receive("q").await;
    let handles: Vec<String> = received
        .iter()
        .map(|message| message["ReceiptHandle"].as_str().unwrap().to_owned())
        .collect();
    account
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": url("q"), "ReceiptHandle": handles[0]}),
        )
        .await;
    account.sqs.release("q", &handles);
    assert_eq!(account.sqs.counts("q").unwrap().visible, 1);
}
