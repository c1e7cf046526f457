//! Receives that wait for a message.

use super::*;

#[tokio::test]
async fn a_receive_waits_for_a_message_or_until_its_time_is_over() {
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
