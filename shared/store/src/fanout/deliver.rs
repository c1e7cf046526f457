//! Delivering: a batch of a group's messages to the inboxes of a shard's members.

use super::{Audience, Logged};
use crate::Store;
use crate::error::StoreError;
use crate::head::Head;
use crate::ids::{GroupId, UserId};
use std::ops::Range;
use std::time::Instant;

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

/// What a member is to be pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The member.
    pub user: UserId,
    /// The head of their inbox, with their devices.
    pub head: Head,
    /// Their messages, ascending: the seq in their inbox (0 in a super group), and which of the batch it is.
    pub messages: Vec<(u64, usize)>,
}

/// How a delivery ended.
#[derive(Debug)]
pub struct Delivered {
    /// How many messages of the batch, from its first on, stand in the inbox of everyone who is to have them.
    pub done: usize,
    /// Why not all, where that is so.
    pub error: Option<StoreError>,
    /// Whom to push what.
    pub pushes: Vec<Inbound>,
}

/// Shards of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The group.
    pub group: GroupId,
    /// Its shards.
    pub shards: Range<u32>,
}

impl Store {
    /// Puts each message of a batch, in their order, into the inbox of each member entitled to it, once. Stops at `deadline`
    /// with what is done by then.
    pub async fn deliver(
        &self,
        group: GroupId,
        audience: &Audience,
        batch: &[Delivery],
        deadline: Instant,
        now_ms: i64,
    ) -> Delivered {
        let _ = (group, audience, batch, deadline, now_ms, self);
        todo!()
    }

    /// The members of a super group's shards who may be online, each with the messages of the batch that they are entitled to.
    pub async fn announce(&self, span: &Span, batch: &[Logged], now_ms: i64) -> Result<Vec<Inbound>, StoreError> {
        let _ = (span, batch, now_ms, self);
        todo!()
    }
}
