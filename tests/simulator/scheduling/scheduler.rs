//! Runs processes one call at a time.
//!
//! Each call to `DynamoDB` waits for its turn. Between two turns every process runs until it waits
//! again. There is no thread, no socket and no clock, so the order of the turns is all that
//! happens: a run can be repeated from the seed that the order is drawn from.
//!
//! A call can fail as on a network: its answer is lost, and the call runs before that, long after,
//! or never. The same holds for the calls of a process that is killed.

use super::dice::Dice;
use super::trace::{Trace, Turn};
use crate::engine::wire::{Call, PendingReply, Reply, Wire, config, store_over};
use crate::engine::{Engine, is_of_inbox};
use aws_sdk_dynamodb::config::IdentityCache;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_smithy_runtime_api::client::result::ConnectorError;
use rand::{Rng as _, RngExt as _};
use serde_json::Value;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use tokio::sync::oneshot;
use wigwag_domain::UserId;
use wigwag_domain::task::Task;
use wigwag_messaging::TaskQueue;
use wigwag_store::{Store, StoreError};

/// The fate of a call that gets its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs and is answered.
    Done,
    /// It does not run, and the caller is told so.
    Throttled,
    /// Its answer is lost.
    Lost(Effect),
}

/// When a call runs whose answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Now,
    /// At another turn.
    Late,
    Never,
}

impl Effect {
    /// Draws one.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        [Self::Now, Self::Late, Self::Never][dice.random_range(0..3)]
    }
}

/// Runs processes that are named by a `P` and end with an `O`.
pub(crate) struct Scheduler<P, O> {
    engine: Engine,
    desk: Arc<Mutex<Desk<P>>>,
    processes: Vec<Process<P, O>>,
    ended: Vec<(P, O)>,
    trace: Trace,
    /// The tasks that were enqueued since the last time.
    tasks: Vec<Task>,
    /// The user whose inbox refuses every statement.
    refusing: Option<UserId>,
}

/// The calls that wait for their turn.
struct Desk<P> {
    /// The process that runs now.
    running: Option<P>,
    waiting: Vec<Waiting<P>>,
}

/// The operation that enqueues tasks.
const ENQUEUE: &str = "SendMessageBatch";

/// The queue of a scheduler's processes: enqueueing tasks is a call that waits for its turn.
pub(crate) struct TurnQueue<P>(Arc<Mutex<Desk<P>>>);

impl<P> Clone for TurnQueue<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Copy + Send + 'static> TaskQueue for TurnQueue<P> {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        let bodies: Vec<String> = tasks.iter().map(Task::to_body).collect();
        let call = Call {
            operation: ENQUEUE.to_owned(),
            body: serde_json::to_string(&bodies).unwrap(),
        };
        match wait_for_turn(&self.0, call).await {
            Ok(reply) if reply.is_success() => Ok(()),
            _ => Err(StoreError::Failed {
                operation: ENQUEUE,
                source: "the queue did not answer".into(),
            }),
        }
    }
}

struct Waiting<P> {
    caller: P,
    call: Call,
    /// `None` if nobody waits for the answer any more.
    answer: Option<oneshot::Sender<Result<Reply, ConnectorError>>>,
}

struct Process<P, O> {
    name: P,
    future: Pin<Box<dyn Future<Output = O>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<P: Copy + PartialEq + fmt::Display + Send + 'static, O> Scheduler<P, O> {
    pub(crate) fn new(engine: Engine) -> Self {
        let desk = Desk {
            running: None,
            waiting: Vec::new(),
        };
        Self {
            engine,
            desk: Arc::new(Mutex::new(desk)),
            processes: Vec::new(),
            ended: Vec::new(),
            trace: Trace::default(),
            tasks: Vec::new(),
            refusing: None,
        }
    }

    /// Makes this user's inbox refuse every statement from now on; with `None` no inbox refuses
    /// any.
    pub(crate) fn refuse(&mut self, user: Option<UserId>) {
        self.refusing = user;
        if let Some(user) = user {
            self.note(&format_args!("the inbox of u{user} refuses every statement"));
        }
    }

    /// The queue for this scheduler's processes.
    pub(crate) fn queue(&self) -> TurnQueue<P> {
        TurnQueue(self.desk.clone())
    }

    /// The tasks that were enqueued since the last time, in order.
    pub(crate) fn take_tasks(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.tasks)
    }

    /// The store for this scheduler's processes.
    pub(crate) fn store(&self) -> Store {
        let desk = self.desk.clone();
        let wire = Wire::new(move |call| wait_for_turn(&desk, call));
        let config = config(wire)
            .identity_cache(IdentityCache::no_cache())
            // All clients of a partition share the SDK's budget for retries, and a run must not
            // depend on other runs.
            .retry_partition(RetryPartition::new(format!("{:p}", Arc::as_ptr(&self.desk))));
        store_over(config)
    }

    /// Starts a process, and runs it until it waits for a turn.
    pub(crate) fn start(&mut self, name: P, future: impl Future<Output = O> + 'static) {
        self.note(&format_args!("{name} starts"));
        self.processes.push(Process {
            name,
            future: Box::pin(future),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        });
        self.run();
    }

    pub(crate) fn is_running(&self, name: P) -> bool {
        self.processes.iter().any(|process| process.name == name)
    }

    pub(crate) fn running(&self) -> Vec<P> {
        self.processes.iter().map(|process| process.name).collect()
    }

    /// The processes that have ended since the last time, with their outcomes.
    pub(crate) fn take_ended(&mut self) -> Vec<(P, O)> {
        std::mem::take(&mut self.ended)
    }

    /// The callers that wait for a turn, once for each call. Killed processes may be among them.
    pub(crate) fn waiting(&self) -> Vec<P> {
        let desk = self.desk.lock().unwrap();
        desk.waiting.iter().map(|waiting| waiting.caller).collect()
    }

    /// Gives the call at this index of [`waiting`](Self::waiting) its turn.
    pub(crate) fn grant(&mut self, index: usize, fate: Fate) {
        let mut waiting = self.desk.lock().unwrap().waiting.remove(index);
        let reply = match fate {
            Fate::Done | Fate::Lost(Effect::Now) => Some(self.run_call(&waiting.call)),
            Fate::Throttled => Some(Reply::throttled()),
            Fate::Lost(Effect::Late | Effect::Never) => None,
        };
        self.trace.turn(Turn {
            caller: waiting.caller.to_string(),
            call: waiting.call.clone(),
            fate,
            unheard: waiting.answer.is_none(),
            answer: reply.as_ref().map(|reply| reply.body.clone()),
        });
        if let Some(answer) = waiting.answer.take() {
            let result = match (fate, reply) {
                (Fate::Done | Fate::Throttled, Some(reply)) => Ok(reply),
                _ => Err(ConnectorError::timeout("the answer is lost".into())),
            };
            // Nobody listens if the process was killed.
            let _ = answer.send(result);
        }
        if fate == Fate::Lost(Effect::Late) {
            self.desk.lock().unwrap().waiting.push(waiting);
        }
        self.run();
    }

    fn run_call(&mut self, call: &Call) -> Reply {
        if call.operation != ENQUEUE {
            return match self.refusing {
                Some(user) => self.engine.run_except(call, &|statement| is_of_inbox(statement, user)),
                None => self.engine.run(call),
            };
        }
        let bodies: Vec<String> = serde_json::from_str(&call.body).unwrap();
        self.tasks
            .extend(bodies.iter().map(|body| Task::from_body(body).unwrap()));
        Reply::success(&Value::Null)
    }

    /// Kills a process. Some of its calls on the way still run later.
    pub(crate) fn kill(&mut self, name: P, dice: &mut Dice) {
        self.note(&format_args!("{name} is killed"));
        self.processes.retain(|process| process.name != name);
        self.desk.lock().unwrap().waiting.retain_mut(|waiting| {
            let is_its_own = waiting.caller == name && waiting.answer.is_some();
            if is_its_own {
                waiting.answer = None;
            }
            !is_its_own || dice.next_u32().is_multiple_of(2)
        });
    }

    pub(crate) fn note(&mut self, line: &dyn fmt::Display) {
        self.trace.note(line);
    }

    pub(crate) fn into_trace(self) -> Trace {
        self.trace
    }

    /// Runs every process until it waits for a turn, or has ended.
    fn run(&mut self) {
        let mut index = 0;
        while let Some(process) = self.processes.get_mut(index) {
            self.desk.lock().unwrap().running = Some(process.name);
            match process.run() {
                Poll::Ready(output) => {
                    let process = self.processes.remove(index);
                    self.ended.push((process.name, output));
                }
                Poll::Pending => index += 1,
            }
        }
    }
}

impl<P, O> Process<P, O> {
    fn run(&mut self) -> Poll<O> {
        let waker = Waker::from(self.woken.clone());
        while self.woken.0.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(output) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    }
}

fn wait_for_turn<P: Copy>(desk: &Mutex<Desk<P>>, call: Call) -> PendingReply {
    let (answer, answered) = oneshot::channel();
    let mut desk = desk.lock().unwrap();
    let caller = desk.running.unwrap();
    desk.waiting.push(Waiting {
        caller,
        call,
        answer: Some(answer),
    });
    Box::pin(async move { answered.await.unwrap() })
}
