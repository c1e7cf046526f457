//! Sending, receiving and deleting messages.

use super::*;

#[tokio::test]
async fn a_receive_returns_the_attributes_that_were_asked_for() {
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
async fn entries_of_a_batch_fail_independently() {
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
async fn a_malformed_batch_is_refused_as_a_whole() {
    let account = Account::new();
    account.create("q", json!({})).await;
    let entry = |id: &str, body: &str| json!({"Id": id, "MessageBody": body});
    let many: Vec<Value> = (0..11).map(|number| entry(&number.to_string(), "a")).collect();
    let half = "a".repeat(600_000);
    for (entries, code) in [
        (json!([]), SqsErrorCode::EmptyBatchRequest),
        (json!(many), SqsErrorCode::TooManyEntriesInBatchRequest),
        (
            json!([entry("a", "a"), entry("a", "b")]),
            SqsErrorCode::BatchEntryIdsNotDistinct,
        ),
        (json!([entry("a b", "a")]), SqsErrorCode::InvalidBatchEntryId),
        (
            json!([entry("a", &half), entry("b", &half)]),
            SqsErrorCode::BatchRequestTooLong,
        ),
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
    assert_eq!(
        account.code("SendMessage", request).await,
        SqsErrorCode::InvalidParameterValue
    );
}

#[tokio::test]
async fn bad_requests_get_the_errors_of_sqs() {
    let account = Account::new();
    account.create("q", json!({})).await;
    for (operation, request, code) in [
        (
            "SendMessage",
            json!({"QueueUrl": url("none"), "MessageBody": "a"}),
            SqsErrorCode::QueueDoesNotExist,
        ),
        (
            "SendMessage",
            json!({"MessageBody": "a"}),
            SqsErrorCode::MissingParameter,
        ),
        (
            "SendMessage",
            json!({"QueueUrl": "q", "MessageBody": "a"}),
            SqsErrorCode::InvalidAddress,
        ),
        (
            "SendMessage",
            json!({"QueueUrl": url("q")}),
            SqsErrorCode::MissingParameter,
        ),
        (
            "SendMessage",
            json!({"QueueUrl": url("q"), "MessageBody": 1}),
            SqsErrorCode::Serialization,
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url("q"), "MaxNumberOfMessages": 11}),
            SqsErrorCode::InvalidParameterValue,
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url("q"), "WaitTimeSeconds": 21}),
            SqsErrorCode::InvalidParameterValue,
        ),
        (
            "DeleteMessage",
            json!({"QueueUrl": url("q"), "ReceiptHandle": "x"}),
            SqsErrorCode::ReceiptHandleIsInvalid,
        ),
        (
            "GetQueueUrl",
            json!({"QueueName": "none"}),
            SqsErrorCode::QueueDoesNotExist,
        ),
        (
            "GetQueueAttributes",
            json!({"QueueUrl": url("q"), "AttributeNames": ["Size"]}),
            SqsErrorCode::InvalidAttributeName,
        ),
        (
            "CreateQueue",
            json!({"QueueName": "q", "Attributes": {"DelaySeconds": "1"}}),
            SqsErrorCode::QueueNameExists,
        ),
        ("TagQueue", json!({}), SqsErrorCode::InvalidAction),
    ] {
        assert_eq!(account.code(operation, request).await, code, "{operation}");
    }
}

#[tokio::test]
async fn a_null_member_counts_as_missing() {
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
        SqsErrorCode::MissingParameter
    );
}

#[tokio::test]
async fn a_message_that_is_put_back_counts_as_never_received() {
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
async fn a_release_skips_messages_that_are_gone() {
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
