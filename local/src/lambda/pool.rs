//! The processes of one function.
//!
//! An invocation first gets a slot, in order of arrival. Then it gets the idle process that was
//! used last, or a new one. So there are never more processes than there were invocations at once.
//! A mapping takes slot and process before it has an event. At the end of an invocation the process
//! goes back **before** the slot is free again.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::process::{JobOutcome, NotStarted, Process, Specification};
use super::usage::Usage;
use super::{FunctionStartError, InvokeError, Tuning};

/// How many processes are tried if each exits before it takes the event.
const OFFERS: u32 = 3;

#[derive(Debug)]
pub(super) struct Pool {
    specification: Specification,
    /// One permit per process that this machine runs at most. Invocations wait for it.
    slots: Arc<Semaphore>,
    /// One permit per process that the template allows. Invocations do not wait for it.
    reserved: Option<Arc<Semaphore>>,
    /// The process that was used last is at the end.
    idle: Mutex<Vec<Idle>>,
}

/// Permission for one invocation, perhaps with its process. It is free again when it is dropped.
#[derive(Debug)]
pub struct Slot {
    pool: Arc<Pool>,
    /// With the duration of its start, if it was started for this slot.
    process: Option<(Process, Option<Duration>)>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((process, _)) = self.process.take() {
            self.pool.put_back(process);
        }
    }
}

#[derive(Debug)]
struct Idle {
    process: Process,
    since: Instant,
}

impl Pool {
    /// A pool without processes, and the task that ends processes that stay idle.
    pub(super) fn start(specification: Specification, tuning: &Tuning) -> Arc<Self> {
        let stop = specification.stop.clone();
        let tasks = specification.tasks.clone();
        let permits = |count: u32| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS)));
        let pool = Arc::new(Self {
            slots: permits(tuning.max_processes.max(1)),
            reserved: specification.function.reserved_concurrency.map(permits),
            specification,
            idle: Mutex::default(),
        });
        tasks.spawn(reap(Arc::downgrade(&pool), tuning.idle_after, stop));
        pool
    }

    /// Runs one invocation to its end, in this slot or in one that it waits for.
    pub(super) async fn invoke(self: &Arc<Self>, event: Bytes, slot: Option<Slot>) -> Result<Bytes, InvokeError> {
        let _reserved = self.reserve()?;
        let mut slot = match slot {
            Some(slot) => slot,
            None => self.slot().await?,
        };
        for _ in 0..OFFERS {
            let (process, init) = match slot.process.take() {
                Some(found) => found,
                None => self.process().await.map_err(|failure| failure.invoke)?,
            };
            match process.run(event.clone(), init).await {
                JobOutcome::NotTaken => {}
                JobOutcome::Finished(result) => {
                    self.put_back(process);
                    return result;
                }
            }
        }
        if self.specification.stop.is_cancelled() {
            return Err(InvokeError::Stopping);
        }
        Err(InvokeError::Exited {
            status: format!("{OFFERS} processes ended before they took the event"),
        })
    }

    /// Makes sure that a process is idle.
    pub(super) async fn warm(self: &Arc<Self>) -> Result<(), FunctionStartError> {
        let stopped = |error: InvokeError| FunctionStartError {
            function: self.specification.function.logical_id.clone(),
            reason: error.to_string(),
            output: Vec::new(),
        };
        let _slot = self.slot().await.map_err(stopped)?;
        if self.idle_processes() == 0 {
            let (process, _) = Process::start(&self.specification)
                .await
                .map_err(|failure| *failure.start)?;
            self.put_back(process);
        }
        Ok(())
    }

    pub(super) fn idle_processes(&self) -> usize {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().filter(|idle| idle.process.is_alive()).count()
    }

    pub(super) fn idle_usage(&self) -> Vec<Usage> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = idle.iter().filter(|idle| idle.process.is_alive());
        alive.map(|idle| idle.process.usage()).collect()
    }

    /// Admits no more invocations.
    pub(super) fn close(&self) {
        self.slots.close();
    }

    fn reserve(&self) -> Result<Option<OwnedSemaphorePermit>, InvokeError> {
        let Some(reserved) = &self.reserved else {
            return Ok(None);
        };
        Arc::clone(reserved)
            .try_acquire_owned()
            .map(Some)
            .map_err(|_| InvokeError::Throttled)
    }

    /// Waits for a slot and a process. If no process starts, the slot has none: the invocation
    /// tries again and reports why.
    pub(super) async fn slot_with_process(self: &Arc<Self>) -> Result<Slot, InvokeError> {
        let mut slot = self.slot().await?;
        slot.process = self.process().await.ok();
        Ok(slot)
    }

    async fn slot(self: &Arc<Self>) -> Result<Slot, InvokeError> {
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        Ok(Slot {
            pool: Arc::clone(self),
            process: None,
            _permit: permit.map_err(|_| InvokeError::Stopping)?,
        })
    }

    /// An idle process, or a new one with the duration of its start.
    async fn process(&self) -> Result<(Process, Option<Duration>), NotStarted> {
        if let Some(process) = self.take() {
            return Ok((process, None));
        }
        let (process, init) = Process::start(&self.specification).await?;
        Ok((process, Some(init)))
    }

    /// The live idle process that was used last.
    fn take(&self) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Idle { process, .. }) = idle.pop() {
            if process.is_alive() {
                return Some(process);
            }
        }
        None
    }

    fn put_back(&self, process: Process) {
        if process.is_alive() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(Idle {
                process,
                since: Instant::now(),
            });
        }
    }

    /// Ends the processes that have been idle since before `since_before`, except the last one.
    fn drop_idle(&self, since_before: Instant) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.process.is_alive());
        let spare = idle.len().saturating_sub(1);
        let old = idle
            .iter()
            .take(spare)
            .take_while(|idle| idle.since < since_before)
            .count();
        idle.drain(..old);
    }
}

async fn reap(pool: Weak<Pool>, idle_after: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval((idle_after / 4).max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(pool) = pool.upgrade() else { return };
        if let Some(since_before) = Instant::now().checked_sub(idle_after) {
            pool.drop_idle(since_before);
        }
    }
}
