//! Creating, finding, changing and deleting queues.

use super::*;

#[tokio::test]
async fn queues_are_created_found_listed_changed_and_deleted() {
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
        SqsErrorCode::PurgeQueueInProgress
    );
    account.ok("DeleteQueue", json!({"QueueUrl": url("b")})).await;
    assert_eq!(
        account.code("DeleteQueue", json!({"QueueUrl": url("b")})).await,
        SqsErrorCode::QueueDoesNotExist
    );
}

#[tokio::test]
async fn a_dead_letter_queue_must_exist_have_the_same_type_and_allow_the_source() {
    let account = Account::new();
    account.create("dead.fifo", json!({"FifoQueue": "true"})).await;
    let closed = json!({"RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"#});
    account.create("closed", closed).await;
    for target in ["none", "dead.fifo", "closed"] {
        let request = json!({"QueueName": "q", "Attributes": redrive_to(target, 1)});
        assert_eq!(
            account.code("CreateQueue", request).await,
            SqsErrorCode::InvalidParameterValue,
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_queue_cannot_be_its_own_dead_letter_queue() {
    let account = Account::new();
    account.create("q", json!({})).await;
    let set = json!({"QueueUrl": url("q"), "Attributes": redrive_to("q", 1)});
    assert_eq!(
        account.code("SetQueueAttributes", set).await,
        SqsErrorCode::InvalidParameterValue
    );
}
