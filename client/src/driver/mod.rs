//! The task that owns the connection and all state.
//!
//! It connects with backoff, serves until the connection ends, and connects again until something
//! final happens. The message in flight, the numbering and the cursor outlive connections.
//! `receive` handles the inbox, `groups` the logs of super groups, `listing` the list of groups,
//! `room` the current room.
//!
//! Invariants: at most one message is in flight, and it is saved before it is transmitted. The send
//! queue is read only when nothing is in flight, so its capacity is the true bound. SYNC comes
//! first on every connection.

mod connection;
mod groups;
mod listing;
mod outlet;
mod receive;
mod room;
mod serve;

pub(crate) use connection::AppAnswer;

use crate::error::{SendError, StopReason};
use crate::event::{DisconnectReason, Event};
use crate::inbox::Inbox;
use crate::options::{ConnectOptions, Start};
use crate::outbox::Outbox;
use crate::session::{Receipt, Session};
use crate::socket::{OpenError, Socket, establish};
use crate::super_groups::{SuperGroupRules, SuperGroups};
use listing::GroupListing;
use outlet::Outlet;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use wigwag_protocol::Request;
use wigwag_protocol::pb::Message;

/// Maximum number of messages kept beyond a hole. SYNC brings what did not fit.
const AHEAD_LIMIT: usize = 1024;

/// The sender that waits for the result of a message.
pub(crate) type Ticket = oneshot::Sender<Result<Receipt, SendError>>;

/// A message from the handle.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) message: Message,
    pub(crate) ticket: Ticket,
}

/// Other requests from the handle.
#[derive(Debug)]
pub(crate) enum Control {
    SyncNow,
    Ask(Request, AppAnswer),
    Close,
}

/// State that the handle can read without asking the driver.
#[derive(Debug)]
pub(crate) struct HandleState {
    cursor: AtomicU64,
    session: Mutex<Session>,
    /// Number of messages sent to rooms.
    relayed: AtomicU64,
}

impl HandleState {
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::Acquire)
    }

    /// Returns a number for a message to a room.
    pub(crate) fn next_relayed(&self) -> u64 {
        self.relayed.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn session(&self) -> Session {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The handle's ends of the driver's channels.
pub(crate) struct HandleChannels {
    pub(crate) submissions: mpsc::Sender<Submission>,
    pub(crate) controls: mpsc::Sender<Control>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) shared: Arc<HandleState>,
}

/// How a connection ended.
#[derive(Debug)]
enum ConnectionEnd {
    Reconnect(DisconnectReason),
    Stop(StopReason),
}

/// The receiving state.
#[derive(Debug)]
enum Receiving {
    /// The end of the inbox must be found first. This many messages before it are wanted.
    FindEnd(u64),
    /// The inbox is being read.
    From(Inbox),
}

#[derive(Debug)]
pub(crate) struct Driver {
    options: Arc<ConnectOptions>,
    submissions: mpsc::Receiver<Submission>,
    controls: mpsc::Receiver<Control>,
    outlet: Outlet,
    shared: Arc<HandleState>,
    receiving: Receiving,
    super_groups: SuperGroups,
    listing: GroupListing,
    /// Listed super groups that the inbox may still announce, with the seq that each log begins
    /// after.
    candidates: Vec<(u64, u64)>,
    /// The room that the device should be in.
    room: Option<u64>,
    outbox: Outbox,
    /// The sender of the message in flight. `None` for a message restored from a session.
    ticket: Option<Ticket>,
    /// Whether the numbering has changed since it was saved.
    unsaved: bool,
    /// Connection attempts since the last stable connection.
    attempt: u32,
    /// Deadline for answers to sent messages. Set once closing has begun.
    closing: Option<Instant>,
}

impl Driver {
    pub(crate) fn new(options: Arc<ConnectOptions>) -> (Self, HandleChannels) {
        let (submit, submissions) = mpsc::channel(options.send_queue.max(1));
        let (control, controls) = mpsc::channel(16);
        let (emit, events) = mpsc::channel(options.event_queue.max(1));
        let outbox = Outbox::new(options.user_id, options.session.clone(), wall_clock_ms());
        let receiving = match options.start {
            Start::After(cursor) => Receiving::From(Inbox::new(cursor, AHEAD_LIMIT)),
            Start::Newest(count) => Receiving::FindEnd(count),
        };
        let cursor = if let Start::After(cursor) = options.start {
            cursor
        } else {
            0
        };
        let is_newest = matches!(options.start, Start::Newest(_));
        let rules = SuperGroupRules {
            ahead_limit: AHEAD_LIMIT,
            closing: options.timing.super_group_closing,
            inbox_tells_all: !is_newest,
        };
        let (followed, ended) = (&options.super_groups, &options.ended_groups);
        let super_groups = SuperGroups::new(options.user_id, rules, followed, ended);
        let lister = options.receive.then(|| options.lister()).flatten();
        let shared = Arc::new(HandleState {
            cursor: AtomicU64::new(cursor),
            session: Mutex::new(outbox.session()),
            relayed: AtomicU64::new(0),
        });
        let driver = Self {
            options,
            submissions,
            controls,
            outlet: Outlet::new(emit),
            shared: Arc::clone(&shared),
            receiving,
            super_groups,
            listing: GroupListing::new(lister, is_newest),
            candidates: Vec::new(),
            room: None,
            outbox,
            ticket: None,
            unsaved: true,
            attempt: 0,
            closing: None,
        };
        let ends = HandleChannels {
            submissions: submit,
            controls: control,
            events,
            shared,
        };
        (driver, ends)
    }

    /// Runs until something final happens. `first` is a connection that is already open.
    pub(crate) async fn run(mut self, mut first: Option<Socket>) {
        let reason = loop {
            let socket = match first.take() {
                Some(socket) => socket,
                None => match self.connect().await {
                    Ok(socket) => socket,
                    Err(reason) => break reason,
                },
            };
            match self.serve(socket).await {
                ConnectionEnd::Stop(reason) => break reason,
                ConnectionEnd::Reconnect(reason) => self.pause(reason).await,
            }
        };
        tracing::info!(%reason, "the client stops");
        self.finish(reason).await;
    }

    /// Tries until a connection is open.
    async fn connect(&mut self) -> Result<Socket, StopReason> {
        loop {
            // Boxed, because a TLS handshake makes the future large.
            let opening = Box::pin(establish(Arc::clone(&self.options)));
            match self.meanwhile(opening).await {
                None => return Err(StopReason::Closed),
                Some(Ok(socket)) => return Ok(socket),
                Some(Err(OpenError::SignIn(message))) => return Err(StopReason::SignIn(message)),
                Some(Err(OpenError::Final(reason))) => return Err(reason),
                Some(Err(OpenError::Retry(message))) => self.pause(DisconnectReason::Unreachable(message)).await,
            }
        }
    }

    /// Reports the disconnection and waits before the next attempt.
    async fn pause(&mut self, reason: DisconnectReason) {
        let retry_in = if reason == DisconnectReason::Planned {
            Duration::ZERO
        } else {
            let wait = self.backoff(self.attempt);
            self.attempt = self.attempt.saturating_add(1);
            wait
        };
        let retry_in_ms = retry_in.as_millis();
        tracing::debug!(%reason, retry_in_ms, "disconnected");
        self.outlet.emit(Event::Disconnected { reason, retry_in });
        self.meanwhile(sleep(retry_in)).await;
    }

    /// Runs `work` to its end while serving the handle and the app. Returns `None` if the client is
    /// closing and nothing is left to wait for.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let deadline = self.closing.unwrap_or_else(Instant::now);
            if self.closing.is_some() && (self.is_flushed() || deadline <= Instant::now()) {
                return None;
            }
            tokio::select! {
                output = &mut work => return Some(output),
                control = self.controls.recv(), if self.closing.is_none() => match control {
                    Some(Control::Ask(request, answer)) => self.answer_without_connection(&request, answer),
                    Some(Control::SyncNow) => {} // every connection begins with one
                    Some(Control::Close) | None => self.begin_closing(),
                },
                () = self.outlet.relieve(), if self.outlet.is_congested() => {}
                () = sleep_until(deadline), if self.closing.is_some() => {}
            }
        }
    }

    /// Takes no more messages and sets the deadline for those already taken.
    fn begin_closing(&mut self) {
        self.submissions.close();
        self.closing = Some(Instant::now() + self.options.timing.close_timeout);
    }

    /// Whether every message that was taken is settled.
    fn is_flushed(&self) -> bool {
        self.outbox.is_idle() && self.submissions.is_empty()
    }

    /// Answers everyone who waits. The channel of controls is dropped last, because `Client::close`
    /// waits for that.
    async fn finish(mut self, reason: StopReason) {
        self.submissions.close();
        self.listing.abort();
        if let Some(ticket) = self.ticket.take() {
            let transmitted = self.outbox.transmissions() > 0 || self.outbox.is_verifying();
            let _ = ticket.send(Err(SendError::Stopped { transmitted }));
        }
        while let Some(submission) = self.submissions.recv().await {
            let transmitted = false;
            let _ = submission.ticket.send(Err(SendError::Stopped { transmitted }));
        }
        self.outlet.emit(Event::Stopped(reason));
        drop(self.controls);
        self.outlet.finish().await;
    }

    fn backoff(&self, attempt: u32) -> Duration {
        self.options.timing.backoff.full_jitter(attempt, rand::random())
    }

    /// Publishes the numbering to the handle and marks it as unsaved.
    fn session_changed(&mut self) {
        self.unsaved = true;
        let mut shared = self.shared.session.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = self.outbox.session();
    }

    /// Saves the numbering if it has changed.
    async fn save(&mut self) -> io::Result<()> {
        let Some(store) = self.options.session_store.clone().filter(|_| self.unsaved) else {
            return Ok(());
        };
        let session = self.outbox.session();
        tokio::task::spawn_blocking(move || store.save(&session))
            .await
            .map_err(io::Error::other)??;
        self.unsaved = false;
        Ok(())
    }
}

/// The current time in ms since 1970, used as the id of a new session.
fn wall_clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
