//! Events from the client to the app.

use crate::error::{SendError, StopReason};
use crate::session::Receipt;
use futures_util::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use wigwag_protocol::pb::{KickReason, Message, SignalMsg};

/// Something that happened on the connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection is open and signed in. SYNC follows at once.
    Connected,
    /// The connection was lost or could not be opened. The next attempt is made after `retry_in`.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// The next message of the inbox.
    ///
    /// Every message comes once, in ascending seq. The user's own messages are included, also those
    /// that this client sent. After handling it, store `message.seq` as the cursor.
    Message(Message),
    /// Everything that the server had in the inbox was delivered. `cursor` may be beyond the last
    /// message, because the seqs in between are seals.
    CaughtUp {
        /// The cursor to store after handling all messages before this event.
        cursor: u64,
    },
    /// The next message of a super group.
    ///
    /// Every message comes once, in ascending `conversation_seq`, including the user's own. After
    /// handling it, store `message.conversation_seq` as the cursor of the group
    /// `message.receiver_id`.
    GroupMessage(Message),
    /// A new cursor of a super group, to store after handling all messages before this event.
    ///
    /// Either the group begins here for this device, or the seqs before it are seals. It comes
    /// before the inbox message that announces the group.
    GroupCursor {
        /// The super group.
        group_id: u64,
        /// The conversation seq to store.
        cursor: u64,
    },
    /// A super group has ended for this user.
    ///
    /// Store its cursor in [`ConnectOptions::ended_groups`](crate::ConnectOptions::ended_groups)
    /// from now on. Otherwise a late inbox copy from before the end would start the group again. A
    /// later [`Event::GroupCursor`] of the group replaces the entry.
    GroupEnded {
        /// The group.
        group_id: u64,
        /// The conversation seq to store.
        cursor: u64,
    },
    /// Everything that the super groups held when the connection began was delivered. Comes once
    /// per connection.
    GroupsCaughtUp,
    /// A message in the room that this device is in. It is not stored: a message that is missed
    /// never comes again.
    RoomMessage(Message),
    /// A signal of another user, sent to this user or to the room. It is not stored.
    Signal(SignalMsg),
    /// This device is back in the room after a new connection. Messages sent in between are lost.
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
    /// The pending message of [`ConnectOptions::session`](crate::ConnectOptions::session) is
    /// settled.
    PendingSettled(Result<Receipt, SendError>),
    /// The server closes the connection and asks not to reconnect.
    Kicked {
        /// Why.
        reason: KickReason,
    },
    /// The last event.
    Stopped(StopReason),
}

/// Why a connection ended or could not be opened. Another one will be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The connection was replaced before API Gateway's limit of two hours.
    #[error("planned reconnect")]
    Planned,
    /// The server closed it.
    #[error("closed by the server{}", .code.map(|code| format!(" ({code})")).unwrap_or_default())]
    Closed {
        /// WebSocket close code, if there was one.
        code: Option<u16>,
    },
    /// The server asked to reconnect.
    #[error("the server asked to reconnect")]
    Asked,
    /// The network failed.
    #[error("connection lost: {0}")]
    Lost(String),
    /// Requests are open and nothing arrives.
    #[error("the server does not answer")]
    Silent,
    /// The server no longer knows the connection as signed in.
    #[error("the connection is not signed in")]
    NotSignedIn,
    /// The connection could not be opened.
    #[error("cannot connect: {0}")]
    Unreachable(String),
}

/// The events of one client, in order. Also a [`Stream`]. Dropping it discards all later events.
#[derive(Debug)]
pub struct Events(pub(crate) mpsc::Receiver<Event>);

impl Events {
    /// Waits for the next event. Returns `None` after [`Event::Stopped`]. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// Returns the next event if it is already there.
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
