//! Stores over the engine whose calls fail, wait, hang or are counted.

use super::Engine;
use super::wire::{Call, PendingReply, Reply, Wire, config, store_over};
use aws_sdk_dynamodb::config::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use wigwag_store::Store;

impl Engine {
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

    /// A store whose process dies after `calls` calls: the last one runs and its answer is lost, or
    /// it is never sent.
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

    /// A store whose `nth` call (from 1) fails, before or after it ran.
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

    /// A store that fails the first statement of every other bulk request with this code, before or
    /// after the statement ran.
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

    /// A store that throttles every statement that `is_refused` picks, however often it is sent.
    pub(crate) fn store_that_refuses(&self, is_refused: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Store {
        let engine = self.clone();
        let wire = Wire::new(move |call| {
            let reply = engine.run_except(&call, &is_refused);
            Box::pin(async move { Ok(reply) })
        });
        store_over(config(wire))
    }

    /// A store whose calls are answered by this function.
    pub(crate) fn store_by(&self, answer: impl Fn(&Self, Call) -> PendingReply + Send + Sync + 'static) -> Store {
        let engine = self.clone();
        store_over(config(Wire::new(move |call| answer(&engine, call))))
    }

    /// A store whose first `calls` calls run; each later one waits for a permit.
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

    /// A store whose bulk requests after the first `answered` are never answered.
    ///
    /// Its waits are real, so that a deadline can end them. The counter says how many bulk requests
    /// were sent.
    pub(crate) fn store_that_hangs_after(&self, answered: usize) -> (Store, Arc<AtomicUsize>) {
        let (engine, sent) = (self.clone(), Arc::new(AtomicUsize::new(0)));
        let count = sent.clone();
        let wire = Wire::new(move |call| {
            let (engine, count) = (engine.clone(), count.clone());
            Box::pin(async move {
                if call.operation == "BatchExecuteStatement" && count.fetch_add(1, Ordering::SeqCst) >= answered {
                    std::future::pending::<()>().await;
                }
                Ok(engine.run(&call))
            })
        });
        (store_over(config(wire).sleep_impl(RealTime)), sent)
    }
}

/// A clock that waits as long as it is told to.
#[derive(Debug)]
struct RealTime;

impl AsyncSleep for RealTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}

fn dead() -> ConnectorError {
    ConnectorError::user("the process is dead".into())
}

/// The number of calls of each operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<BTreeMap<String, usize>>>);

impl Counted {
    /// The calls since the last time, by operation.
    pub(crate) fn take(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().collect()
    }
}
