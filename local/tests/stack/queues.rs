//! Queues that invoke functions.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use wigwag_local::lambda::{Output, OutputLine, Tuning};
use wigwag_local::mapping::CALLER;
use wigwag_local::sqs::{Counts, Sqs};
use wigwag_local::stack::{RunningStack, StackOptions};

/// How long a test waits for anything. It is generous: the machine may be busy.
const DEADLINE: Duration = Duration::from_mins(1);

struct Queues {
    stack: RunningStack,
    sqs: Sqs,
    lines: mpsc::UnboundedReceiver<OutputLine>,
}

impl Queues {
    async fn start() -> Self {
        Self::start_with(Tuning::default()).await
    }

    async fn start_with(tuning: Tuning) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        let options = StackOptions {
            template: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/queues.yaml"),
            tuning: Tuning {
                output: Output::Channel(sender),
                ..tuning
            },
            ..StackOptions::default()
        };
        let stack = RunningStack::start(options).await.expect("the stack starts");
        let sqs = stack.sqs().clone();
        Self { stack, sqs, lines }
    }

    /// Sends orders for the probe in one batch, in this group if there is one.
    async fn send(&self, queue: &str, group: Option<&str>, orders: &[Value]) {
        let entry = |(number, order): (usize, &Value)| {
            let mut entry = json!({"Id": number.to_string(), "MessageBody": order.to_string()});
            if let Some(group) = group {
                entry["MessageGroupId"] = json!(group);
            }
            entry
        };
        let entries: Vec<Value> = orders.iter().enumerate().map(entry).collect();
        let request = json!({"QueueUrl": url(queue), "Entries": entries});
        let answer = self.call("SendMessageBatch", request).await;
        assert!(answer.get("Failed").is_none(), "{answer}");
    }

    async fn call(&self, operation: &str, request: Value) -> Value {
        let reply = self.sqs.call(operation, request.to_string().as_bytes(), "test").await;
        reply.result.expect("the queue answers")
    }

    /// The next event that the function printed.
    async fn event(&mut self, function: &str) -> Value {
        let next = async {
            loop {
                let line = self.lines.recv().await.expect("the functions still run");
                if let Some(event) = line.text.strip_prefix("event ").filter(|_| line.function == function) {
                    return serde_json::from_str(event).expect("the probe prints JSON");
                }
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("an event comes")
    }

    /// Waits until the queue has this many visible messages and messages in flight.
    async fn until(&self, queue: &str, visible: usize, in_flight: usize) {
        let wanted = Counts {
            visible,
            in_flight,
            delayed: 0,
        };
        let mut counts = Counts::default();
        let waiting = async {
            loop {
                counts = self.sqs.counts(queue).expect("there is such a queue");
                if counts == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = tokio::time::timeout(DEADLINE, waiting).await;
        assert!(reached.is_ok(), "{queue} has {counts:?}, not {wanted:?}");
    }

    async fn bodies(&self, queue: &str) -> Vec<String> {
        let request = json!({"QueueUrl": url(queue), "MaxNumberOfMessages": 10});
        let answer = self.call("ReceiveMessage", request).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let body = |message: &Value| message["Body"].as_str().unwrap_or_default().to_owned();
        messages.iter().map(body).collect()
    }
}

fn url(queue: &str) -> String {
    format!("http://127.0.0.1/000000000000/{queue}")
}

#[tokio::test]
async fn a_reported_failure_comes_again_and_goes_to_the_dead_letter_queue() {
    let mut queues = Queues::start().await;
    let (good, bad) = (json!({}), json!({"fail": "no"}));
    queues
        .send("local-Failing", None, &[good.clone(), bad.clone(), good])
        .await;
    let event = queues.event("Reporter").await;
    let record = &event["Records"][1];
    assert_eq!(record["body"], bad.to_string());
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(
        record["eventSourceARN"],
        "arn:aws:sqs:us-east-1:000000000000:local-Failing"
    );
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["messageAttributes"], json!({}));
    queues.until("local-Dead", 1, 0).await;
    queues.until("local-Failing", 0, 0).await;
    assert_eq!(queues.bodies("local-Dead").await, [bad.to_string()]);
    let reading = queues.stack.meter().read();
    let polls = reading.aws_total(|row| row.caller == CALLER && row.operation == "ReceiveMessage");
    let deletes = reading.aws_total(|row| row.caller == CALLER && row.operation == "DeleteMessageBatch");
    assert!(polls.requests >= 2 && deletes.requests >= 1, "{reading:?}");
    assert!(reading.queues.standard_requests >= polls.requests + deletes.requests);
    queues.stack.stop().await;
}

#[tokio::test]
async fn nothing_behind_a_failure_in_its_group_is_deleted() {
    let queues = Queues::start().await;
    let orders = [
        json!({"print": ["first"]}),
        json!({"fail": "no"}),
        json!({"print": ["last"]}),
    ];
    queues.send("local-FailingInOrder.fifo", Some("g"), &orders).await;
    queues.until("local-DeadInOrder.fifo", 2, 0).await;
    queues.until("local-FailingInOrder.fifo", 0, 0).await;
    let dead: Vec<String> = orders[1..].iter().map(Value::to_string).collect();
    assert_eq!(queues.bodies("local-DeadInOrder.fifo").await, dead);
    // The probe reports only the message that failed, each time.
    assert!(queues.stack.meter().read().queues.unreported_failures > 0);
    queues.stack.stop().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_fails_the_whole_batch() {
    let queues = Queues::start().await;
    let answer = json!({"answer": {"batchItemFailures": [{"itemIdentifier": ""}]}});
    queues.send("local-Failing", None, &[answer, json!({})]).await;
    queues.until("local-Dead", 2, 0).await;
    queues.until("local-Failing", 0, 0).await;
    queues.stack.stop().await;
}

#[tokio::test]
async fn a_function_that_fails_without_reports_keeps_its_messages() {
    let mut queues = Queues::start().await;
    queues.send("local-Narrow", None, &[json!({"exit": 1})]).await;
    queues.event("NarrowWorker").await;
    queues.until("local-Narrow", 0, 1).await;
    queues.stack.stop().await;
    assert_eq!(queues.sqs.counts("local-Narrow").unwrap().in_flight, 1);
}

#[tokio::test]
async fn no_more_batches_run_at_once_than_the_maximum_concurrency() {
    let mut queues = Queues::start().await;
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let order = json!({"wait_for": gate});
    queues
        .send("local-Narrow", None, &[order.clone(), order.clone(), order])
        .await;
    for _ in 0..2 {
        let event = queues.event("NarrowWorker").await;
        assert_eq!(event["Records"].as_array().unwrap().len(), 1);
    }
    assert_eq!(queues.sqs.counts("local-Narrow").unwrap().visible, 1);
    std::fs::write(gate, "").unwrap();
    queues.event("NarrowWorker").await;
    queues.until("local-Narrow", 0, 0).await;
    queues.stack.stop().await;
}

#[tokio::test]
async fn groups_run_at_once_and_the_messages_of_one_group_in_turn() {
    let mut queues = Queues::start().await;
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let order = |group: &str, number: u32| json!({"wait_for": gate, "print": [format!("{group}{number}")]});
    for group in ["a", "b"] {
        queues
            .send("local-Ordered.fifo", Some(group), &[order(group, 1), order(group, 2)])
            .await;
    }
    let mut running = Vec::new();
    for _ in 0..2 {
        let event = queues.event("OrderedWorker").await;
        running.push(event["Records"][0]["attributes"]["MessageGroupId"].clone());
    }
    running.sort_by_key(Value::to_string);
    assert_eq!(running, [json!("a"), json!("b")]);
    assert_eq!(queues.sqs.counts("local-Ordered.fifo").unwrap().in_flight, 2);
    std::fs::write(&gate, "").unwrap();
    queues.until("local-Ordered.fifo", 0, 0).await;
    queues.stack.stop().await;
}

fn receive_counts(event: &Value) -> Vec<&Value> {
    let records = event["Records"].as_array().expect("an event of a queue");
    let count = |record: &'_ Value| record.pointer("/attributes/ApproximateReceiveCount").is_some();
    assert!(records.iter().all(count), "{event}");
    records
        .iter()
        .map(|record| &record["attributes"]["ApproximateReceiveCount"])
        .collect()
}

#[tokio::test]
async fn no_message_is_received_before_a_process_can_take_it() {
    let mut queues = Queues::start_with(Tuning {
        max_processes: 2,
        ..Tuning::default()
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let groups: Vec<String> = (0..6).map(|group| format!("group-{group}")).collect();
    for group in &groups {
        let order = json!({"wait_for": gate, "print": [group]});
        queues.send("local-Ordered.fifo", Some(group), &[order]).await;
    }
    for _ in 0..2 {
        assert_eq!(receive_counts(&queues.event("OrderedWorker").await), ["1"]);
    }
    let counts = queues.sqs.counts("local-Ordered.fifo").unwrap();
    assert_eq!((counts.visible, counts.in_flight), (4, 2));
    std::fs::write(&gate, "").unwrap();
    for _ in 2..groups.len() {
        assert_eq!(receive_counts(&queues.event("OrderedWorker").await), ["1"]);
    }
    queues.until("local-Ordered.fifo", 0, 0).await;
    queues.stack.stop().await;
}

#[tokio::test]
async fn messages_that_do_not_fit_an_event_go_back_as_if_not_received() {
    let mut queues = Queues::start().await;
    let directory = tempfile::tempdir().unwrap();
    let gates = ["first", "second"].map(|name| directory.path().join(name));
    queues
        .send("local-Large.fifo", Some("g"), &[json!({"wait_for": gates[0]})])
        .await;
    queues.event("LargeWorker").await;
    for number in 0..8 {
        let order = json!({"wait_for": gates[1], "number": number, "filling": "a".repeat(900_000)});
        queues.send("local-Large.fifo", Some("g"), &[order]).await;
    }
    std::fs::write(&gates[0], "").unwrap();
    let first = queues.event("LargeWorker").await;
    assert_eq!(receive_counts(&first), ["1"; 6]);
    let counts = queues.sqs.counts("local-Large.fifo").unwrap();
    assert_eq!((counts.visible, counts.in_flight), (2, 6));
    std::fs::write(&gates[1], "").unwrap();
    let second = queues.event("LargeWorker").await;
    assert_eq!(receive_counts(&second), ["1"; 2]);
    let number = |event: &Value, index: usize| -> Value {
        let body = event["Records"][index]["body"].as_str().expect("a body");
        serde_json::from_str::<Value>(body).expect("an order")["number"].clone()
    };
    assert_eq!([number(&first, 5), number(&second, 0)], [5, 6]);
    queues.until("local-Large.fifo", 0, 0).await;
    queues.stack.stop().await;
}

#[tokio::test]
async fn a_window_gathers_a_batch_that_is_larger_than_a_poll() {
    let mut queues = Queues::start().await;
    for orders in [vec![json!({}); 10], vec![json!({}); 2]] {
        queues.send("local-Wide", None, &orders).await;
    }
    let event = queues.event("WideWorker").await;
    assert_eq!(event["Records"].as_array().unwrap().len(), 12);
    queues.until("local-Wide", 0, 0).await;
    queues.stack.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_running_batches_and_gives_back_incomplete_ones() {
    let mut queues = Queues::start().await;
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    queues.send("local-Wide", None, &[json!({})]).await;
    queues.until("local-Wide", 0, 1).await;
    queues.send("local-Narrow", None, &[json!({"wait_for": gate})]).await;
    queues.event("NarrowWorker").await;
    let sqs = queues.sqs.clone();
    let stopping = tokio::spawn(queues.stack.stop());
    let counts = |queue: &str| sqs.counts(queue).unwrap();
    let given_back = async {
        while counts("local-Wide").visible == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, given_back).await.unwrap();
    assert_eq!(counts("local-Narrow").in_flight, 1);
    std::fs::write(gate, "").unwrap();
    stopping.await.unwrap();
    assert_eq!(counts("local-Narrow"), Counts::default());
}

#[tokio::test]
async fn a_function_gets_the_url_of_a_queue_on_this_machine() {
    let queues = Queues::start().await;
    let order = json!({"do": {"environment": true}});
    let variables = queues.stack.lambda().invoke("Reporter", &order).await.unwrap();
    let expected = format!("{}/000000000000/local-Failing", queues.stack.aws_endpoint_url);
    assert_eq!(queues.stack.queue_urls()["Failing"], expected);
    assert_eq!(variables["QUEUE_URL"], expected);
    assert_eq!(variables["QUEUE_NAME"], "local-Failing");
    queues.stack.stop().await;
}
