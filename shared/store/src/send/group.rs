//! A message to a group: into the log, into the queue, into the sender's own inbox.

use super::{Draft, SendError};
use crate::Store;
use crate::fanout::TaskQueue;
use crate::head::Head;
use crate::ids::GroupId;
use wigwag_protocol::pb;

/// A message that is durable in the group's log and in the sender's inbox, and whose tasks are in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct SentToGroup {
    /// The message as it stands, without the seq of an inbox.
    pub message: pb::Message,
    /// Its seq in the sender's inbox; 0 in a super group.
    pub own_seq: u64,
    /// The sender's head, with the devices to push to.
    pub sender: Head,
}

impl Store {
    /// Sends a message to a group, or finishes and answers again one that was sent before. When this returns `Ok`, the message
    /// stands in the log, and will stand in the inbox of everyone who was a member.
    pub async fn send_to_group(
        &self,
        queue: &impl TaskQueue,
        draft: &Draft,
        group: GroupId,
        now_ms: i64,
    ) -> Result<SentToGroup, SendError> {
        let _ = (queue, draft, group, now_ms, self);
        todo!()
    }
}
