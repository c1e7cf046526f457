//! Limits of throughput and of messages in flight.

use super::*;

#[tokio::test]
async fn a_fifo_queue_without_high_throughput_accepts_300_sends_per_second() {
    let account = Account::new();
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    account.create("q.fifo", attributes).await;
    let request =
        |body: u32| json!({"QueueUrl": url("q.fifo"), "MessageBody": body.to_string(), "MessageGroupId": "g"});
    for body in 0..300 {
        account.ok("SendMessage", request(body)).await;
    }
    assert_eq!(
        account.code("SendMessage", request(300)).await,
        SqsErrorCode::RequestThrottled
    );
    account.wait(1);
    account.ok("SendMessage", request(300)).await;
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
async fn with_120000_messages_in_flight_a_short_poll_is_refused_and_a_long_poll_waits() {
    let account = Account::new();
    account.create("q", json!({})).await;
    fill(&account, "q", 120_000).await;
    account.send("q", "late").await;
    assert_eq!(
        account.code("ReceiveMessage", json!({"QueueUrl": url("q")})).await,
        SqsErrorCode::OverLimit
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
async fn a_fifo_queue_searches_120000_messages_for_a_free_group() {
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
