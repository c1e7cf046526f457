//! What is delivered, and how that ended.

use wigwag_domain::UserId;
use wigwag_domain::head::InboxHead;
use wigwag_domain::task::Logged;
use wigwag_store::StoreError;

/// A message of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The message.
    pub logged: Logged,
    /// The sender, who has a copy already.
    pub skip: Option<UserId>,
    /// Whether another worker may have begun with it.
    pub redelivered: bool,
}

impl Delivery {
    pub(crate) fn conversation_seq(&self) -> u64 {
        self.logged.conversation_seq()
    }
}

/// The messages that a member is to be pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberPush {
    /// The member.
    pub user: UserId,
    /// The head of their inbox. At least one of their devices may be online.
    pub head: InboxHead,
    /// Their messages, ascending: the seq in their inbox (0 in a super group), and the index in the
    /// batch.
    pub messages: Vec<(u64, usize)>,
}

/// How a delivery ended.
#[derive(Debug)]
pub struct Delivered {
    /// How many messages, from the first on, are in the inbox of every member who is to have them,
    /// or will be by a task that was enqueued.
    pub done: usize,
    /// Why not all are; `None` if all are, or if time ran out.
    pub error: Option<StoreError>,
    /// The pushes for all copies that are stored, even if their message is not done.
    pub pushes: Vec<MemberPush>,
}
