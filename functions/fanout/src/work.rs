//! One run of a message group: tasks for the same recipients, carried out as one piece of work.

use crate::State;
use crate::message_group::{MessageGroup, Record};
use crate::pushes::Pushes;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag_domain::task::{ANNOUNCEMENT_MAX_AGE_MS, Audience, Logged, RoomContent, Task, per_shard};
use wigwag_domain::{GroupId, RoomId};
use wigwag_edge::push::{Content, Target};
use wigwag_messaging::TaskQueue as _;
use wigwag_messaging::announce::ShardRange;
use wigwag_messaging::deliver::{Delivered, Delivery, MemberPush};
use wigwag_messaging::finish_change::Finished;
use wigwag_protocol::pb::Message;
use wigwag_store::{StoreError, rooms};

/// Connections that one task pushes to in a room; the next task has the next ones.
const OCCUPANTS: u32 = 200;

/// The age in ms from which a frame to a room is not pushed any more: it is for devices that were
/// there.
const ROOM_MAX_AGE_MS: i64 = 60_000;

/// How soon a change that has just begun is looked at again.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// How the work on a run ended.
pub(crate) struct Worked {
    /// How many records are done, from the first on.
    pub(crate) done: usize,
    /// Why not all are; `None` if time ran out.
    pub(crate) error: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Whether the rest is to come later, and was handed back.
    pub(crate) is_later: bool,
}

impl Worked {
    /// All done, or none.
    fn from_result(count: usize, result: Result<(), StoreError>) -> Self {
        match result {
            Ok(()) => Self {
                done: count,
                error: None,
                is_later: false,
            },
            Err(error) => Self {
                done: 0,
                error: Some(error.into()),
                is_later: false,
            },
        }
    }

    /// Nothing done, because time ran out.
    fn late() -> Self {
        Self {
            done: 0,
            error: None,
            is_later: false,
        }
    }

    /// Nothing done, because it is too early.
    fn later() -> Self {
        Self {
            is_later: true,
            ..Self::late()
        }
    }
}

/// Carries out a run. Its pushes are added to `pushes`.
pub(crate) async fn work_on(
    state: &State,
    group: &MessageGroup,
    run: &[Record],
    deadline: Instant,
    now_ms: i64,
    pushes: &mut Pushes,
) -> Worked {
    let worker = Worker {
        state,
        run,
        deadline,
        now_ms,
        pushes,
    };
    let Some(first) = run.first() else {
        return Worked::from_result(0, Ok(()));
    };
    if let Ok(Task::Deliver { group, audience, .. }) = &first.task {
        // It watches the clock itself, because an orderly end is better than being cut off.
        return worker.deliver(*group, audience).await;
    }
    let work = async {
        match &first.task {
            Err(error) => {
                let location = error.location();
                tracing::error!(message.id = first.id, location, "a task goes to the dead-letter queue");
                Worked::from_result(1, dead_letter(state, group, first, &error.to_string()).await)
            }
            Ok(Task::Announce { group, shards, .. }) => worker.announce(*group, shards.clone()).await,
            Ok(Task::Room { room, after, .. }) => worker.room(*room, after.as_deref()).await,
            Ok(Task::Finish { group, version, at_ms }) => worker.finish(first, *group, *version, *at_ms).await,
            Ok(task) => worker.dispatch(task).await,
        }
    };
    let in_time = tokio::time::timeout_at(deadline.into(), work).await;
    in_time.unwrap_or_else(|_| Worked::late())
}

/// Puts a record into the dead-letter queue. A record that cannot be read, for example, would hold
/// up its group until the queue gives it up.
pub(crate) async fn dead_letter(
    state: &State,
    group: &MessageGroup,
    record: &Record,
    reason: &str,
) -> Result<(), StoreError> {
    // It may quote the body, and an attribute holds no control characters.
    let reason = reason.replace(char::is_control, " ");
    let dead_letters = &state.dead_letters;
    dead_letters
        .dead_letter(&record.body, &group.id, &record.id, &reason)
        .await
}

struct Worker<'a> {
    state: &'a State,
    run: &'a [Record],
    deadline: Instant,
    now_ms: i64,
    pushes: &'a mut Pushes,
}

impl Worker<'_> {
    async fn deliver(self, group: GroupId, audience: &Audience) -> Worked {
        let batch: Vec<Delivery> = self.run.iter().filter_map(delivery).collect();
        let State { store, queue, .. } = self.state;
        let Delivered { done, error, pushes } =
            wigwag_messaging::deliver(store, queue, group, audience, &batch, self.deadline, self.now_ms).await;
        self.add(pushes, batch.iter().map(|delivery| &delivery.logged));
        let error = error.map(Into::into);
        Worked {
            done,
            error,
            is_later: false,
        }
    }

    async fn announce(self, group: GroupId, shards: Range<u32>) -> Worked {
        let count = self.run.len();
        let fresh = self.run.iter().filter(|record| !is_stale(record, self.now_ms));
        let batch: Vec<Logged> = fresh.filter_map(announced).collect();
        if batch.is_empty() {
            return Worked::from_result(count, Ok(()));
        }
        let span = ShardRange { group, shards };
        match wigwag_messaging::announce(&self.state.store, &span, &batch, self.now_ms).await {
            Ok(pushes) => {
                self.add(pushes, batch.iter());
                Worked::from_result(count, Ok(()))
            }
            Err(error) => Worked::from_result(count, Err(error)),
        }
    }

    async fn dispatch(self, task: &Task) -> Worked {
        let Task::Dispatch {
            group,
            shards,
            super_group,
            logged,
            skip,
        } = task
        else {
            return Worked::from_result(1, Ok(()));
        };
        let tasks = per_shard(*group, *shards, *super_group, logged, *skip);
        Worked::from_result(1, self.state.queue.enqueue(&tasks).await)
    }

    /// The task comes when the change begins, and most changes are finished a moment later: so it
    /// looks again after a second, and if the change is not finished by then, once more when it counts as
    /// left.
    async fn finish(self, record: &Record, group: GroupId, version: u64, at_ms: i64) -> Worked {
        let State { store, queue, .. } = self.state;
        let finished = wigwag_messaging::finish_left_change(store, queue, group, version, at_ms, self.now_ms);
        let until_ms = match finished.await {
            Ok(Finished::Yes) => return Worked::from_result(1, Ok(())),
            Ok(Finished::NotBefore(until_ms)) => until_ms,
            Err(error) => return Worked::from_result(1, Err(error)),
        };
        let wait = if record.is_redelivered() {
            Duration::from_millis(u64::try_from(until_ms - self.now_ms).unwrap_or(0))
        } else {
            FIRST_LOOK
        };
        if let Err(error) = queue.hand_back(&[record.receipt.as_str()], wait).await {
            tracing::warn!(%error, group.id = group.0, version, "could not hand back a change that is not finished; it comes again");
        }
        Worked::later()
    }

    async fn room(self, room: RoomId, after: Option<&str>) -> Worked {
        let count = self.run.len();
        let (run, now_ms) = (self.run, self.now_ms);
        let fresh = || run.iter().filter(|record| !is_stale(record, now_ms));
        if fresh().next().is_none() {
            return Worked::from_result(count, Ok(()));
        }
        let page = rooms::occupants(&self.state.store, room, after, OCCUPANTS, self.now_ms).await;
        let (occupants, next) = match page {
            Ok(page) => page,
            Err(error) => return Worked::from_result(count, Err(error)),
        };
        // Before pushing, so that those further on need not wait for it.
        let following: Vec<Task> = next
            .iter()
            .flat_map(|next| fresh().filter_map(|record| continued(record, next)))
            .collect();
        if let Err(error) = self.state.queue.enqueue(&following).await {
            return Worked::from_result(count, Err(error));
        }
        let said: Vec<(&str, Content)> = fresh().filter_map(said).collect();
        for occupant in occupants {
            let id = &occupant.connection.id;
            let contents: Vec<Content> = said
                .iter()
                .filter(|(by, _)| by != id)
                .map(|(_, content)| content.clone())
                .collect();
            let target = Target {
                user: occupant.user,
                device: occupant.device,
                connection: occupant.connection,
                room: Some(room),
            };
            if !contents.is_empty() {
                self.pushes.add(target, contents);
            }
        }
        Worked::from_result(count, Ok(()))
    }

    fn add<'b>(self, inbounds: Vec<MemberPush>, batch: impl Iterator<Item = &'b Logged>) {
        let messages: HashMap<usize, Arc<Message>> = batch
            .enumerate()
            .map(|(index, logged)| (index, Arc::new(logged.message.clone())))
            .collect();
        for inbound in inbounds {
            let contents: Vec<Content> = inbound
                .messages
                .iter()
                .filter_map(|(seq, index)| {
                    let message = Arc::clone(messages.get(index)?);
                    Some(Content::Message { seq: *seq, message })
                })
                .collect();
            for target in Target::all(inbound.user, &inbound.head, self.now_ms) {
                self.pushes.add(target, contents.iter().cloned());
            }
        }
    }
}

fn delivery(record: &Record) -> Option<Delivery> {
    match &record.task {
        Ok(Task::Deliver { logged, skip, .. }) => Some(Delivery {
            logged: logged.clone(),
            skip: *skip,
            redelivered: record.is_redelivered(),
        }),
        _ => None,
    }
}

fn announced(record: &Record) -> Option<Logged> {
    match &record.task {
        Ok(Task::Announce { logged, .. }) => Some(logged.clone()),
        _ => None,
    }
}

/// The same for the occupants after that connection.
fn continued(record: &Record, next: &str) -> Option<Task> {
    match record.task.as_ref().ok()? {
        Task::Room {
            room,
            id,
            sender,
            connection,
            content,
            after: _,
        } => Some(Task::Room {
            room: *room,
            id: id.clone(),
            sender: *sender,
            connection: connection.clone(),
            content: content.clone(),
            after: Some(next.to_owned()),
        }),
        _ => None,
    }
}

/// Whether it is only to be pushed, and was said too long ago for that.
fn is_stale(record: &Record, now_ms: i64) -> bool {
    let (sent_ms, max_age_ms) = match &record.task {
        Ok(Task::Room { content, .. }) => {
            let sent_ms = match content {
                RoomContent::Message(message) => message.send_time,
                RoomContent::Signal(signal) => signal.send_time,
            };
            (sent_ms, ROOM_MAX_AGE_MS)
        }
        Ok(Task::Announce { logged, .. }) => (logged.message.send_time, ANNOUNCEMENT_MAX_AGE_MS),
        _ => return false,
    };
    now_ms.saturating_sub(sent_ms) > max_age_ms
}

/// The connection that said something in a room, and what.
fn said(record: &Record) -> Option<(&str, Content)> {
    match record.task.as_ref().ok()? {
        Task::Room {
            connection, content, ..
        } => {
            let content = match content {
                RoomContent::Message(message) => Content::Message {
                    seq: 0,
                    message: Arc::new(message.clone()),
                },
                RoomContent::Signal(signal) => Content::Signal(Arc::new(signal.clone())),
            };
            Some((connection, content))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_domain::UserId;
    use wigwag_domain::task::TaskError;
    use wigwag_protocol::pb::SignalMsg;

    const NOW: i64 = 1_800_000_000_000;

    fn record(task: Result<Task, TaskError>) -> Record {
        Record {
            id: "1".to_owned(),
            receipt: "receipt".to_owned(),
            body: String::new(),
            task,
            receives: 1,
            first_received_ms: NOW,
        }
    }

    fn in_room(content: RoomContent) -> Record {
        record(Ok(Task::Room {
            room: RoomId(5),
            id: "frame".to_owned(),
            sender: UserId(1),
            connection: "a=".to_owned(),
            content,
            after: None,
        }))
    }

    fn message(send_time: i64) -> Message {
        Message {
            send_time,
            ..Message::default()
        }
    }

    #[test]
    fn a_room_message_is_stale_after_a_minute() {
        let signal = |send_time| SignalMsg {
            send_time,
            ..SignalMsg::default()
        };
        for (age_ms, stale) in [(-5_000, false), (0, false), (60_000, false), (60_001, true)] {
            let (message, signal) = (message(NOW - age_ms), signal(NOW - age_ms));
            for content in [RoomContent::Message(message), RoomContent::Signal(signal)] {
                assert_eq!(is_stale(&in_room(content.clone()), NOW), stale, "{age_ms} {content:?}");
            }
        }
    }

    #[test]
    fn an_announcement_is_stale_after_a_quarter_of_an_hour() {
        let announced = |age_ms| {
            record(Ok(Task::Announce {
                group: GroupId(7),
                shards: 0..2,
                logged: Logged {
                    key: vec![1],
                    message: message(NOW - age_ms),
                },
            }))
        };
        for (age_ms, stale) in [(0, false), (900_000, false), (900_001, true)] {
            assert_eq!(is_stale(&announced(age_ms), NOW), stale, "{age_ms}");
        }
    }

    #[test]
    fn a_group_message_is_never_stale() {
        let logged = Logged {
            key: vec![1],
            message: message(0),
        };
        let deliver = Task::Deliver {
            group: GroupId(7),
            audience: Audience::Shard(0),
            logged,
            skip: None,
        };
        assert!(!is_stale(&record(Ok(deliver)), NOW));
        assert!(!is_stale(&record(Task::from_body("no task")), NOW));
    }
}
