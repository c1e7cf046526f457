//! What the connection tells the app.

use crate::error::{SendError, StopReason};
use crate::outbox::Receipt;
use futures_util::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use wigwag_protocol::pb::{KickReason, Message, SignalMsg};

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Signed in; SYNC follows at once.
    Connected,
    /// The connection is gone, or could not be opened; the next attempt comes in `retry_in`.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// The next message of the inbox: every one once, in ascending seq, own messages included (also those that this
    /// client sent). When it is dealt with, `message.seq` is the cursor to keep.
    Message(Message),
    /// Everything that the server had is handed on. `cursor` may be beyond the last message: the seqs between are seals.
    CaughtUp {
        /// The cursor to keep once all messages before this event are dealt with.
        cursor: u64,
    },
    /// The next message of a super group: every one once, in ascending `conversation_seq`, own messages included. When it is
    /// dealt with, `message.conversation_seq` is the cursor to keep for `message.receiver_id`.
    GroupMessage(Message),
    /// This is the cursor to keep for a super group, once all messages before this event are dealt with: the group begins
    /// here for this device, or the seqs before it are seals. It comes before the message of the inbox that tells of the group.
    GroupCursor {
        /// The super group.
        group_id: u64,
        /// The conversation seq to keep.
        cursor: u64,
    },
    /// Nothing more comes of a super group, unless the user comes back: its cursor is kept from now on as one of
    /// [`ConnectOptions::ended_groups`](crate::ConnectOptions::ended_groups). A copy of the inbox that tells late of what was before that
    /// would else begin the group anew. A later [`Event::GroupCursor`] takes its place.
    GroupEnded {
        /// The group.
        group_id: u64,
        /// The conversation seq to keep.
        cursor: u64,
    },
    /// Everything that stood in the super groups when the connection began is handed on. Once per connection.
    GroupsCaughtUp,
    /// Somebody says something in the room that this device is in. Stored nowhere: what is not received now never comes again.
    RoomMessage(Message),
    /// A signal of another user, to this user or to the room. Stored nowhere.
    Signal(SignalMsg),
    /// This device is in the room again after a new connection. What was said meanwhile is gone.
    RoomEntered {
        /// The room.
        room_id: u64,
    },
    /// After a new connection, the server did not let this device back into the room.
    RoomLost {
        /// The room.
        room_id: u64,
        /// The refusal in words.
        reason: String,
    },
    /// The message that [`ConnectOptions::session`](crate::ConnectOptions::session) brought along is settled.
    PendingSettled(Result<Receipt, SendError>),
    /// The server closes the connection and asks not to come back.
    Kicked {
        /// Why.
        reason: KickReason,
    },
    /// The last event.
    Stopped(StopReason),
}

/// Why a connection ended, or did not come about, and another will be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// Connections live two hours at most, so this one was replaced in good time.
    #[error("planned reconnect")]
    Planned,
    /// The server closed it.
    #[error("closed by the server{}", .code.map(|code| format!(" ({code})")).unwrap_or_default())]
    Closed {
        /// WebSocket close code, where there was one.
        code: Option<u16>,
    },
    /// The server asked to reconnect.
    #[error("the server asked to reconnect")]
    Asked,
    /// The network failed.
    #[error("connection lost: {0}")]
    Lost(String),
    /// Requests are open and nothing arrives.
    #[error("the server has fallen silent")]
    Silent,
    /// The server does not know the connection as signed in any more.
    #[error("the connection is not signed in")]
    NotSignedIn,
    /// It could not be opened.
    #[error("cannot connect: {0}")]
    Unreachable(String),
}

/// The events of one client, in order. Also a [`Stream`]. Dropping it discards what is received from then on.
#[derive(Debug)]
pub struct Events(pub(crate) mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None` after [`Event::Stopped`]. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// The next event if it is here already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}
