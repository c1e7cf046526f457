//! Announcing: a batch of a super group's messages to the members who are online. Nothing is written: the others read
//! the log.

use super::{Inbound, Logged};
use crate::Store;
use crate::error::StoreError;
use crate::ids::{GroupId, UserId};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::ops::Range;

/// Shards of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The group.
    pub group: GroupId,
    /// Its shards.
    pub shards: Range<u32>,
}

impl Store {
    /// The members of a super group's shards who may be online, each with the messages of the batch that they are
    /// entitled to. Half a read unit and a hundredth of a request for each member, and a query for each shard.
    #[tracing::instrument(name = "store.announce", skip_all, fields(group.id = span.group, messages = batch.len()))]
    pub async fn announce(&self, span: &Span, batch: &[Logged], now_ms: i64) -> Result<Vec<Inbound>, StoreError> {
        let shards = try_join_all(span.shards.clone().map(|shard| self.shard(span.group, shard))).await?;
        let mut wanted: BTreeMap<UserId, Vec<(u64, usize)>> = BTreeMap::new();
        for member in shards.iter().flatten() {
            for (place, logged) in batch.iter().enumerate() {
                let is_entitled = member.stint.covers(logged.conversation_seq());
                #[cfg(feature = "plant")]
                let is_entitled = is_entitled || (plant::has(Bug::PushToRemoved) && member.stint.left.is_some());
                if is_entitled {
                    wanted.entry(member.user).or_default().push((0, place));
                }
            }
        }
        let mut heads = self.heads(&wanted.keys().copied().collect()).await?;
        let inbound = |(user, mut messages): (UserId, Vec<(u64, usize)>)| {
            let head = heads.remove(&user)?;
            messages.sort_unstable();
            messages.dedup();
            let may_be_online = head.connections(now_ms).next().is_some();
            may_be_online.then_some(Inbound { user, head, messages })
        };
        Ok(wanted.into_iter().filter_map(inbound).collect())
    }
}
