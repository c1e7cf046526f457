//! The Wigwag client: a cheap handle, ordered sending, gapless receiving.
//!
//! - [`Api`] calls the HTTP API: accounts, friends, groups, history.
//! - [`Client`] sends over a WebSocket that it keeps open. [`Events`] delivers what arrives.
//!
//! The client guarantees two things, whatever the network and the server do:
//!
//! - Messages of one client reach a conversation in the order of [`Client::send`], each once. A
//!   receipt means that the message is durable.
//! - [`Events`] yields every entry of the inbox once and in ascending seq, starting after the
//!   cursor that the app kept. The same holds for each super group and its own cursor.
//!
//! ```no_run
//! use wigwag_client::{Client, ConnectOptions, Event, Start, TokenSource};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "ws://127.0.0.1:3001/prod".parse()?;
//! let mut options = ConnectOptions::new(url, 42, TokenSource::fixed("<token>"));
//! options.start = Start::After(0); // the stored cursor
//! let (client, mut events) = Client::connect(options).await?;
//!
//! let receipt = client.send(43, "hello").await?;
//! println!("seq {} of the conversation", receipt.conversation_seq);
//!
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         println!("{}: {}", message.sender_id, String::from_utf8_lossy(&message.content));
//!         // store message.seq as the new cursor
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod api;
mod backoff;
mod content;
mod conversation;
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
mod session;
mod socket;
mod super_groups;
mod tls;
mod token;

pub use api::Api;
pub use backoff::Backoff;
pub use content::Content;
pub use conversation::{Conversation, Range, SignalTo};
pub use error::{ApiError, BoxError, ConnectError, RequestError, SendError, StopReason};
pub use event::{DisconnectReason, Event, Events};
pub use handle::{Client, Sending};
pub use options::{ConnectOptions, SessionStore, SignIn, Start, Timing};
pub use session::{Receipt, Session};
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
