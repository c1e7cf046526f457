//! Faults, each seen from where it would be seen on AWS.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use wigwag_local::faults::FaultPlan;
use wigwag_local::lambda::{InvokeError, Line, Output, Tuning};
use wigwag_local::sqs::Counts;
use wigwag_local::stack::{Options, Running, Stack};

use crate::{dynamodb, secrets};

/// How long a test waits for anything. It is generous: the machine may be busy.
const DEADLINE: Duration = Duration::from_mins(1);

struct Faulty {
    stack: Running,
    lines: mpsc::UnboundedReceiver<Line>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Faulty {
    async fn start(plan: &str) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        let options = Options {
            template: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/faults.yaml"),
            tuning: Tuning {
                output: Output::Channel(sender),
                ..Tuning::default()
            },
            fault_plan: FaultPlan::parse(plan).expect("it is a plan"),
            fault_seed: 1,
            ..Options::default()
        };
        let stack = Stack::start(options).await.expect("the stack starts");
        Self { stack, lines }
    }

    /// The outcomes of these calls, made by the function.
    async fn call(&self, calls: Value) -> Vec<Value> {
        let answer = self.try_call(calls).await.expect("the function answers");
        serde_json::from_str(answer["body"].as_str().expect("it is text")).expect("it is JSON")
    }

    async fn try_call(&self, calls: Value) -> Result<Value, InvokeError> {
        let order = json!({"do": {"calls": calls}});
        within(self.stack.lambda().invoke("Probe", &order)).await
    }

    /// Whether there is an item with this id, seen from outside.
    async fn has(&self, id: &str) -> bool {
        let get = json!({"TableName": "local-Items", "Key": {"id": {"S": id}}});
        dynamodb(&self.stack, "GetItem", get).await.get("Item").is_some()
    }

    async fn send(&self, queue: &str, group: Option<&str>, body: &Value) {
        let mut request = json!({"QueueUrl": url(queue), "MessageBody": body.to_string()});
        if let Some(group) = group {
            request["MessageGroupId"] = json!(group);
        }
        let request = request.to_string();
        let reply = self.stack.sqs().call("SendMessage", request.as_bytes(), "test").await;
        reply.result.expect("the queue takes it");
    }

    /// The next event of this function.
    async fn event(&mut self, function: &str) -> Value {
        let next = async {
            loop {
                let line = self.lines.recv().await.expect("the functions still run");
                if let Some(event) = line.text.strip_prefix("event ").filter(|_| line.function == function) {
                    return serde_json::from_str(event).expect("the probe prints JSON");
                }
            }
        };
        within(next).await
    }

    async fn until_counts(&self, queue: &str, wanted: Counts) {
        let reached = async {
            while self.stack.sqs().counts(queue).expect("there is such a queue") != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(reached).await;
    }

    async fn open(&self) -> Socket {
        let opened = tokio_tungstenite::connect_async(&self.stack.websocket_url);
        within(opened).await.expect("the handshake succeeds").0
    }

    /// An open socket and its id.
    async fn open_with_id(&mut self) -> (Socket, String) {
        let mut socket = self.open().await;
        ask(&mut socket, &json!({})).await;
        let event = self.event("Probe").await;
        let id = event["requestContext"]["connectionId"].as_str().expect("it has one");
        (socket, id.to_owned())
    }

    fn injected(&self, kind: &str) -> u64 {
        self.stack.faults().injected()[kind]
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("this takes too long")
}

/// Sends an order and returns the next frame.
async fn ask(socket: &mut Socket, order: &Value) -> String {
    socket.send(Message::text(order.to_string())).await.expect("it is open");
    let frame = within(socket.next()).await.expect("it is open").expect("a frame");
    frame.into_text().expect("text").to_string()
}

fn url(queue: &str) -> String {
    format!("http://127.0.0.1/000000000000/{queue}")
}

fn put(id: &str) -> Value {
    let body = json!({"TableName": "local-Items", "Item": {"id": {"S": id}}});
    json!({"service": "dynamodb", "target": "DynamoDB_20120810.PutItem", "body": body})
}

fn post(id: &str, text: &str) -> Value {
    json!({"service": "execute-api", "path": format!("/dev/@connections/{id}"), "body": text})
}

fn statuses(outcomes: &[Value]) -> Vec<&Value> {
    outcomes.iter().map(|outcome| &outcome["status"]).collect()
}

#[tokio::test]
async fn a_process_that_is_killed_has_done_its_last_call_and_its_caller_sees_a_crash() {
    let faulty = Faulty::start("[processes]\nkill_after_calls = { rate = 1, calls = 1 }").await;
    let error = faulty.try_call(json!([put("a"), put("b")])).await.unwrap_err();
    assert_eq!(error.to_string(), "Runtime exited with error: signal: 9 (SIGKILL)");
    assert!(faulty.has("a").await && !faulty.has("b").await);

    let order = json!({"calls": [put("c")]});
    let frame = ask(&mut faulty.open().await, &order).await;
    assert!(frame.starts_with(r#"{"message": "Internal server error", "#), "{frame}");
    let request = crate::http().get(format!("{}/do", faulty.stack.http_url));
    let response = request.query(&[("do", order.to_string())]).send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(faulty.injected("processes.kill_after_calls"), 3);
    let spared = faulty.try_call(json!([])).await;
    assert!(spared.is_ok(), "it makes no call");
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_process_is_killed_in_the_middle_of_its_work() {
    let faulty = Faulty::start("[processes]\nkill_after_ms = { rate = 1, ms = 1 }").await;
    let order = json!({"do": {"hang": true}});
    let error = within(faulty.stack.lambda().invoke("Probe", &order)).await.unwrap_err();
    assert!(matches!(error, InvokeError::Exited { .. }), "{error}");
    assert_eq!(faulty.injected("processes.kill_after_ms"), 1);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_batch_whose_function_is_killed_comes_back() {
    let mut faulty = Faulty::start("[processes]\nkill_after_calls = { rate = 1, calls = 1 }").await;
    faulty.send("local-Soon", None, &json!({"calls": [put("a")]})).await;
    let first = faulty.event("SoonWorker").await;
    let second = faulty.event("SoonWorker").await;
    let receives = |event: &Value| event["Records"][0]["attributes"]["ApproximateReceiveCount"].clone();
    assert_eq!((receives(&first), receives(&second)), (json!("1"), json!("2")));
    faulty.stack.faults().pause();
    faulty.until_counts("local-Soon", Counts::default()).await;
    assert!(faulty.has("a").await);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_throttled_call_has_done_nothing() {
    let faulty = Faulty::start("[dynamodb.PutItem]\nthrottle = 1\n[sqs.all]\nthrottle = 1").await;
    let send = json!({"QueueUrl": url("local-Outbox"), "MessageBody": "x"});
    let send = json!({"service": "sqs", "target": "AmazonSQS.SendMessage", "body": send});
    let outcomes = faulty.call(json!([put("a"), send])).await;
    assert_eq!(statuses(&outcomes), [400, 400]);
    let error = outcomes[0]["body"]["__type"].as_str().unwrap();
    assert!(error.ends_with("#ThrottlingException"), "{error}");
    assert_eq!(outcomes[1]["body"]["__type"], "com.amazonaws.sqs#RequestThrottled");
    assert!(!faulty.has("a").await);
    faulty.until_counts("local-Outbox", Counts::default()).await;
    let reading = faulty.stack.meter().read();
    let row = reading.aws_total(|row| row.operation == "PutItem" && row.caller == "Probe");
    assert_eq!((row.requests, row.client_errors), (1, 1));
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_call_that_fails_or_is_cut_before_has_done_nothing() {
    for (fault, status) in [("fail_before", json!(500)), ("cut_before", Value::Null)] {
        let faulty = Faulty::start(&format!("[dynamodb.all]\n{fault} = 1")).await;
        assert_eq!(statuses(&faulty.call(json!([put("a")])).await), [&status]);
        assert!(!faulty.has("a").await);
        assert_eq!(faulty.injected(&format!("dynamodb.{fault}")), 1);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_has_taken_effect() {
    for (fault, status) in [("fail_after", json!(500)), ("cut_after", Value::Null)] {
        let faulty = Faulty::start(&format!("[dynamodb.all]\n{fault} = 1")).await;
        assert_eq!(statuses(&faulty.call(json!([put("a")])).await), [&status]);
        assert!(faulty.has("a").await);
        assert_eq!(faulty.injected(&format!("dynamodb.{fault}")), 1);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn calls_of_secrets_manager_go_wrong_as_those_of_other_services() {
    for (fault, status, error, value) in [
        ("throttle", json!(400), json!("ThrottlingException"), "first"),
        ("fail_before", json!(500), json!("InternalServiceError"), "first"),
        ("fail_after", json!(500), json!("InternalServiceError"), "second"),
        ("cut_after", Value::Null, Value::Null, "second"),
    ] {
        let faulty = Faulty::start(&format!("[secretsmanager.PutSecretValue]\n{fault} = 1")).await;
        let put = json!({"SecretId": "local-Key", "SecretString": "second"});
        let put = json!({"service": "secretsmanager", "target": "secretsmanager.PutSecretValue", "body": put});
        let outcomes = faulty.call(json!([put])).await;
        assert_eq!(
            (&outcomes[0]["status"], &outcomes[0]["body"]["__type"]),
            (&status, &error),
            "{fault}"
        );
        let read = secrets(&faulty.stack, "GetSecretValue", json!({"SecretId": "local-Key"})).await;
        assert_eq!(read["SecretString"], value, "{fault}");
        assert_eq!(faulty.injected(&format!("secretsmanager.{fault}")), 1);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn a_call_that_is_held_back_takes_effect_also_when_its_process_is_dead() {
    let plan =
        "[processes]\nkill_after_ms = { rate = 1, ms = 300 }\n[dynamodb.all]\ndelay_before = { rate = 1, ms = 3000 }";
    let faulty = Faulty::start(plan).await;
    // The process may also be killed before its call, or its call may not wait for long. Then the
    // test tries again.
    for attempt in 0.. {
        assert!(attempt < 100, "no process is killed while its call waits");
        let (id, held) = (attempt.to_string(), faulty.injected("dynamodb.delay_before"));
        let killed = faulty.try_call(json!([put(&id)])).await.is_err();
        let was_held = faulty.injected("dynamodb.delay_before") > held;
        if killed && was_held && !faulty.has(&id).await {
            let done = async {
                while !faulty.has(&id).await {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            within(done).await;
            break;
        }
    }
    faulty.stack.stop().await;
}

#[tokio::test]
async fn statements_keys_and_entries_fail_one_by_one() {
    let faulty = Faulty::start("[dynamodb.all]\nentries = 0.5\n[sqs.all]\nentries = 0.5").await;
    let ids: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let insert = |id: &String| json!({"Statement": format!("INSERT INTO \"local-Items\" VALUE {{'id': '{id}'}}")});
    let statements: Vec<Value> = ids.iter().map(insert).collect();
    let keys: Vec<Value> = ids.iter().map(|id| json!({"id": {"S": id}})).collect();
    let entries: Vec<Value> = ids.iter().map(|id| json!({"Id": id, "MessageBody": id})).collect();
    let calls = json!([
        {"service": "dynamodb", "target": "DynamoDB_20120810.BatchExecuteStatement", "body": {"Statements": statements}},
        {"service": "dynamodb", "target": "DynamoDB_20120810.BatchGetItem",
         "body": {"RequestItems": {"local-Items": {"Keys": keys}}}},
        {"service": "sqs", "target": "AmazonSQS.SendMessageBatch",
         "body": {"QueueUrl": url("local-Outbox"), "Entries": entries}},
    ]);
    let outcomes = faulty.call(calls).await;
    assert_eq!(statuses(&outcomes), [200, 200, 200]);
    let length = |value: &Value| value.as_array().map_or(0, Vec::len);

    let responses = outcomes[0]["body"]["Responses"].as_array().unwrap();
    assert_eq!(responses.len(), 10);
    let mut stand = 0;
    for (id, response) in ids.iter().zip(responses) {
        let failed = response["Error"]["Code"] == "ThrottlingError";
        assert_ne!(faulty.has(id).await, failed, "{id}: {response}");
        stand += usize::from(!failed);
    }
    assert!((1..10).contains(&stand));

    let got = &outcomes[1]["body"];
    let unprocessed = length(&got["UnprocessedKeys"]["local-Items"]["Keys"]);
    assert!((1..10).contains(&unprocessed), "{got}");
    assert!(length(&got["Responses"]["local-Items"]) <= 10 - unprocessed);

    let sent = &outcomes[2]["body"];
    let (done, failed) = (length(&sent["Successful"]), length(&sent["Failed"]));
    assert!(done + failed == 10 && done > 0 && failed > 0, "{sent}");
    assert_eq!(sent["Failed"][0]["SenderFault"], false);
    assert_eq!(faulty.stack.sqs().counts("local-Outbox").unwrap().visible, done);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn calls_from_outside_are_spared() {
    let faulty = Faulty::start("[dynamodb.all]\nthrottle = 1").await;
    assert!(!faulty.has("a").await);
    let item = json!({"TableName": "local-Items", "Item": {"id": {"S": "a"}}});
    assert_eq!(dynamodb(&faulty.stack, "PutItem", item).await, json!({}));
    assert!(faulty.has("a").await);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_message_comes_to_two_functions_at_once() {
    for (queue, group) in [("local-Work", None), ("local-Ordered.fifo", Some("g"))] {
        let mut faulty = Faulty::start("[messages]\ntwice = { rate = 1, ms = 0 }").await;
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
async fn a_message_that_is_done_comes_again() {
    let mut faulty = Faulty::start("[messages]\nagain = 1").await;
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
    let mut faulty = Faulty::start("[messages]\nlate = { rate = 0.5, ms = 900000 }").await;
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

#[tokio::test]
async fn an_open_connection_is_said_to_be_gone_or_busy_and_is_not() {
    for (fault, status) in [("gone", 410), ("throttle", 429), ("fail_after", 500)] {
        let mut faulty = Faulty::start(&format!("[connections.PostToConnection]\n{fault} = 1")).await;
        let (mut socket, id) = faulty.open_with_id().await;
        assert_eq!(statuses(&faulty.call(json!([post(&id, "first")])).await), [status]);
        faulty.stack.faults().pause();
        assert_eq!(statuses(&faulty.call(json!([post(&id, "second")])).await), [200]);
        let expected = if fault == "fail_after" { "first" } else { "second" };
        let frame = within(socket.next()).await.unwrap().unwrap();
        assert_eq!(frame.into_text().unwrap(), expected);
        assert_eq!(faulty.injected(&format!("connections.{fault}")), 1);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn a_socket_is_cut_without_a_close_frame_and_its_disconnect_says_so() {
    let mut faulty = Faulty::start("[sockets]\ncut = { rate = 1, ms = 50 }").await;
    let mut socket = faulty.open().await;
    let end = within(socket.next()).await;
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    let event = faulty.event("Probe").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1006);
    assert_eq!(faulty.injected("sockets.cut"), 1);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_disconnect_is_lost_or_comes_when_the_plan_is_paused() {
    let faulty = Faulty::start("[sockets]\ndrop_disconnect = 1").await;
    drop(faulty.open().await);
    let lost = async {
        while faulty.injected("sockets.drop_disconnect") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(lost).await;
    faulty.stack.stop().await;

    let mut faulty = Faulty::start("[sockets]\ndelay_disconnect = { rate = 1, ms = 900000 }").await;
    drop(faulty.open().await);
    let held = async {
        while faulty.injected("sockets.delay_disconnect") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(held).await;
    assert_eq!(
        faulty
            .stack
            .meter()
            .read()
            .functions
            .get("Probe")
            .map_or(0, |row| row.invocations),
        0
    );
    faulty.stack.faults().pause();
    assert_eq!(faulty.event("Probe").await["requestContext"]["routeKey"], "$disconnect");
    faulty.stack.stop().await;
}

#[tokio::test]
async fn frames_of_a_socket_overtake_each_other_in_both_directions() {
    for direction in ["in", "out"] {
        let faulty = Faulty::start(&format!(
            "[sockets]\ndelay_frame_{direction} = {{ rate = 1, ms = 400 }}"
        ))
        .await;
        let mut socket = faulty.open().await;
        for n in 0..8 {
            let order = json!({"answer": {"statusCode": 200, "body": n.to_string()}});
            socket.send(Message::text(order.to_string())).await.unwrap();
        }
        let mut order = Vec::new();
        for _ in 0..8 {
            let frame = within(socket.next()).await.unwrap().unwrap();
            order.push(frame.into_text().unwrap().to_string());
        }
        assert!(!order.is_sorted(), "{order:?}");
        order.sort();
        assert_eq!(order, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        faulty.stack.stop().await;
    }
}

#[tokio::test]
async fn faults_are_shown_paused_and_resumed_over_http() {
    let faulty = Faulty::start("[dynamodb.all]\nthrottle = 1").await;
    let local = format!("{}/_local/faults", faulty.stack.aws_endpoint_url);
    let client = crate::http();
    let outcome = async || statuses(&faulty.call(json!([put("a")])).await)[0].clone();
    assert_eq!(outcome().await, 400);
    let shown: Value = client.get(&local).send().await.unwrap().json().await.unwrap();
    assert_eq!((&shown["seed"], &shown["paused"]), (&json!(1), &json!(false)));
    assert_eq!(shown["plan"]["dynamodb"]["all"], json!({"throttle": 1.0}));
    assert_eq!(
        (
            &shown["injected"]["dynamodb.throttle"],
            &shown["injected"]["sqs.throttle"]
        ),
        (&json!(1), &json!(0))
    );

    let change = async |how: &str| -> Value {
        let response = client.post(format!("{local}/{how}")).send().await.unwrap();
        response.json().await.unwrap()
    };
    assert_eq!(change("pause").await["paused"], true);
    assert_eq!(outcome().await, 200);
    assert_eq!(change("resume").await["paused"], false);
    assert_eq!(outcome().await, 400);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn the_same_seed_does_the_same_harm_to_the_same_calls() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let faulty = Faulty::start("[dynamodb.all]\nthrottle = 0.3\ncut_before = 0.3").await;
        let mut run = Vec::new();
        for _ in 0..5 {
            let calls: Vec<Value> = (0..10).map(|n| put(&n.to_string())).collect();
            let outcomes = faulty.call(json!(calls)).await;
            run.extend(outcomes.iter().map(|outcome| outcome["status"].clone()));
        }
        faulty.stack.stop().await;
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(
        [json!(200), json!(400), Value::Null]
            .iter()
            .all(|status| runs[0].contains(status))
    );
}
