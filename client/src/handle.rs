//! The client handle: cheap to clone, usable from any task.

use crate::content::Content;
use crate::conversation::{Conversation, Range, SignalTo};
use crate::driver::{Control, Driver, HandleChannels, HandleState, Submission};
use crate::error::{ConnectError, RequestError, SendError, StopReason};
use crate::event::Events;
use crate::options::ConnectOptions;
use crate::session::{Receipt, Session};
use crate::socket::{OpenError, establish};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};
use wigwag_protocol::pb::{
    AckMsg, AckType, HeartbeatMsg, Message, PullInputMsg, PullOutputMsg, RoomMsg, SessionType, SignalMsg, SignalType,
    UpMsg,
};
use wigwag_protocol::{Payload, Request};

/// A queued message: a future of its receipt. Dropping it does not cancel the message.
#[derive(Debug)]
#[must_use = "await this to learn whether the message was accepted"]
pub struct Sending(oneshot::Receiver<Result<Receipt, SendError>>);

impl Future for Sending {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The driver answers every message unless the runtime dropped its task.
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or(Err(SendError::Stopped { transmitted: true })))
    }
}

/// A signed-in device. Clones share one connection. Dropping the last one ends the connection like
/// [`Client::close`].
#[derive(Debug, Clone)]
pub struct Client {
    submissions: mpsc::Sender<Submission>,
    controls: mpsc::Sender<Control>,
    shared: Arc<HandleState>,
}

impl Client {
    /// Connects and stays connected until the client is closed or stops for good.
    ///
    /// Returns an error only if the first connection fails. Later the client reconnects by itself
    /// and reports it in [`Events`]. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] if trying later can help, [`ConnectError::Final`] if it
    /// cannot.
    pub async fn connect(options: ConnectOptions) -> Result<(Self, Events), ConnectError> {
        let options = Arc::new(options);
        let socket = establish(Arc::clone(&options)).await.map_err(|error| match error {
            OpenError::SignIn(message) => ConnectError::Final(StopReason::SignIn(message)),
            OpenError::Final(reason) => ConnectError::Final(reason),
            OpenError::Retry(message) => ConnectError::Unreachable(message),
        })?;
        Ok(Self::spawn(options, |driver| driver.run(Some(socket))))
    }

    /// Like [`Client::connect`], but does not wait for the first connection. Messages can be queued
    /// at once, and [`Events`] report the connection.
    pub fn start(options: ConnectOptions) -> (Self, Events) {
        Self::spawn(Arc::new(options), |driver| driver.run(None))
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(
        options: Arc<ConnectOptions>,
        run: impl FnOnce(Driver) -> F,
    ) -> (Self, Events) {
        let (driver, ends) = Driver::new(options);
        let HandleChannels {
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

    /// Sends a message to a user or a group and waits until it is durable in the conversation and
    /// certain to reach every inbox that it is for.
    ///
    /// Messages are sent in the order of the calls. The client repeats a message under the same
    /// number until it is answered, over reconnects and without a time limit. Cancelling does not
    /// take back a queued message.
    ///
    /// # Errors
    /// See [`SendError`]. [`SendError::is_outcome_unknown`] says whether the message may have
    /// arrived in spite of the error.
    pub async fn send(&self, to: impl Into<Conversation>, content: impl Into<Content>) -> Result<Receipt, SendError> {
        self.enqueue(to, content).await?.await
    }

    /// Queues a message and returns before it is sent. Waits while the queue is full.
    ///
    /// # Errors
    /// If the content is empty or too large, or the client has stopped.
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

    /// The highest seq of the inbox up to which everything was given to [`Events`].
    ///
    /// The app may not have read that far. It should store the seq of the last message that it
    /// handled, or the cursor of the last [`Event::CaughtUp`](crate::Event::CaughtUp).
    pub fn cursor(&self) -> u64 {
        self.shared.cursor()
    }

    /// The current numbering. To outlive the process it must be saved before a message is
    /// transmitted, which a [`SessionStore`](crate::SessionStore) does.
    pub fn session(&self) -> Session {
        self.shared.session()
    }

    /// Asks for new messages at once instead of waiting for a push or the next heartbeat.
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

    /// Reads a page of the conversation with a user or in a group.
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

    /// Returns the user's highest inbox seq and the server's time.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn heartbeat(&self) -> Result<HeartbeatMsg, RequestError> {
        match self.ask(Request::Heartbeat(HeartbeatMsg::default())).await? {
            Payload::Heartbeat(pulse) => Ok(pulse),
            _ => Err(RequestError::Unexpected),
        }
    }

    /// Tells the server that this device has everything up to `cursor`. This is only a hint;
    /// nothing depends on it.
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

    /// Enters a room and leaves the room that this device was in. Returns that room.
    ///
    /// After a new connection the client enters the room again by itself
    /// ([`Event::RoomEntered`](crate::Event::RoomEntered)) until it is left.
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

    /// Leaves a room. Without a connection, the device has left it already.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn leave_room(&self, room_id: u64) -> Result<(), RequestError> {
        let request = Request::LeaveRoom(RoomMsg { room_id, left_id: 0 });
        self.ask(request).await.map(drop)
    }

    /// Sends a message to the room that this device is in. When this returns, the message is on its
    /// way to the users who are in the room now.
    ///
    /// It is not stored and sent only once. Repeating it after an error may double it.
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
        // Room messages have their own count: nothing stores them, and the session's numbers must
        // have no gaps.
        let frame = UpMsg {
            msg: Some(message),
            client_id: self.shared.next_relayed(),
            session: 0,
        };
        self.relay(Request::Message(frame)).await
    }

    /// Signals that this user is typing. It reaches only devices that are online now.
    ///
    /// # Errors
    /// See [`RequestError`]; `BLOCKED`, `NOT_IN_ROOM`.
    pub async fn send_typing(&self, to: SignalTo) -> Result<(), RequestError> {
        self.signal(to, SignalType::Typing, Vec::new()).await
    }

    /// Sends a signal with content of 1 byte to 16 KB, whose meaning is up to the clients. It
    /// reaches only devices that are online now.
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

    /// Ends the connection. Takes no more messages, waits up to
    /// [`Timing::close_timeout`](crate::Timing::close_timeout) for answers to the messages already
    /// taken, and returns when every [`Sending`] has its result.
    pub async fn close(&self) {
        // If nobody receives this, the client has stopped already.
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
