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
    AckMsg, AckType, HeartbeatMsg, Message, MessageType, PullInputMsg, PullOutputMsg, RoomMsg, SessionType, SignalMsg,
    SignalType, UpMsg,
};
use wigwag_protocol::{Code, Payload, Request};

/// Whom a message is for; a plain number is a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// Another user.
    Peer(u64),
    /// A group or a super group.
    Group(u64),
}

impl From<u64> for Conversation {
    fn from(user_id: u64) -> Self {
        Self::Peer(user_id)
    }
}

impl Conversation {
    /// Kind and id, as the protocol has them.
    fn parts(self) -> (SessionType, u64) {
        match self {
            Self::Peer(id) => (SessionType::Single, id),
            Self::Group(id) => (SessionType::Group, id),
        }
    }
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalTo {
    /// Another user, on all devices that are online.
    User(u64),
    /// Everyone in a room that this device is in.
    Room(u64),
}

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

    /// What the server would say to content that it does not take. Longer frames would cost the connection.
    fn check_relayed(&self) -> Result<(), RequestError> {
        let code = match self.bytes.len() {
            0 => Code::CONTENT_EMPTY,
            1..=CONTENT_BYTES => return Ok(()),
            _ => Code::CONTENT_TOO_LARGE,
        };
        Err(RequestError::Refused {
            code: code.number(),
            message: code.text().to_owned(),
            retryable: false,
        })
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

    /// Sends a message to a user or a group and waits until it is durable in the conversation, and certain to reach every inbox
    /// that it is to reach. Survives reconnects: it is repeated under the same number until it is answered, however long that takes.
    ///
    /// Messages go out in the order of the calls. Cancelling does not take back what is queued.
    ///
    /// # Errors
    /// See [`SendError`]; [`SendError::is_outcome_unknown`] tells whether the message may have arrived all the same.
    pub async fn send(&self, to: impl Into<Conversation>, content: impl Into<Content>) -> Result<Receipt, SendError> {
        self.enqueue(to, content).await?.await
    }

    /// Queues a message, waiting while the queue is full, and returns before it is sent.
    ///
    /// # Errors
    /// Empty or too large content, or a client that has stopped.
    pub async fn enqueue(
        &self,
        to: impl Into<Conversation>,
        content: impl Into<Content>,
    ) -> Result<Sending, SendError> {
        let content = content.into();
        content.check()?;
        let (session_type, receiver_id) = to.into().parts();
        let message = Message {
            session_type: session_type.into(),
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

    /// The highest seq of the inbox up to which everything was given to [`Events`]. The app may not have read that far: what it should
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

    /// Reads a page of the conversation with a user, or in a group.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn pull(&self, with: impl Into<Conversation>, range: Range) -> Result<PullOutputMsg, RequestError> {
        let (session_type, target_id) = with.into().parts();
        let request = Request::Pull(PullInputMsg {
            session_type: session_type.into(),
            target_id,
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

    /// Enters a room, out of the one that this device is in; answers with that one. After a new connection the client enters it
    /// again by itself ([`Event::RoomEntered`](crate::Event::RoomEntered)), until it is left.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn enter_room(&self, room_id: u64) -> Result<Option<u64>, RequestError> {
        let request = Request::EnterRoom(RoomMsg { room_id, left_id: 0 });
        match self.ask(request).await? {
            Payload::EnterRoom(room) => Ok((room.left_id > 0).then_some(room.left_id)),
            _ => Err(RequestError::Unexpected),
        }
    }

    /// Leaves this room. Without a connection that has happened already.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn leave_room(&self, room_id: u64) -> Result<(), RequestError> {
        let request = Request::LeaveRoom(RoomMsg { room_id, left_id: 0 });
        self.ask(request).await.map(drop)
    }

    /// Says something in the room that this device is in: it is on its way to whoever is there now when this returns. It is stored
    /// nowhere and sent once: repeating it after an error may double it.
    ///
    /// # Errors
    /// See [`RequestError`]; `NOT_IN_ROOM`.
    pub async fn send_to_room(&self, room_id: u64, content: impl Into<Content>) -> Result<(), RequestError> {
        let content = content.into();
        content.check_relayed()?;
        let message = Message {
            session_type: SessionType::Room.into(),
            receiver_id: room_id,
            message_type: content.kind.into(),
            content: content.bytes,
            ..Message::default()
        };
        // Numbered within the connection: nothing remembers these, and the numbering of messages has no gaps.
        let frame = UpMsg {
            msg: Some(message),
            client_id: self.shared.next_relayed(),
            session: 0,
        };
        self.relay(Request::Message(frame)).await
    }

    /// Shows that this user is typing. It reaches whoever is online now, or nobody.
    ///
    /// # Errors
    /// See [`RequestError`]; `BLOCKED`, `NOT_IN_ROOM`.
    pub async fn send_typing(&self, to: SignalTo) -> Result<(), RequestError> {
        self.signal(to, SignalType::Typing, Vec::new()).await
    }

    /// Sends what two clients have agreed on, 1 byte to 16 KB. It reaches whoever is online now, or nobody.
    ///
    /// # Errors
    /// See [`RequestError`]; `BLOCKED`, `NOT_IN_ROOM`.
    pub async fn send_realtime(&self, to: SignalTo, content: impl Into<Content>) -> Result<(), RequestError> {
        let content = content.into();
        content.check_relayed()?;
        self.signal(to, SignalType::Realtime, content.bytes).await
    }

    async fn signal(&self, to: SignalTo, kind: SignalType, content: Vec<u8>) -> Result<(), RequestError> {
        let (session_type, receiver_id) = match to {
            SignalTo::User(id) => (SessionType::Single, id),
            SignalTo::Room(id) => (SessionType::Room, id),
        };
        self.relay(Request::Signal(SignalMsg {
            session_type: session_type.into(),
            receiver_id,
            signal_type: kind.into(),
            content,
            ..SignalMsg::default()
        }))
        .await
    }

    async fn relay(&self, request: Request) -> Result<(), RequestError> {
        match self.ask(request).await? {
            Payload::Ack(ack) if ack.r#type() == AckType::Relayed => Ok(()),
            _ => Err(RequestError::Unexpected),
        }
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
