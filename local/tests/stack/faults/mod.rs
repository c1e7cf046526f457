//! Faults, each seen from where it would be seen on AWS.

mod calls;
mod messages;
mod plan;
mod processes;
mod sockets;

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use wigwag_local::faults::FaultPlan;
use wigwag_local::lambda::{InvokeError, Output, OutputLine, Tuning};
use wigwag_local::sqs::Counts;
use wigwag_local::stack::{RunningStack, StackOptions};

use crate::dynamodb;

/// How long a test waits for anything. It is generous: the machine may be busy.
const DEADLINE: Duration = Duration::from_mins(1);

struct FaultyStack {
    stack: RunningStack,
    lines: mpsc::UnboundedReceiver<OutputLine>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl FaultyStack {
    async fn start(plan: &str) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        let options = StackOptions {
            template: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/faults.yaml"),
            tuning: Tuning {
                output: Output::Channel(sender),
                ..Tuning::default()
            },
            fault_plan: FaultPlan::parse(plan).expect("it is a plan"),
            fault_seed: 1,
            ..StackOptions::default()
        };
        let stack = RunningStack::start(options).await.expect("the stack starts");
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
