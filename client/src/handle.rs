//! The handle: cheap to clone, usable from any task.

use crate::driver::{Control, Driver, Ends, Shared, Submission};
use crate::error::{ConnectError, RequestError, SendError, StopReason};
use crate::event::Events;
use crate::options::ConnectOptions;
use crate::outbox::{Receipt, Session};
use crate::socket::{OpenError, establish};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};
use wigwag_protocol::limits::CONTENT_BYTES;
use wigwag_protocol::pb::{
    AckMsg, AckType, HeartbeatMsg, Message, MessageType, PullInputMsg, PullOutputMsg, SessionType,
};
use wigwag_protocol::{Payload, Request};

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    kind: MessageType,
    bytes: Vec<u8>,
}

impl Content {
    /// Any bytes of any kind; 1 byte to 16 KB. The server does not look into them.
    pub fn new(kind: MessageType, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { kind, bytes }
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(MessageType::Text, text.into())
    }

    fn check(&self) -> Result<(), SendError> {
        match self.bytes.len() {
            0 => Err(SendError::ContentEmpty),
            bytes if bytes > CONTENT_BYTES => Err(SendError::ContentTooLarge { bytes }),
            _ => Ok(()),
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content {{ kind: {:?}, {} bytes }}", self.kind, self.bytes.len())
    }
}

/// A message that is queued; a future of what becomes of it. Dropping it does not take the message back.
#[derive(Debug)]
#[must_use = "whether the message was accepted is known only by awaiting this"]
pub struct Sending(oneshot::Receiver<Result<Receipt, SendError>>);

impl Future for Sending {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The driver answers every ticket unless its task was torn down with the runtime.
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or(Err(SendError::Stopped { transmitted: true })))
    }
}

/// Which part of a conversation to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First conversation seq wanted; 0 is the first there is.
    pub begin_seq: u64,
    /// Last conversation seq wanted; 0 is the newest.
    pub end_seq: u64,
    /// At most so many messages; 0 is as many as fit a page.
    pub limit: u32,
    /// Newest first.
    pub descending: bool,
}

impl Range {
    /// The newest `limit` messages, newest first.
    pub const fn newest(limit: u32) -> Self {
        Self {
            begin_seq: 0,
            end_seq: 0,
            limit,
            descending: true,
        }
    }
}

/// A signed-in device. Clones share one connection. When the last one is dropped, the connection ends as by
/// [`Client::close`].
#[derive(Debug, Clone)]
pub struct Client {
    submissions: mpsc::Sender<Submission>,
    controls: mpsc::Sender<Control>,
    shared: Arc<Shared>,
}

impl Client {
    /// Connects, and keeps connected until it is closed or something final happens.
    ///
    /// Fails when the first connection does not come about; from then on the client reconnects by itself and tells about
    /// it by [`Events`]. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] when trying later can help, [`ConnectError::Final`] when it cannot.
    pub async fn connect(options: ConnectOptions) -> Result<(Self, Events), ConnectError> {
        let options = Arc::new(options);
        let socket = establish(Arc::clone(&options)).await.map_err(|error| match error {
            OpenError::SignIn(message) => ConnectError::Final(StopReason::SignIn(message)),
            OpenError::Final(reason) => ConnectError::Final(reason),
            OpenError::Retry(message) => ConnectError::Unreachable(message),
        })?;
        Ok(Self::spawn(options, |driver| driver.run(Some(socket))))
    }

    /// As [`Client::connect`], but does not wait for the first connection: messages can be queued at once, and
    /// [`Events`] tell how connecting goes.
    pub fn start(options: ConnectOptions) -> (Self, Events) {
        Self::spawn(Arc::new(options), |driver| driver.run(None))
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(
        options: Arc<ConnectOptions>,
        run: impl FnOnce(Driver) -> F,
    ) -> (Self, Events) {
        let (driver, ends) = Driver::new(options);
        let Ends {
            submissions,
            controls,
            events,
            shared,
        } = ends;
        tokio::spawn(run(driver));
        let client = Self {
            submissions,
            controls,
            shared,
        };
        (client, Events(events))
    }

    /// Sends a message and waits until it is durable in the conversation and in both inboxes. Survives reconnects: it is
    /// repeated under the same number until it is answered, however long that takes.
    ///
    /// Messages go out in the order of the calls. Cancelling does not take back what is queued.
    ///
    /// # Errors
    /// See [`SendError`]; [`SendError::is_outcome_unknown`] tells whether the message may have arrived all the same.
    pub async fn send(&self, receiver_id: u64, content: impl Into<Content>) -> Result<Receipt, SendError> {
        self.enqueue(receiver_id, content).await?.await
    }

    /// Queues a message, waiting while the queue is full, and returns before it is sent.
    ///
    /// # Errors
    /// Empty or too large content, or a client that has stopped.
    pub async fn enqueue(&self, receiver_id: u64, content: impl Into<Content>) -> Result<Sending, SendError> {
        let content = content.into();
        content.check()?;
        let message = Message {
            session_type: SessionType::Single.into(),
            receiver_id,
            message_type: content.kind.into(),
            content: content.bytes,
            ..Message::default()
        };
        let (ticket, fate) = oneshot::channel();
        self.submissions
            .send(Submission { message, ticket })
            .await
            .map_err(|_| SendError::Stopped { transmitted: false })?;
        Ok(Sending(fate))
    }

    /// The highest seq up to which everything was given to [`Events`]. The app may not have read that far: what it should
    /// keep is the seq of the last message that it has dealt with, or the cursor of the last
    /// [`Event::CaughtUp`](crate::Event::CaughtUp).
    pub fn cursor(&self) -> u64 {
        self.shared.cursor()
    }

    /// The numbering as it stands. To survive the end of the process it must be saved before a message is transmitted, which
    /// a [`SessionStore`](crate::SessionStore) does.
    pub fn session(&self) -> Session {
        self.shared.session()
    }

    /// Asks for what is new, although a push or the next heartbeat would tell;
    /// [`Event::CaughtUp`](crate::Event::CaughtUp) follows.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub async fn sync_now(&self) -> Result<(), RequestError> {
        self.controls
            .send(Control::SyncNow)
            .await
            .map_err(|_| RequestError::Stopped)
    }

    /// Reads a page of the conversation with `peer_id`.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn pull(&self, peer_id: u64, range: Range) -> Result<PullOutputMsg, RequestError> {
        let request = Request::Pull(PullInputMsg {
            session_type: SessionType::Single.into(),
            target_id: peer_id,
            begin_seq: range.begin_seq,
            end_seq: range.end_seq,
            limit: range.limit,
            descending: range.descending,
        });
        match self.ask(request).await? {
            Payload::Pull(page) => Ok(page),
            _ => Err(RequestError::Unexpected),
        }
    }

    /// Asks whether the server answers, and for the user's highest seq and the server's time.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn heartbeat(&self) -> Result<HeartbeatMsg, RequestError> {
        match self.ask(Request::Heartbeat(HeartbeatMsg::default())).await? {
            Payload::Heartbeat(pulse) => Ok(pulse),
            _ => Err(RequestError::Unexpected),
        }
    }

    /// Tells the server that this device has everything up to `cursor`. Nothing depends on it; it is a hint to the server.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn acknowledge(&self, cursor: u64) -> Result<(), RequestError> {
        let request = Request::Ack(AckMsg {
            r#type: AckType::Push.into(),
            seq: cursor,
            ..AckMsg::default()
        });
        self.ask(request).await.map(drop)
    }

    /// Ends the connection: takes no more messages, waits a few seconds
    /// ([`Timing::close_timeout`](crate::Timing::close_timeout)) for those that were taken to be answered, and returns when
    /// every [`Sending`] has its result.
    pub async fn close(&self) {
        // When nobody takes it, the client has stopped already.
        let _ = self.controls.send(Control::Close).await;
        self.controls.closed().await;
    }

    async fn ask(&self, request: Request) -> Result<Payload, RequestError> {
        let (answer, answered) = oneshot::channel();
        self.controls
            .send(Control::Ask(request, answer))
            .await
            .map_err(|_| RequestError::Stopped)?;
        let output = answered.await.map_err(|_| RequestError::Stopped)??;
        Ok(output.payload)
    }
}
