//! An engine in this process, with the tables that `template.yaml` describes, and stores that can crash.

use crate::in_process::{Call, Carried, NoTime, Reply, Wire};
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::result::ConnectorError;
use dynoxide::Database;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wigwag_store::directory::Profile;
use wigwag_store::fanout::{Task, TaskQueue};
use wigwag_store::groups::Finished;
use wigwag_store::send::{Draft, MessagesFrom, SendError, Sent};
use wigwag_store::{DeviceKey, MessageKey, Store, StoreError, UserId};

/// Long before any lease ends.
pub(crate) const NOW: i64 = 1_800_000_000_000;

/// After every lease has ended.
pub(crate) const LATER: i64 = NOW + 60_000;

#[derive(Clone)]
pub(crate) struct Engine {
    database: Database,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let engine = Self {
            database: Database::memory().unwrap(),
        };
        engine.create_table("timelines", ("t", "S"), ("n", "N"));
        engine.create_table("directory", ("pk", "S"), ("sk", "S"));
        engine
    }

    fn create_table(&self, name: &str, hash: (&str, &str), range: (&str, &str)) {
        self.call(
            "CreateTable",
            &json!({
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [
                    { "AttributeName": hash.0, "KeyType": "HASH" },
                    { "AttributeName": range.0, "KeyType": "RANGE" },
                ],
                "AttributeDefinitions": [
                    { "AttributeName": hash.0, "AttributeType": hash.1 },
                    { "AttributeName": range.0, "AttributeType": range.1 },
                ],
            }),
        );
    }

    /// Every item of a table, as JSON.
    pub(crate) fn items(&self, table: &str) -> Vec<Value> {
        let answer = self.call("Scan", &json!({ "TableName": table }));
        answer["Items"].as_array().unwrap().clone()
    }

    /// Puts an item, as JSON.
    pub(crate) fn put(&self, table: &str, item: &Value) {
        self.call("PutItem", &json!({ "TableName": table, "Item": item }));
    }

    fn call(&self, operation: &str, request: &Value) -> Value {
        let call = Call {
            operation: operation.to_owned(),
            body: request.to_string(),
        };
        let reply = self.run(&call);
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    /// Lets a call take effect.
    pub(crate) fn run(&self, call: &Call) -> Reply {
        call.run(&self.database)
    }

    /// A store whose calls take effect one by one; those of concurrent tasks take turns.
    pub(crate) fn store(&self) -> Store {
        let engine = self.clone();
        let wire = Wire::new(move |call| {
            let engine = engine.clone();
            Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(engine.run(&call))
            })
        });
        store_over(config(wire))
    }

    /// A store whose calls are counted.
    pub(crate) fn counting_store(&self) -> (Store, Counted) {
        let (engine, counted) = (self.clone(), Counted::default());
        let counts = counted.clone();
        let wire = Wire::new(move |call| {
            let engine = engine.clone();
            *counts.0.lock().unwrap().entry(call.operation.clone()).or_default() += 1;
            Box::pin(async move { Ok(engine.run(&call)) })
        });
        (store_over(config(wire)), counted)
    }

    /// A store whose process dies after so many calls. Its last one takes effect and loses its answer, or is never sent.
    pub(crate) fn store_that_dies_after(&self, calls: i64, answer_lost: bool) -> Store {
        let engine = self.clone();
        let left = Arc::new(AtomicI64::new(calls));
        let wire = Wire::new(move |call| {
            let (engine, left) = (engine.clone(), left.clone());
            Box::pin(async move {
                let before = left.fetch_sub(1, Ordering::SeqCst);
                if before < 1 || (before == 1 && !answer_lost) {
                    return Err(dead());
                }
                tokio::task::yield_now().await;
                let reply = engine.run(&call);
                (left.load(Ordering::SeqCst) > 0).then_some(reply).ok_or_else(dead)
            })
        });
        store_over(config(wire))
    }

    /// A store whose nth call, from 1, fails, before or after it took effect.
    pub(crate) fn store_that_fails_call(&self, nth: i64, takes_effect: bool) -> Store {
        let (engine, left) = (self.clone(), Arc::new(AtomicI64::new(nth)));
        let wire = Wire::new(move |call| {
            let (engine, left) = (engine.clone(), left.clone());
            Box::pin(async move {
                if left.fetch_sub(1, Ordering::SeqCst) != 1 {
                    return Ok(engine.run(&call));
                }
                if takes_effect {
                    engine.run(&call);
                }
                Err(dead())
            })
        });
        store_over(config(wire))
    }

    /// A store of whose requests every other one fails its first statement with this code, before or after that took effect.
    pub(crate) fn store_that_fails_statements(&self, code: &'static str, takes_effect: bool) -> Store {
        let (engine, requests) = (self.clone(), Arc::new(AtomicI64::new(0)));
        let wire = Wire::new(move |mut call| {
            let engine = engine.clone();
            let fails = call.operation == "BatchExecuteStatement" && requests.fetch_add(1, Ordering::SeqCst) % 2 == 0;
            Box::pin(async move {
                if !fails {
                    return Ok(engine.run(&call));
                }
                let failed = json!({ "Error": { "Code": code, "Message": "not now" } });
                let mut request: Value = serde_json::from_str(&call.body).unwrap();
                let statements = request["Statements"].as_array_mut().unwrap();
                if !takes_effect {
                    statements.remove(0);
                }
                let mut responses = Vec::new();
                if !statements.is_empty() {
                    call.body = request.to_string();
                    let answer: Value = serde_json::from_str(&engine.run(&call).body).unwrap();
                    responses.clone_from(answer["Responses"].as_array().unwrap());
                }
                if takes_effect {
                    responses.remove(0);
                }
                responses.insert(0, failed);
                Ok(Reply::success(&json!({ "Responses": responses })))
            })
        });
        store_over(config(wire))
    }

    /// A store that runs no statement of which this is true: each is throttled, however often it is sent.
    pub(crate) fn store_that_refuses(&self, is_refused: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Store {
        let engine = self.clone();
        let wire = Wire::new(move |call| {
            let reply = engine.run_but(&call, &is_refused);
            Box::pin(async move { Ok(reply) })
        });
        store_over(config(wire))
    }

    /// Lets a call take effect, but for the statements of which this is true.
    pub(crate) fn run_but(&self, call: &Call, is_refused: &dyn Fn(&Value) -> bool) -> Reply {
        if call.operation != "BatchExecuteStatement" {
            return self.run(call);
        }
        let request: Value = serde_json::from_str(&call.body).unwrap();
        let respond = |statement: &Value| {
            if is_refused(statement) {
                return json!({ "Error": { "Code": "ThrottlingError", "Message": "not now" } });
            }
            let body = json!({ "Statements": [statement] });
            self.call(&call.operation, &body)["Responses"][0].clone()
        };
        let responses: Vec<Value> = request["Statements"].as_array().unwrap().iter().map(respond).collect();
        Reply::success(&json!({ "Responses": responses }))
    }

    /// A store whose calls are carried like this.
    pub(crate) fn store_by(&self, carry: impl Fn(&Self, Call) -> Carried + Send + Sync + 'static) -> Store {
        let engine = self.clone();
        store_over(config(Wire::new(move |call| carry(&engine, call))))
    }

    /// A store whose calls take effect until so many have; each of the others waits for a permit.
    pub(crate) fn store_held_up_after(&self, calls: usize) -> (Store, Arc<Semaphore>) {
        let (engine, permits) = (self.clone(), Arc::new(Semaphore::new(calls)));
        let of_calls = permits.clone();
        let wire = Wire::new(move |call| {
            let (engine, permits) = (engine.clone(), of_calls.clone());
            Box::pin(async move {
                permits.acquire().await.map_err(|_| dead())?.forget();
                Ok(engine.run(&call))
            })
        });
        (store_over(config(wire)), permits)
    }

    pub(crate) async fn user(&self, id: UserId) {
        let profile = Profile {
            nickname: format!("user {id}"),
            phone_number: format!("+{id:010}"),
            created_at_ms: NOW,
        };
        self.store().create_account(id, &profile, "no hash").await.unwrap();
    }
}

/// The moment at which it is asked.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline is a point of this process's own clock"
)]
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// A deadline that no test reaches.
pub(crate) fn deadline() -> Instant {
    moment() + Duration::from_hours(1)
}

/// A queue that keeps what it is given, in order, repeats and all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collected {
    deliveries: Arc<Mutex<Vec<Task>>>,
    finishes: Arc<Mutex<Vec<Task>>>,
}

impl Collected {
    /// What it was given since the last time, but for what finishes changes.
    pub(crate) fn take(&self) -> Vec<Task> {
        std::mem::take(&mut self.deliveries.lock().unwrap())
    }

    /// What finishes changes, since the last time.
    pub(crate) fn take_finishes(&self) -> Vec<Task> {
        std::mem::take(&mut self.finishes.lock().unwrap())
    }

    /// Carries out what finishes changes; keeps what is to come again.
    pub(crate) async fn finish(&self, store: &Store, now_ms: i64) {
        for task in self.take_finishes() {
            let Task::Finish { group, version, at_ms } = task else {
                panic!("{task:?}")
            };
            let finished = store.finish_left_change(self, group, version, at_ms, now_ms).await;
            if finished.unwrap() != Finished::Yes {
                self.finishes.lock().unwrap().push(task);
            }
        }
    }
}

impl TaskQueue for Collected {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        let is_finish = |task: &&Task| matches!(task, Task::Finish { .. });
        let (finishes, deliveries): (Vec<&Task>, Vec<&Task>) = tasks.iter().partition(is_finish);
        self.finishes.lock().unwrap().extend(finishes.into_iter().cloned());
        self.deliveries.lock().unwrap().extend(deliveries.into_iter().cloned());
        Ok(())
    }
}

/// A queue that nothing reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutOfReach;

impl TaskQueue for OutOfReach {
    async fn enqueue(&self, _: &[Task]) -> Result<(), StoreError> {
        Err(StoreError::Failed {
            operation: "SendMessageBatch",
            source: "nobody answers".into(),
        })
    }
}

/// Whether a statement is about a user's inbox.
pub(crate) fn is_of_inbox(statement: &Value, user: UserId) -> bool {
    let parameters = statement["Parameters"].as_array().into_iter().flatten();
    let inbox = format!("u{user}");
    parameters.into_iter().any(|parameter| parameter["S"] == inbox.as_str())
}

/// How many calls there were of each operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<BTreeMap<String, usize>>>);

impl Counted {
    /// Those since the last time, by name.
    pub(crate) fn take(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().collect()
    }
}

/// Settings of a client whose calls are carried by `wire`.
pub(crate) fn config(wire: Wire) -> Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .allow_no_auth()
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(NoTime)
        .http_client(wire)
}

pub(crate) fn store_over(config: Builder) -> Store {
    Store::new(config, "timelines", "directory")
}

fn dead() -> ConnectorError {
    ConnectorError::user("the process is dead".into())
}

pub(crate) fn phone() -> DeviceKey {
    DeviceKey::of(1, "phone")
}

pub(crate) fn draft(client_id: u64, content: &str) -> Draft {
    let key = MessageKey {
        sender: 1,
        device: phone(),
        session: 10,
        client_id,
    };
    Draft {
        key,
        message_type: 1,
        content: content.as_bytes().to_vec(),
    }
}

pub(crate) async fn send(store: &Store, draft: &Draft) -> Result<Sent, SendError> {
    store.send(draft, 2, MessagesFrom::Anyone, NOW).await
}
