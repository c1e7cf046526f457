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
    /// Where everything stands.
    pub store: Store,
    /// The way to devices.
    pub pusher: Pusher,
    /// Where tasks come from, and where a task enqueues others.
    pub queue: Queue,
    /// Where what cannot be read goes.
    pub dead_letters: Queue,
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
    /// For the work itself.
    pub work: Instant,
    /// For pushes.
    pub pushes: Instant,
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
    let outcomes: Vec<Outcome> = work.buffered(CONCURRENCY).collect().await;
    let (mut pushes, mut late) = (Pushes::default(), Vec::new());
    let mut response = SqsBatchResponse::default();
    for (line, outcome) in lines.iter().zip(outcomes) {
        let hands_back = outcome.hands_back();
        pushes.extend(outcome.pushes);
        for record in &line.records[outcome.done..] {
            response.add_failure(&record.id);
            if hands_back {
                late.push(record.receipt.as_str());
            }
        }
    }
    let pushes = pushes.into_pushes();
    let push = state.pusher.push(&state.store, pushes, deadlines.pushes, now_ms);
    tokio::join!(push, hand_back(state, &late));
    Ok(response)
}

/// How far a line came.
struct Outcome {
    /// How many of its records are done, from the first on.
    done: usize,
    /// Whether it was the time that did not suffice.
    is_late: bool,
    pushes: Pushes,
}

impl Outcome {
    /// Whether what is left of the line comes again at once. Where nothing at all could be done something is slow, and to try at once
    /// would only use up the times that the queue hands it out.
    fn hands_back(&self) -> bool {
        self.is_late && self.done > 0
    }
}

/// Works on a line until its end, or until a task fails.
async fn work_on(state: &State, line: &Line, deadline: Instant, now_ms: i64) -> Outcome {
    let mut outcome = Outcome {
        done: 0,
        is_late: false,
        pushes: Pushes::default(),
    };
    for stretch in line.stretches() {
        let worked = work::work_on(state, line, stretch, deadline, now_ms, &mut outcome.pushes).await;
        outcome.done += worked.done;
        if worked.done == stretch.len() {
            continue;
        }
        if worked.is_later {
            break;
        }
        let (line_id, done, of) = (line.ordering.as_str(), outcome.done, line.records.len());
        if let Some(error) = worked.error {
            tracing::error!(line = line_id, done, of, error = &*error, "a task failed");
        } else {
            tracing::warn!(line = line_id, done, of, "time ran out");
            outcome.is_late = true;
        }
        break;
    }
    outcome
}

/// What there was no time for need not wait until the queue counts it as lost, as what failed does. Where this fails, it waits.
async fn hand_back(state: &State, receipts: &[&str]) {
    if receipts.is_empty() {
        return;
    }
    if let Err(error) = state.queue.hand_back(receipts, Duration::ZERO).await {
        tracing::warn!(%error, "could not hand back what there was no time for");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_handed_back_where_it_came_on_and_time_ran_out() {
        let outcome = |done, is_late| Outcome {
            done,
            is_late,
            pushes: Pushes::default(),
        };
        assert!(outcome(3, true).hands_back());
        assert!(!outcome(0, true).hands_back(), "nothing was done");
        assert!(!outcome(3, false).hands_back(), "a task failed");
    }
}
