//! Workers take tasks from the queue: they deliver messages, and finish the changes that others
//! have left.
//!
//! A task stays in the queue until its worker reports that it is done. Until then it may be handed
//! to another worker.

use super::{Outcome, Process};
use crate::harness::group::GROUP;
use crate::harness::{ABANDONED, NOW, deadline};
use crate::world::World;
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use std::collections::BTreeMap;
use wigwag_domain::UserId;
use wigwag_domain::task::{Audience, Task};
use wigwag_invariants::{Channel, DeviceIndex, Event, Observed};
use wigwag_messaging::deliver::{Delivered, Delivery};
use wigwag_messaging::finish_change::Finished;
use wigwag_protocol::pb::Message;
use wigwag_store::StoreError;

/// Workers that run at once.
const WORKERS_AT_ONCE: usize = 3;
/// Tasks that one worker is handed at most.
const BATCH: usize = 3;

/// All workers of a schedule, and the queue.
#[derive(Default)]
pub(crate) struct Workers {
    queued: Vec<QueuedTask>,
    /// The tasks of each running worker, by their ids in the queue; with the message if it is to be
    /// delivered.
    handed_out: BTreeMap<u32, Vec<(u32, Option<Message>)>>,
    started: u32,
    enqueued: u32,
    /// The connected device of each user, which is pushed messages.
    pub(crate) listeners: BTreeMap<UserId, DeviceIndex>,
    /// The user whose inbox refuses every statement for as long as there is anything else to do.
    pub(crate) refusing: Option<UserId>,
}

struct QueuedTask {
    id: u32,
    task: Task,
    /// How often it was handed out.
    handed_out: u32,
}

impl Workers {
    /// Puts tasks into the queue.
    pub(crate) fn enqueue(&mut self, tasks: Vec<Task>) {
        for task in tasks {
            self.enqueued += 1;
            self.queued.push(QueuedTask {
                id: self.enqueued,
                task,
                handed_out: 0,
            });
        }
    }

    pub(crate) fn has_nothing_to_do(&self) -> bool {
        self.queued.is_empty()
    }

    /// Whether a task is only for the user whose inbox refuses everything.
    fn is_in_vain(&self, task: &Task) -> bool {
        let Task::Deliver {
            audience: Audience::Pending { users, .. },
            ..
        } = task
        else {
            return false;
        };
        self.refusing.is_some_and(|user| *users == [user])
    }
}

impl World {
    /// Hands some tasks of one message group to a worker: mostly the first ones in their order, but
    /// not always.
    pub(crate) fn work(&mut self) {
        let working = self.running(|process| matches!(process, Process::Deliver { .. } | Process::Finish { .. }));
        if working.len() >= WORKERS_AT_ONCE {
            return;
        }
        let queued = &self.workers.queued;
        let Some(ordering) = queued.choose(&mut self.dice).map(|queued| queued.task.message_group()) else {
            return;
        };
        let mut indexes: Vec<usize> = (0..queued.len())
            .filter(|&index| queued[index].task.message_group() == ordering)
            .collect();
        if self.dice.random_ratio(1, 4) {
            indexes.shuffle(&mut self.dice);
        }
        indexes.truncate(self.dice.random_range(1..=BATCH));
        // A change may count as abandoned although its maker still runs.
        let finish_ms = [NOW, NOW, ABANDONED][self.dice.random_range(0..3)];
        self.hand_out(&indexes, finish_ms);
    }

    fn hand_out(&mut self, indexes: &[usize], finish_ms: i64) -> Process {
        let workers = &mut self.workers;
        workers.started += 1;
        let worker = workers.started;
        let first = &workers.queued[indexes[0]];
        if let Task::Finish { version, at_ms, .. } = first.task {
            workers.handed_out.insert(worker, vec![(first.id, None)]);
            return self.finish_change(worker, version, at_ms, finish_ms);
        }
        let (mut batch, mut handed_out, mut to) = (Vec::new(), Vec::new(), None);
        for &index in indexes {
            let queued = &mut workers.queued[index];
            let Task::Deliver {
                audience, logged, skip, ..
            } = &queued.task
            else {
                panic!("no schedule makes such a task: {:?}", queued.task);
            };
            // The queue's count of deliveries is approximate.
            let redelivered = queued.handed_out > 0 && self.dice.random_ratio(3, 4);
            queued.handed_out += 1;
            handed_out.push((queued.id, Some(logged.message.clone())));
            to = Some(audience.clone());
            batch.push(Delivery {
                logged: logged.clone(),
                skip: *skip,
                redelivered,
            });
        }
        let process = Process::Deliver { worker };
        let audience: Audience = to.expect("at least one task is handed out");
        let seqs: Vec<u64> = batch
            .iter()
            .map(|delivery| delivery.logged.conversation_seq())
            .collect();
        self.scheduler
            .note(&format_args!("{process} is handed {seqs:?} for {audience:?}"));
        workers.handed_out.insert(worker, handed_out);
        let (store, queue, now_ms) = (self.store.clone(), self.queue.clone(), NOW + i64::from(worker));
        self.scheduler.start(process, async move {
            Outcome::Delivered(
                wigwag_messaging::deliver(&store, &queue, GROUP, &audience, &batch, deadline(), now_ms).await,
            )
        });
        self.judge();
        process
    }

    fn finish_change(&mut self, worker: u32, version: u64, at_ms: i64, now_ms: i64) -> Process {
        let process = Process::Finish { worker };
        let (store, queue) = (self.store.clone(), self.queue.clone());
        self.scheduler.start(process, async move {
            Outcome::Finished(wigwag_messaging::finish_left_change(&store, &queue, GROUP, version, at_ms, now_ms).await)
        });
        self.judge();
        process
    }

    /// Hands tasks out until none is left that can be done.
    pub(crate) fn work_off(&mut self) {
        let mut rounds = 0;
        loop {
            let (workers, queued) = (&self.workers, &self.workers.queued);
            let first = queued.iter().find(|queued| !workers.is_in_vain(&queued.task));
            let Some(first) = first.filter(|_| self.errors.is_empty()) else {
                break;
            };
            rounds += 1;
            let ordering = first.task.message_group();
            let same = |&index: &usize| queued[index].task.message_group() == ordering;
            let indexes: Vec<usize> = (0..queued.len()).filter(same).take(BATCH).collect();
            let process = self.hand_out(&indexes, ABANDONED);
            self.last_try(process, rounds / 40);
        }
    }

    pub(super) fn change_was_finished(&mut self, process: Process, worker: u32, result: Result<Finished, StoreError>) {
        self.scheduler.note(&format_args!("{process}: {result:?}"));
        let handed_out = self.workers.handed_out.remove(&worker).unwrap();
        match result {
            Ok(Finished::Yes) => self.workers.queued.retain(|queued| queued.id != handed_out[0].0),
            Ok(Finished::NotBefore(_)) => {}
            Err(error) => self.keep_unless_retryable(process, &error),
        }
    }

    /// Removes the tasks from the queue that are done, and keeps the pushes.
    pub(super) fn messages_were_delivered(&mut self, process: Process, worker: u32, delivered: Delivered) {
        let handed_out = self.workers.handed_out.remove(&worker).unwrap();
        let Delivered { done, error, pushes } = delivered;
        self.scheduler.note(&format_args!("{process}: {done} done, {error:?}"));
        if done < handed_out.len() && error.is_none() {
            self.errors
                .push(format!("{process} gives no reason for what is not done"));
        }
        if let Some(error) = error {
            self.keep_unless_retryable(process, &error);
        }
        let is_done = |id: u32| handed_out[..done].iter().any(|(done, _)| *done == id);
        self.workers.queued.retain(|queued| !is_done(queued.id));
        for inbound in pushes {
            let listener = self.workers.listeners[&inbound.user];
            for (seq, index) in inbound.messages {
                let message = handed_out[index].1.as_ref().expect("only messages are pushed");
                let observed = Observed::from_message(&Message { seq, ..message.clone() });
                let by = Channel::Push;
                self.history.on(listener, Event::Came { by, observed });
            }
        }
    }
}
