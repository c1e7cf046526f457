//! The worker of the fan-out queue.
//!
//! ```text
//! records ─► lines, one per message group ─► stretches of tasks alike ─► the store, the queue
//!                                                                     └─► pushes, device by device
//! ```
//!
//! Lines are worked on side by side, each in its order: the queue holds back what follows in a line until this batch is answered, so
//! the first task that fails ends its line, and it and all behind it come again. Tasks alike that follow each other are one piece of
//! work. What is to be pushed is gathered over the lines that end at about the same time, so that a device gets one frame of it;
//! whether that succeeds changes nothing about the answer.
//!
//! What comes again:
//!
//! - A task that failed, and all behind it: when the queue counts them as lost, after thirty seconds.
//! - What there was no time for: at once, if something of its line was done, or if it has not been tried often.
//! - A task at the head of its line that was handed out [twelve times](GIVE_UP), over [five minutes](GIVE_UP_AFTER), and fails once more: not at
//!   all. It goes to the dead-letter queue, or those behind it, which have been handed out as often, would go there with it when the queue
//!   loses patience.

mod line;
mod pushes;
mod work;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use lambda_runtime::Context;
use line::Line;
use pushes::Pushes;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{timeout, timeout_at};
use wigwag_edge::{ConfigError, Error, Pusher, Queue, clients, clock};
use wigwag_store::Store;

/// Lines that are worked on at once, beside those that are slow.
const CONCURRENCY: usize = 5;

/// After so long a line is a slow one, and the next begins.
const SLOW: Duration = Duration::from_millis(700);

/// How long those that have ended wait for others to end, so that devices get what is in several lines in one frame.
const GATHERING: Duration = Duration::from_millis(200);

/// How often a line of which nothing could be done in time is handed back at once. After that something is slow for longer, and to
/// try at once would only use up the times that the queue hands it out (`maxReceiveCount` in `template.yaml`).
const QUICK_TRIES: u32 = 4;

/// How often a task is handed out before the worker gives it up.
pub const GIVE_UP: u32 = 12;

/// For how long it is: what is handed back at once is soon handed out twelve times.
pub const GIVE_UP_AFTER: Duration = Duration::from_mins(5);

/// What putting a task into the dead-letter queue may take.
const GIVING_UP: Duration = Duration::from_millis(500);

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
    let slots = Semaphore::new(CONCURRENCY);
    let (ended, pushes) = unbounded_channel();
    let work = async {
        let outcomes = join_all(lines.iter().map(async |line| {
            let mut outcome = in_its_turn(&slots, work_on(state, line, deadlines.work, now_ms)).await;
            // Who pushes listens until the last line has ended.
            let _ = ended.send(std::mem::take(&mut outcome.pushes));
            outcome
        }))
        .await;
        drop(ended);
        let (response, late) = answer(&lines, &outcomes);
        // Where there is no time for that, they come when the queue counts them as lost.
        let _ = timeout_at(deadlines.pushes.into(), hand_back(state, &late)).await;
        response
    };
    let (response, ()) = tokio::join!(work, push(state, pushes, deadlines.pushes, now_ms));
    Ok(response)
}

/// Works on a line when it is its turn. One that is slow keeps no other from beginning.
async fn in_its_turn(slots: &Semaphore, work: impl Future<Output = Outcome>) -> Outcome {
    let slot = slots.acquire().await;
    let mut work = pin!(work);
    if let Ok(outcome) = timeout(SLOW, work.as_mut()).await {
        return outcome;
    }
    drop(slot);
    work.await
}

/// Pushes what lines leave as they end: those that end at about the same time together.
async fn push(state: &State, ended: UnboundedReceiver<Pushes>, deadline: Instant, now_ms: i64) {
    let gathered = stream::unfold(ended, async |mut ended| {
        let mut pushes = ended.recv().await?;
        let mut others = pin!(tokio::time::sleep(GATHERING));
        loop {
            tokio::select! {
                biased;
                next = ended.recv() => match next {
                    Some(more) => pushes.extend(more),
                    None => break,
                },
                () = &mut others => break,
            }
        }
        Some((pushes, ended))
    });
    let push = async |pushes: Pushes| {
        let pushes = pushes.into_pushes();
        state.pusher.push(&state.store, pushes, deadline, now_ms).await;
    };
    gathered.for_each_concurrent(None, push).await;
}

/// The messages that are to come again, and the receipts of those of them that are to come at once.
fn answer<'a>(lines: &'a [Line], outcomes: &[Outcome]) -> (SqsBatchResponse, Vec<&'a str>) {
    let (mut response, mut late) = (SqsBatchResponse::default(), Vec::new());
    for (line, outcome) in lines.iter().zip(outcomes) {
        let hands_back = outcome.hands_back(line);
        for record in &line.records[outcome.done..] {
            response.add_failure(&record.id);
            if hands_back {
                late.push(record.receipt.as_str());
            }
        }
    }
    (response, late)
}

/// How far a line came.
#[derive(Debug, Default)]
struct Outcome {
    /// How many of its records are done, from the first on.
    done: usize,
    /// How many of those were given up.
    given_up: usize,
    /// Whether it was the time that did not suffice.
    is_late: bool,
    pushes: Pushes,
}

impl Outcome {
    /// Whether what is left of the line comes again at once.
    fn hands_back(&self, line: &Line) -> bool {
        let is_new = || line.records.iter().all(|record| record.receives <= QUICK_TRIES);
        self.is_late && (self.done > self.given_up || is_new())
    }
}

/// Works on a line until its end, or until a task fails.
async fn work_on(state: &State, line: &Line, deadline: Instant, now_ms: i64) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(stretch) = line.stretch(outcome.done) {
        let worked = work::work_on(state, line, stretch, deadline, now_ms, &mut outcome.pushes).await;
        outcome.done += worked.done;
        if worked.done == stretch.len() {
            continue;
        }
        if worked.is_later {
            break;
        }
        let (line_id, done, of) = (line.ordering.as_str(), outcome.done, line.records.len());
        let why = if let Some(error) = worked.error {
            tracing::error!(line = line_id, done, of, error = &*error, "a task failed");
            error.to_string()
        } else {
            tracing::warn!(line = line_id, done, of, "time ran out");
            outcome.is_late = true;
            "time ran out".to_owned()
        };
        if done > 0 || !gives_up(state, line, &why, now_ms).await {
            break;
        }
        (outcome.done, outcome.given_up) = (1, 1);
    }
    outcome
}

/// Puts the task that leads its line and failed to the dead letters, if it was handed out often enough; answers whether it did. One behind
/// it has not been tried as often as it was handed out.
async fn gives_up(state: &State, line: &Line, why: &str, now_ms: i64) -> bool {
    let Some(record) = line.records.first() else {
        return false;
    };
    let for_ms = u128::try_from(now_ms.saturating_sub(record.first_received_ms)).unwrap_or(0);
    if record.receives < GIVE_UP || for_ms < GIVE_UP_AFTER.as_millis() {
        return false;
    }
    let receives = record.receives;
    let reason = format!("handed out {receives} times, and then: {why}");
    // Where time ran out there is little left. A second attempt at it is dropped by the queue.
    match timeout(GIVING_UP, work::bury(state, line, record, &reason)).await {
        Ok(Ok(())) => {
            tracing::error!(message.id = record.id, receives, "a task goes to the dead-letter queue");
            true
        }
        Ok(Err(error)) => {
            tracing::error!(message.id = record.id, %error, "a task could not be put into the dead-letter queue");
            false
        }
        Err(_) => {
            tracing::error!(
                message.id = record.id,
                "there was no time to put a task into the dead-letter queue"
            );
            false
        }
    }
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
    use line::Record;
    use wigwag_store::fanout::Task;

    fn line(receives: &[u32]) -> Line {
        let record = |&receives: &u32| Record {
            id: "1".to_owned(),
            receipt: "receipt".to_owned(),
            body: String::new(),
            task: Task::from_body("no task"),
            receives,
            first_received_ms: 0,
        };
        Line {
            ordering: "a".to_owned(),
            records: receives.iter().map(record).collect(),
        }
    }

    #[test]
    fn a_line_is_handed_back_where_time_ran_out_and_it_came_on_or_has_not_been_tried_often() {
        let outcome = |done, given_up, is_late| Outcome {
            done,
            given_up,
            is_late,
            pushes: Pushes::default(),
        };
        let hands_back = |done, is_late, receives: &[u32]| outcome(done, 0, is_late).hands_back(&line(receives));
        assert!(hands_back(3, true, &[9, 9, 9, 9]));
        assert!(hands_back(0, true, &[4, 1]));
        assert!(!hands_back(0, true, &[5, 1]), "nothing is ever done");
        assert!(
            !hands_back(0, true, &[1, 5]),
            "nor of what was handed out with others before"
        );
        assert!(!hands_back(3, false, &[1, 1, 1, 1]), "a task failed");
        assert!(
            !outcome(1, 1, true).hands_back(&line(&[12, 9])),
            "what was given up is not what was done"
        );
    }

    /// Lines that wait for others would wait for ever: each of these ends when the last has begun.
    #[tokio::test(start_paused = true)]
    async fn slow_lines_keep_no_other_from_beginning() {
        let slots = Semaphore::new(CONCURRENCY);
        let all_began = tokio::sync::Barrier::new(2 * CONCURRENCY);
        let lines = (0..2 * CONCURRENCY).map(|_| {
            in_its_turn(&slots, async {
                all_began.wait().await;
                Outcome::default()
            })
        });
        let ended = timeout(3 * SLOW, join_all(lines)).await;
        assert!(ended.is_ok());
    }
}
