//! Messages of queues that come twice, again or late.

use std::time::Duration;

use serde_json::{Value, json};
use wigwag_local::sqs::Counts;

use super::{FaultyStack, within};

#[tokio::test]
async fn a_message_comes_to_two_functions_at_once() {
    for (queue, group) in [("local-Work", None), ("local-Ordered.fifo", Some("g"))] {
        let mut faulty = FaultyStack::start("[messages]\ntwice = { rate = 1, ms = 0 }").await;
        let directory = tempfile::tempdir().unwrap();
        let gate = directory.path().join("gate");
        faulty.send(queue, group, &json!({"wait_for": gate})).await;
        let first = faulty.event("Worker").await;
        let second = faulty.event("Worker").await;
        let record = |event: &Value, name: &str| event["Records"][0][name].clone();
        assert_eq!(record(&first, "messageId"), record(&second, "messageId"));
        assert_ne!(record(&first, "receiptHandle"), record(&second, "receiptHandle"));
        faulty.stack.faults().pause();
        std::fs::write(gate, "").unwrap();
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn a_finished_message_comes_again() {
    let mut faulty = FaultyStack::start("[messages]\nagain = 1").await;
    faulty.send("local-Soon", None, &json!({})).await;
    let first = faulty.event("SoonWorker").await;
    let second = faulty.event("SoonWorker").await;
    let id = |event: &Value| event["Records"][0]["messageId"].clone();
    assert_eq!(id(&first), id(&second));
    faulty.stack.faults().pause();
    faulty.until_counts("local-Soon", Counts::default()).await;
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_group_that_is_late_is_overtaken_by_others_and_keeps_its_own_order() {
    const GROUPS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const QUEUE: &str = "local-Ordered.fifo";
    let mut faulty = FaultyStack::start("[messages]\nlate = { rate = 0.5, ms = 900000 }").await;
    for group in GROUPS {
        faulty
            .send(QUEUE, Some(group), &json!({"print": [format!("first of {group}")]}))
            .await;
        // The message is either held back or done.
        let settled = async {
            loop {
                let late = usize::try_from(faulty.injected("messages.late")).unwrap();
                let counts = faulty.stack.sqs().counts(QUEUE).unwrap();
                if (counts.visible, counts.in_flight) == (0, late) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(settled).await;
    }
    assert!((1..8).contains(&faulty.injected("messages.late")));
    for group in GROUPS {
        faulty
            .send(QUEUE, Some(group), &json!({"print": [format!("second of {group}")]}))
            .await;
    }
    faulty.stack.faults().pause();
    let mut came: Vec<(String, String)> = Vec::new();
    while came.len() < 2 * GROUPS.len() {
        let event = faulty.event("Worker").await;
        came.extend(event["Records"].as_array().unwrap().iter().map(|record| {
            let group = record["attributes"]["MessageGroupId"].as_str().unwrap();
            (group.to_owned(), record["body"].as_str().unwrap().to_owned())
        }));
    }
    let firsts: Vec<&String> = came
        .iter()
        .filter(|(_, body)| body.contains("first"))
        .map(|(group, _)| group)
        .collect();
    assert!(!firsts.is_sorted(), "{firsts:?}");
    for group in GROUPS {
        let of_group: Vec<&String> = came.iter().filter(|one| one.0 == group).map(|(_, body)| body).collect();
        assert!(of_group.len() == 2 && of_group.is_sorted(), "{of_group:?}");
    }
    faulty.stack.stop().await;
}
