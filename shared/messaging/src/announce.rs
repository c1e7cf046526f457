//! Announcing: a batch of a super group's messages is pushed to the members who are online. Nothing
//! is written: the others read the log.

use crate::deliver::MemberPush;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::ops::Range;
use wigwag_domain::task::Logged;
use wigwag_domain::{GroupId, UserId};
use wigwag_store::{Store, StoreError, groups, inboxes};

/// A range of shards of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRange {
    /// The group.
    pub group: GroupId,
    /// Its shards.
    pub shards: Range<u32>,
}

/// The members in these shards who may be online, each with the messages of the batch that they may
/// read. Half a read unit and a hundredth of a request for each member, and a query for each shard.
#[tracing::instrument(name = "announce", skip_all, fields(group.id = shards_of.group.0, messages = batch.len()))]
pub async fn announce(
    store: &Store,
    shards_of: &ShardRange,
    batch: &[Logged],
    now_ms: i64,
) -> Result<Vec<MemberPush>, StoreError> {
    let shards = try_join_all(
        shards_of
            .shards
            .clone()
            .map(|shard| groups::shard(store, shards_of.group, shard)),
    )
    .await?;
    let mut wanted: BTreeMap<UserId, Vec<(u64, usize)>> = BTreeMap::new();
    for member in shards.iter().flatten() {
        for (index, logged) in batch.iter().enumerate() {
            let is_entitled = member.interval.covers(logged.conversation_seq());
            if is_entitled {
                wanted.entry(member.user).or_default().push((0, index));
            }
        }
    }
    let mut heads = inboxes::heads(store, &wanted.keys().copied().collect()).await?;
    let inbound = |(user, mut messages): (UserId, Vec<(u64, usize)>)| {
        let head = heads.remove(&user)?;
        messages.sort_unstable();
        messages.dedup();
        let may_be_online = head.connections(now_ms).next().is_some();
        may_be_online.then_some(MemberPush { user, head, messages })
    };
    Ok(wanted.into_iter().filter_map(inbound).collect())
}
