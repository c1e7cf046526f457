//! The pushes after a delivery.

use super::batch::Batch;
use super::delivery::MemberPush;
use std::collections::{BTreeMap, HashMap};
use wigwag_domain::UserId;
use wigwag_store::{Store, inboxes};

/// The copies that are stored, for all members who may be online. The heads of members who got
/// theirs before are fetched; if that fails, their devices find the messages by themselves.
pub(super) async fn batch_pushes(store: &Store, batch: &Batch<'_>) -> Vec<MemberPush> {
    let mut messages: BTreeMap<UserId, Vec<(u64, usize)>> = BTreeMap::new();
    for (&message, copies) in &batch.copies_stored {
        let index = batch.index_of(message);
        for (&user, &seq) in copies {
            messages.entry(user).or_default().push((seq, index));
        }
    }
    let without = messages.keys().filter(|user| !batch.heads.contains_key(user)).copied();
    let without = without.collect();
    let fetched = store.by(batch.end, "BatchGetItem (heads)", inboxes::heads(store, &without));
    let mut fetched = fetched.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "could not look up who is online");
        HashMap::new()
    });
    let inbound = |(user, mut messages): (UserId, Vec<(u64, usize)>)| {
        messages.sort_unstable();
        let head = batch.heads.get(&user).cloned().or_else(|| fetched.remove(&user))?;
        let may_be_online = head.connections(batch.now_ms).next().is_some();
        may_be_online.then_some(MemberPush { user, head, messages })
    };
    messages.into_iter().filter_map(inbound).collect()
}
