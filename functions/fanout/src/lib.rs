//! The worker of the fan-out queue. Message groups are worked on at the same time, each in its
//! order: a task that fails ends its group, and it and the tasks behind it come again. Tasks for
//! the same recipients that follow each other are one run, which is one piece of work. Pushes are
//! gathered over the groups that end at about the same time, so that a device gets one frame.
//!
//! Tasks come again like this:
//!
//! - a task that failed, and those behind it: after the visibility timeout of thirty seconds
//! - tasks that there was no time for: at once, if a task of their group was done, or if they have
//!   not been tried often
//! - the first task of a group that was handed out [twelve times](GIVE_UP) over [five
//!   minutes](GIVE_UP_AFTER) and fails once more: not at all. The worker puts it into the
//!   dead-letter queue, or the queue would also move those behind it, which were handed out as
//!   often.

mod message_group;
mod pushes;
mod work;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use lambda_runtime::Context;
use message_group::MessageGroup;
use pushes::Pushes;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{timeout, timeout_at};
use wigwag_edge::{ConfigError, Error, Pusher, Queue, clients, clock};
use wigwag_store::Store;

/// Message groups that are worked on at once, besides slow ones.
const CONCURRENCY: usize = 5;

/// After this long a group counts as slow, and the next one begins.
const SLOW: Duration = Duration::from_millis(700);

/// How long groups that ended wait for others, so that a device gets the messages of several groups
/// in one frame.
const GATHERING: Duration = Duration::from_millis(200);

/// How often a group is handed back at once if nothing of it was done in time. After that,
/// something is slow for longer, and more tries would use up its receives (`maxReceiveCount` in
/// `template.yaml`).
const QUICK_TRIES: u32 = 4;

/// How often a task is handed out before the worker gives it up.
pub const GIVE_UP: u32 = 12;

/// And for how long: tasks that are handed back at once are soon handed out twelve times.
pub const GIVE_UP_AFTER: Duration = Duration::from_mins(5);

/// The longest that putting a task into the dead-letter queue may take.
const GIVING_UP: Duration = Duration::from_millis(500);

/// Time that is kept for the answer.
const ANSWERING: Duration = Duration::from_millis(300);

/// Time that is kept for pushes.
const PUSHING: Duration = Duration::from_millis(1200);

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct State {
    /// The tables.
    pub store: Store,
    /// The way to devices.
    pub pusher: Pusher,
    /// The queue that tasks come from, and that further tasks go to.
    pub queue: Queue,
    /// The queue for tasks that cannot be read or that were given up.
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

/// When the work and the pushes must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For the work itself.
    pub work: Instant,
    /// For pushes.
    pub pushes: Instant,
}

impl Deadlines {
    /// The deadlines of an invocation.
    pub fn from_context(context: &Context) -> Self {
        Self {
            work: clock::deadline(context, ANSWERING + PUSHING),
            pushes: clock::deadline(context, ANSWERING),
        }
    }
}

/// Works on a batch. Answers with the records that are to come again.
pub async fn handle(
    state: &State,
    event: SqsEvent,
    deadlines: Deadlines,
    now_ms: i64,
) -> Result<SqsBatchResponse, Error> {
    let groups = message_group::split(event.records)?;
    let slots = Semaphore::new(CONCURRENCY);
    let (ended, pushes) = unbounded_channel();
    let work = async {
        let outcomes = join_all(groups.iter().map(async |group| {
            let mut outcome = in_its_turn(&slots, work_on(state, group, deadlines.work, now_ms)).await;
            // The pushes end when the last group has ended.
            let _ = ended.send(std::mem::take(&mut outcome.pushes));
            outcome
        }))
        .await;
        drop(ended);
        let (response, late) = answer(&groups, &outcomes);
        // If there is no time for that, they come again after the visibility timeout.
        let _ = timeout_at(deadlines.pushes.into(), hand_back(state, &late)).await;
        response
    };
    let (response, ()) = tokio::join!(work, push(state, pushes, deadlines.pushes, now_ms));
    Ok(response)
}

/// Works on a group when it is its turn. A slow group does not keep others from beginning.
async fn in_its_turn(slots: &Semaphore, work: impl Future<Output = Outcome>) -> Outcome {
    let slot = slots.acquire().await;
    let mut work = pin!(work);
    if let Ok(outcome) = timeout(SLOW, work.as_mut()).await {
        return outcome;
    }
    drop(slot);
    work.await
}

/// Pushes for the groups as they end: those that end at about the same time together.
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

/// The records that are to come again, and the receipts of those that are to come at once.
fn answer<'a>(groups: &'a [MessageGroup], outcomes: &[Outcome]) -> (SqsBatchResponse, Vec<&'a str>) {
    let (mut response, mut late) = (SqsBatchResponse::default(), Vec::new());
    for (group, outcome) in groups.iter().zip(outcomes) {
        let hands_back = outcome.hands_back(group);
        for record in &group.records[outcome.done..] {
            response.add_failure(&record.id);
            if hands_back {
                late.push(record.receipt.as_str());
            }
        }
    }
    (response, late)
}

/// How far the work on a group came.
#[derive(Debug, Default)]
struct Outcome {
    /// How many records are done, from the first on.
    done: usize,
    /// How many of those were given up.
    given_up: usize,
    /// Whether time ran out.
    is_late: bool,
    pushes: Pushes,
}

impl Outcome {
    /// Whether the rest of the group comes again at once.
    fn hands_back(&self, group: &MessageGroup) -> bool {
        let is_new = || group.records.iter().all(|record| record.receives <= QUICK_TRIES);
        self.is_late && (self.done > self.given_up || is_new())
    }
}

/// Works on a group until its end, or until a task fails.
async fn work_on(state: &State, group: &MessageGroup, deadline: Instant, now_ms: i64) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(run) = group.run(outcome.done) {
        let worked = work::work_on(state, group, run, deadline, now_ms, &mut outcome.pushes).await;
        outcome.done += worked.done;
        if worked.done == run.len() {
            continue;
        }
        if worked.is_later {
            break;
        }
        let (group_id, done, of) = (group.id.as_str(), outcome.done, group.records.len());
        let why = if let Some(error) = worked.error {
            tracing::error!(message_group = group_id, done, of, error = &*error, "a task failed");
            error.to_string()
        } else {
            tracing::warn!(message_group = group_id, done, of, "time ran out");
            outcome.is_late = true;
            "time ran out".to_owned()
        };
        if done > 0 || !gives_up(state, group, &why, now_ms).await {
            break;
        }
        (outcome.done, outcome.given_up) = (1, 1);
    }
    outcome
}

/// Puts the first task of a group, which failed, into the dead-letter queue if it was handed out
/// often enough; answers whether it did. Tasks behind it were handed out as often, but not tried.
async fn gives_up(state: &State, group: &MessageGroup, why: &str, now_ms: i64) -> bool {
    let Some(record) = group.records.first() else {
        return false;
    };
    let for_ms = u128::try_from(now_ms.saturating_sub(record.first_received_ms)).unwrap_or(0);
    if record.receives < GIVE_UP || for_ms < GIVE_UP_AFTER.as_millis() {
        return false;
    }
    let receives = record.receives;
    let reason = format!("handed out {receives} times, and then: {why}");
    // If time ran out there is little left. The queue drops a second attempt at it.
    match timeout(GIVING_UP, work::dead_letter(state, group, record, &reason)).await {
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

/// Hands back tasks that there was no time for, so that they need not wait for the visibility
/// timeout. If this fails, they wait.
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
    use message_group::Record;
    use wigwag_domain::task::Task;

    fn group(receives: &[u32]) -> MessageGroup {
        let record = |&receives: &u32| Record {
            id: "1".to_owned(),
            receipt: "receipt".to_owned(),
            body: String::new(),
            task: Task::from_body("no task"),
            receives,
            first_received_ms: 0,
        };
        MessageGroup {
            id: "a".to_owned(),
            records: receives.iter().map(record).collect(),
        }
    }

    #[test]
    fn a_group_that_ran_out_of_time_is_handed_back_if_it_progressed_or_is_new() {
        let outcome = |done, given_up, is_late| Outcome {
            done,
            given_up,
            is_late,
            pushes: Pushes::default(),
        };
        let hands_back = |done, is_late, receives: &[u32]| outcome(done, 0, is_late).hands_back(&group(receives));
        assert!(hands_back(3, true, &[9, 9, 9, 9]));
        assert!(hands_back(0, true, &[4, 1]));
        assert!(!hands_back(0, true, &[5, 1]), "nothing is ever done");
        assert!(
            !hands_back(0, true, &[1, 5]),
            "nor of what was handed out with others before"
        );
        assert!(!hands_back(3, false, &[1, 1, 1, 1]), "a task failed");
        assert!(
            !outcome(1, 1, true).hands_back(&group(&[12, 9])),
            "what was given up is not what was done"
        );
    }

    /// If groups waited for each other, they would wait for ever: each ends when the last has
    /// begun.
    #[tokio::test(start_paused = true)]
    async fn a_slow_message_group_does_not_delay_others() {
        let slots = Semaphore::new(CONCURRENCY);
        let all_began = tokio::sync::Barrier::new(2 * CONCURRENCY);
        let groups = (0..2 * CONCURRENCY).map(|_| {
            in_its_turn(&slots, async {
                all_began.wait().await;
                Outcome::default()
            })
        });
        let ended = timeout(3 * SLOW, join_all(groups)).await;
        assert!(ended.is_ok());
    }
}
