//! The Wigwag client: one cheap handle, ordered sending, gapless receiving.
//!
//! - [`Api`] calls the HTTP API: accounts, friends, history
//! - [`Client`] sends over a WebSocket that it keeps open; [`Events`] is what comes back. One task owns the connection
//!
//! What holds, whatever the network and the server do in between (see `docs/client.md`):
//!
//! - messages of one client reach a conversation in the order of [`Client::send`], each once; a receipt means durable
//! - every entry of the inbox comes out of [`Events`] once and in ascending seq, from the cursor that the app kept; and so does
//!   every message of each super group, from its own cursor
//!
//! ```no_run
//! use wigwag_client::{Client, ConnectOptions, Event, Start, TokenSource};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "ws://127.0.0.1:3001/prod".parse()?;
//! let mut options = ConnectOptions::new(url, 42, TokenSource::fixed("<token>"));
//! options.start = Start::After(0); // the cursor that was kept
//! let (client, mut events) = Client::connect(options).await?;
//!
//! let receipt = client.send(43, "hello").await?;
//! println!("stands at {} in the conversation", receipt.conversation_seq);
//!
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         println!("{}: {}", message.sender_id, String::from_utf8_lossy(&message.content));
//!         // keep message.seq as the cursor
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod api;
mod backoff;
mod driver;
mod error;
mod event;
mod group_log;
mod handle;
mod inbox;
mod incoming;
mod options;
mod outbox;
mod series;
mod socket;
mod super_groups;
mod tls;
mod token;

pub use api::{Api, ApiError};
pub use backoff::Backoff;
pub use error::{BoxError, ConnectError, RequestError, SendError, StopReason};
pub use event::{DisconnectReason, Event, Events};
pub use handle::{Client, Content, Conversation, Range, Sending, SignalTo};
pub use options::{ConnectOptions, SessionStore, SignIn, Start, Timing};
pub use outbox::{Receipt, Session};
pub use token::{TokenError, TokenRequest, TokenSource};

pub use url::Url;
pub use wigwag_protocol::http;
pub use wigwag_protocol::pb::{
    GroupChange, GroupChangeType, GroupRole, HeartbeatMsg, KickReason, Message, MessageType, PullOutputMsg,
    SessionType, SignalMsg, SignalType,
};
pub use wigwag_protocol::{Code, Encoding, limits};

#[cfg(test)]
mod tests;
