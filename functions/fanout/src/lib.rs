//! The worker of the fan-out queue.
//!
//! ```text
//! records ─► lines, one per message group ─► stretches of tasks alike ─► the store, the queue
//!                                                                     └─► pushes, device by device
//! ```
//!
//! Lines are worked on side by side, each in its order: the queue holds back what follows in a line until this batch is answered, so
//! the first task that fails ends its line, and it and all behind it come again. Tasks alike that follow each other are one piece of
//! work. What is to be pushed is gathered over the whole batch, so that a device gets one frame of it, and pushed at the end:
//! whether that succeeds changes nothing about the answer.

mod line;
mod pushes;
mod work;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt as _, stream};
use lambda_runtime::Context;
use line::Line;
use pushes::Pushes;
use std::time::{Duration, Instant};
use wigwag_edge::{ConfigError, Error, Pusher, Queue, clients, clock};
use wigwag_store::Store;

/// Lines that are worked on at once.
const CONCURRENCY: usize = 5;

/// What is kept of the time for the answer.
const ANSWERING: Duration = Duration::from_millis(300);

/// What is kept of the time for pushes.
const PUSHING: Duration = Duration::from_millis(1200);

/// What the function keeps between events.
#[derive(Debug)]
pub struct State {
    store: Store,
    pusher: Pusher,
    queue: Queue,
    dead_letters: Queue,
}

impl State {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            store: clients::store()?,
            pusher: clients::pusher()?,
            queue: clients::fanout_queue()?,
            dead_letters: clients::fanout_dead_letter_queue()?,
        })
    }
}

/// When what must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    work: Instant,
    pushes: Instant,
}

impl Deadlines {
    /// Of an invocation.
    pub fn of(context: &Context) -> Self {
        Self {
            work: clock::deadline(context, ANSWERING + PUSHING),
            pushes: clock::deadline(context, ANSWERING),
        }
    }
}

/// Works on a batch. Answers with the messages that are to come again.
pub async fn handle(
    state: &State,
    event: SqsEvent,
    deadlines: Deadlines,
    now_ms: i64,
) -> Result<SqsBatchResponse, Error> {
    let lines = line::of(event.records)?;
    let work = stream::iter(&lines).map(|line| work_on(state, line, deadlines.work, now_ms));
    let outcomes: Vec<_> = work.buffered(CONCURRENCY).collect().await;
    let mut pushes = Pushes::default();
    let mut response = SqsBatchResponse::default();
    for (line, (done, its_pushes)) in lines.iter().zip(outcomes) {
        pushes.extend(its_pushes);
        for record in &line.records[done..] {
            response.add_failure(&record.id);
        }
    }
    let pushes = pushes.into_pushes();
    state.pusher.push(&state.store, pushes, deadlines.pushes, now_ms).await;
    Ok(response)
}

/// Works on a line until its end, or until a task fails. Answers with how many of its records are done, from the first on.
async fn work_on(state: &State, line: &Line, deadline: Instant, now_ms: i64) -> (usize, Pushes) {
    let (mut done, mut pushes) = (0, Pushes::default());
    for stretch in line.stretches() {
        let result = work::work_on(state, line, stretch, deadline, now_ms, &mut pushes).await;
        done += result.done;
        if result.done < stretch.len() {
            match result.error {
                Some(error) => {
                    tracing::error!(
                        line = line.ordering,
                        done,
                        of = line.records.len(),
                        error = &*error,
                        "a task failed"
                    );
                }
                None => tracing::warn!(line = line.ordering, done, of = line.records.len(), "time ran out"),
            }
            break;
        }
    }
    (done, pushes)
}
