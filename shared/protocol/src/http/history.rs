//! Pages of a conversation.

use crate::pb::Message;
use serde::{Deserialize, Serialize};

/// `GET /history/{peer_id}` and `GET /group/{group_id}/history`: a page of a conversation.
///
/// The query is `?begin_seq&end_seq&limit&descending`, as in `PullInputMsg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In the order asked for.
    pub messages: Vec<Message>,
    /// Whether the range holds more.
    pub has_more: bool,
    /// Where to continue: the next `begin_seq`, or `end_seq` if descending; 0 at the end.
    pub next_seq: u64,
    /// The highest reserved seq of the conversation. For a group: the highest that the caller may
    /// read.
    pub max_seq: u64,
    /// For a group, oldest first: this page reaches the end, and the caller gets no later messages
    /// unless they join again.
    #[serde(default)]
    pub ended: bool,
}
