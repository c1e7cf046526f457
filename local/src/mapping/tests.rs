//! Whole mappings, with functions that only take time, and a clock that moves only when nothing
//! else can.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::*;
use crate::lambda::InvokeError;
use crate::sqs::{Clock, Counts};
use crate::template::model;

/// A function that takes a fixed time for each batch.
#[derive(Debug, Clone)]
struct Worker {
    takes: Duration,
    slots: Arc<Semaphore>,
    seen: Arc<Mutex<Seen>>,
}

/// What the function has seen.
#[derive(Debug, Default)]
struct Seen {
    /// Groups in a running batch.
    at_work: BTreeSet<String>,
    running: usize,
    most_at_once: usize,
    /// Group and body of each finished message, in order.
    done: Vec<(String, String)>,
    /// What must not happen, but did.
    wrong: Vec<String>,
}

impl Worker {
    fn begin(&self, records: &[Value]) -> Vec<(String, String)> {
        let mut seen = self.seen.lock().unwrap();
        seen.running += 1;
        seen.most_at_once = seen.most_at_once.max(seen.running);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let batch: Vec<(String, String)> = records
            .iter()
            .map(|record| (text(&record["attributes"]["MessageGroupId"]), text(&record["body"])))
            .collect();
        for (record, (_, body)) in records.iter().zip(&batch) {
            if record["attributes"]["ApproximateReceiveCount"] != "1" {
                seen.wrong.push(format!("{body} was received before"));
            }
        }
        for group in groups_of(&batch) {
            if !seen.at_work.insert(group.clone()) {
                seen.wrong.push(format!("group {group} is with two workers"));
            }
        }
        batch
    }

    fn end(&self, batch: Vec<(String, String)>) {
        let mut seen = self.seen.lock().unwrap();
        seen.running -= 1;
        for group in groups_of(&batch) {
            seen.at_work.remove(&group);
        }
        seen.done.extend(batch);
    }
}

/// The groups of FIFO messages.
fn groups_of(batch: &[(String, String)]) -> BTreeSet<String> {
    batch
        .iter()
        .map(|(group, _)| group.clone())
        .filter(|group| !group.is_empty())
        .collect()
}

impl Invoke for Worker {
    type Slot = OwnedSemaphorePermit;

    async fn slot(&self, _: &str) -> Result<OwnedSemaphorePermit, InvokeError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        slot.map_err(|_| InvokeError::Stopping)
    }

    async fn invoke_in(&self, _slot: OwnedSemaphorePermit, _: &str, event: &Value) -> Result<Value, InvokeError> {
        let batch = self.begin(event["Records"].as_array().unwrap());
        tokio::time::sleep(self.takes).await;
        self.end(batch);
        Ok(json!({"batchItemFailures": []}))
    }
}

/// The messages to process, and the workers for them.
#[derive(Debug, Clone)]
struct Scenario {
    is_fifo: bool,
    /// The number of messages in each group.
    groups: Vec<usize>,
    takes: Duration,
    slots: usize,
    batch_size: usize,
    window_s: u32,
}

/// How long received messages stay hidden, in seconds.
const VISIBILITY_S: u64 = 30;

/// Processes all messages. Returns what was seen, and how long it took.
async fn work_off(case: &Scenario) -> (Seen, Duration) {
    let began = Instant::now();
    let clock: Clock = Arc::new(move || 1_000_000 + u64::try_from(began.elapsed().as_millis()).unwrap());
    let name = if case.is_fifo { "q.fifo" } else { "q" };
    let mut attributes = vec![("VisibilityTimeout", VISIBILITY_S.to_string())];
    if case.is_fifo {
        attributes.extend([
            ("FifoQueue", "true".to_owned()),
            ("DeduplicationScope", "messageGroup".to_owned()),
            ("FifoThroughputLimit", "perMessageGroupId".to_owned()),
        ]);
    }
    let queue = model::Queue {
        logical_id: "Queue".to_owned(),
        name: name.to_owned(),
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    let sqs = Sqs::start(None, &[queue], "us-east-1", "http://127.0.0.1:1", clock).unwrap();
    let longest = case.groups.iter().max().copied().unwrap_or_default();
    for number in 0..longest {
        for (group, count) in case.groups.iter().enumerate() {
            if number < *count {
                send(&sqs, name, case.is_fifo, group, number).await;
            }
        }
    }
    let worker = Worker {
        takes: case.takes,
        slots: Arc::new(Semaphore::new(case.slots)),
        seen: Arc::default(),
    };
    let services = MappingServices {
        sqs: sqs.clone(),
        lambda: worker.clone(),
        meter: Meter::default(),
        faults: Injector::default(),
        region: "us-east-1".to_owned(),
    };
    let mapping = Mapping {
        logical_id: "Mapping".to_owned(),
        queue: name.to_owned(),
        queue_arn: String::new(),
        is_fifo: case.is_fifo,
        function: "Worker".to_owned(),
        batch_size: case.batch_size,
        window_s: case.window_s,
        visibility_override_s: None,
        maximum_concurrency: None,
        reports_failures: true,
        enabled: true,
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(Poller::new(mapping, 900, services).run(stop.clone(), CancellationToken::new()));
    while sqs.counts(name).unwrap() != Counts::default() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = began.elapsed();
    stop.cancel();
    running.await.unwrap();
    let seen = std::mem::take(&mut *worker.seen.lock().unwrap());
    (seen, took)
}

async fn send(sqs: &Sqs, queue: &str, is_fifo: bool, group: usize, number: usize) {
    let mut request = json!({
        "QueueUrl": format!("http://127.0.0.1:1/000000000000/{queue}"),
        "MessageBody": format!("{group}/{number}"),
    });
    if is_fifo {
        request["MessageGroupId"] = json!(group.to_string());
        request["MessageDeduplicationId"] = json!(number.to_string());
    }
    let answer = sqs.call("SendMessage", request.to_string().as_bytes(), "sender").await;
    answer.result.unwrap();
}

/// Runs the case on its own clock.
fn run(case: &Scenario) -> (Seen, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(work_off(case))
}

fn case() -> impl Strategy<Value = Scenario> {
    let groups = prop::collection::vec(1..12_usize, 1..24);
    // A function's timeout is never longer than the visibility timeout of its queue.
    let takes_ms = prop_oneof![1..50_u64, 1000..VISIBILITY_S * 1000 - 1000];
    (any::<bool>(), groups, takes_ms, 1..6_usize, 1..=10_usize, 0..2_u32).prop_map(
        |(is_fifo, groups, takes_ms, slots, batch_size, window_s)| Scenario {
            is_fifo,
            groups,
            takes: Duration::from_millis(takes_ms),
            slots,
            batch_size,
            window_s: if is_fifo { 0 } else { window_s },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn without_failures_each_message_is_received_once_and_no_group_has_two_workers(case in case()) {
        let (seen, _) = run(&case);
        prop_assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
        prop_assert!(seen.most_at_once <= case.slots);
        prop_assert_eq!(seen.done.len(), case.groups.iter().sum::<usize>());
        if case.is_fifo {
            for (group, count) in case.groups.iter().enumerate() {
                let name = group.to_string();
                let bodies = seen.done.iter().filter(|(group, _)| *group == name).map(|(_, body)| body.clone());
                let sent = (0..*count).map(|number| format!("{group}/{number}"));
                prop_assert_eq!(bodies.collect::<Vec<_>>(), sent.collect::<Vec<_>>());
            }
        }
    }
}

/// Messages of a standard queue, one per batch.
fn backlog(messages: usize, takes: Duration, slots: usize) -> Scenario {
    Scenario {
        is_fifo: false,
        groups: vec![messages],
        takes,
        slots,
        batch_size: 1,
        window_s: 0,
    }
}

#[test]
fn a_standard_queue_with_a_backlog_gets_as_many_workers_as_the_limit_allows() {
    for takes_ms in [90, 1500] {
        let (seen, _) = run(&backlog(1300, Duration::from_millis(takes_ms), 32));
        assert_eq!(seen.most_at_once, 32, "at {takes_ms} ms each");
    }
}

#[test]
fn a_standard_queue_with_five_workers_at_first_has_five_more_a_second_later() {
    let (seen, took) = run(&backlog(15, Duration::from_millis(1500), 100));
    assert_eq!(seen.most_at_once, 10);
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_fifo_queue_has_a_worker_for_each_group_at_once() {
    let groups = Scenario {
        is_fifo: true,
        groups: vec![3; 20],
        ..backlog(0, Duration::from_secs(1), 32)
    };
    let (seen, took) = run(&groups);
    assert_eq!(seen.most_at_once, 20);
    assert!(took < Duration::from_secs(4), "{took:?}");
}
