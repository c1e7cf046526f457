//! State of sending that outlives a process, and receipts.

use serde::{Deserialize, Serialize};
use wigwag_protocol::pb::Message;

/// A device's numbering of its messages, which an app can store.
///
/// If it is saved before a message is transmitted, the next process can repeat an unanswered
/// message under the same number, so that it cannot arrive twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Id of the session: the time it began, in ms. It grows with every new session.
    pub id: u64,
    /// The number of the pending message, or of the next one if none is pending.
    pub next_client_id: u64,
    /// The message that is not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Message>,
}

/// The server's confirmation of a message. It is durable in the conversation's log and will reach
/// every inbox that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The session that the message was numbered in.
    pub session: u64,
    /// Its number in that session.
    pub client_id: u64,
    /// Its seq in the sender's own inbox; 0 in a super group.
    pub seq: u64,
    /// Its seq in the conversation, which is the display order for all users.
    pub conversation_seq: u64,
    /// When the server accepted it, in ms.
    pub send_time_ms: i64,
}
