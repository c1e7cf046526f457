//! Reading heads and reserving in them, one inbox or many.

use super::head::{from_item, readable};
use crate::Store;
use crate::batch::{self, Bulk, Statement, StatementEnd};
use crate::error::StoreError;
use crate::item::{Item, get_string, number, string};
use crate::read_many::{read_many, readable_items};
use crate::schema::timelines::{self as attr, key};
use crate::timelines::{self, Missing};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;
use wigwag_domain::head::InboxHead;
use wigwag_domain::timeline::Entry;
use wigwag_domain::{GroupId, TimelineId, UserId};

/// What many reservations took.
#[derive(Debug, Default)]
pub struct Reservations {
    /// The heads after it. A user who is in neither map has no inbox.
    pub heads: BTreeMap<UserId, InboxHead>,
    /// The users for whom it is not known what was taken.
    pub failed: BTreeSet<UserId>,
    /// Why it is not known.
    pub error: Option<StoreError>,
}

/// The heads of these users' inboxes, eventually consistent: half a read unit each. A head that
/// cannot be read for the moment is left out, because callers only want to push. An error: none
/// could be read.
pub async fn heads(store: &Store, users: &BTreeSet<UserId>) -> Result<HashMap<UserId, InboxHead>, StoreError> {
    let keys = users
        .iter()
        .map(|&user| key(&TimelineId::inbox(user), attr::HEAD))
        .collect();
    let (items, error) = readable_items(store, &store.timelines, keys, false).await;
    match error {
        Some(error) if items.is_empty() => return Err(error),
        Some(error) => {
            let of = users.len();
            tracing::warn!(read = items.len(), of, %error, "could not look up for everybody whether they are online");
        }
        None => {}
    }
    let head = |item: &Item| {
        let TimelineId::Inbox(user) = get_string(item, attr::TIMELINE).and_then(attr::timeline)? else {
            return None;
        };
        Some((user, readable(item)))
    };
    Ok(items.iter().filter_map(head).collect())
}

/// The users among these who exist, that is, have an inbox; and the highest reserved seq of a
/// group's log.
pub async fn existing(
    store: &Store,
    users: &[UserId],
    group: Option<GroupId>,
) -> Result<(BTreeSet<UserId>, u64), StoreError> {
    let inboxes = users.iter().map(|user| TimelineId::inbox(*user));
    let keys = inboxes
        .chain(group.map(TimelineId::group))
        .map(|id| key(&id, attr::HEAD));
    let (mut existing, mut log_seq) = (BTreeSet::new(), 0);
    for head in read_many(store, &store.timelines, keys.collect(), true).await? {
        match get_string(&head, attr::TIMELINE).and_then(attr::timeline) {
            Some(TimelineId::Inbox(user)) => drop(existing.insert(user)),
            Some(TimelineId::GroupLog(_)) => log_seq = timelines::head_from_item(&head).seq,
            Some(TimelineId::PeerLog(..)) | None => {}
        }
    }
    Ok((existing, log_seq))
}

/// The head of a user's inbox; `None` if there is no such user. One read unit if consistent, half
/// of one if not.
#[tracing::instrument(name = "store.inbox.head", skip_all, fields(user.id = user.0))]
pub async fn head(store: &Store, user: UserId, consistent: bool) -> Result<Option<InboxHead>, StoreError> {
    let item = timelines::head_item(store, &TimelineId::inbox(user), consistent).await?;
    item.as_ref().map(from_item).transpose()
}

/// Takes the next seq of a user's inbox, and answers with the head after that. `None`: there is no
/// such user. One write unit, one attempt.
#[tracing::instrument(name = "store.inbox.reserve", skip_all, fields(user.id = user.0))]
pub async fn reserve(store: &Store, user: UserId, now_ms: i64) -> Result<Option<InboxHead>, StoreError> {
    let item = timelines::reserve_item(store, &TimelineId::inbox(user), 1, Missing::Refuse, now_ms).await?;
    item.as_ref().map(from_item).transpose()
}

/// Takes the next seqs of many inboxes, a number of them for each user. One write unit per user, a
/// request for each 25 users.
pub async fn reserve_many(store: &Store, wanted: &[(UserId, u64)], deadline: Instant, now_ms: i64) -> Reservations {
    let text = format!(
        r#"UPDATE "{}" SET {c} = {c} + ? SET {} = ? WHERE {} = ? AND {} = ? RETURNING ALL NEW *"#,
        store.timelines,
        attr::RESERVED_AT,
        attr::TIMELINE,
        attr::SEQ,
        c = attr::COUNTER,
    );
    let statements = wanted.iter().map(|&(user, n)| Statement {
        text: text.clone(),
        parameters: vec![
            number(n),
            number(now_ms),
            string(attr::partition(&TimelineId::inbox(user))),
            number(attr::HEAD),
        ],
    });
    let bulk = batch::run(store, statements.collect(), deadline).await;
    let mut taken = Reservations {
        error: bulk.error,
        ..Reservations::default()
    };
    for (&(user, n), settled) in wanted.iter().zip(bulk.settled) {
        let head = match settled {
            Some(StatementEnd::Done(item)) => item.as_ref().map(readable),
            Some(StatementEnd::Exists | StatementEnd::Missing) => {
                tracing::error!(user.id = user.0, "a member of a group has no inbox, and is left out");
                continue;
            }
            None => {
                taken.failed.insert(user);
                continue;
            }
        };
        // Without a head nobody knows which seqs were taken, and the member must not lose their
        // copies.
        if let Some(head) = head.filter(|head| head.seq >= n) {
            taken.heads.insert(user, head);
        } else {
            taken.failed.insert(user);
            taken.error = Some(batch::refused("a reservation returns no head"));
        }
    }
    taken
}

/// Puts entries into inboxes, each unless something is at its seq already. One write unit per KB of
/// an entry, a request for each 25 entries.
pub async fn put_entries(
    store: &Store,
    entries: impl Iterator<Item = (UserId, u64, Entry)>,
    deadline: Instant,
) -> Bulk {
    let insertion = |(user, seq, entry): (UserId, u64, Entry)| {
        batch::insertion(store, timelines::entry_item(&TimelineId::inbox(user), seq, &entry))
    };
    batch::run(store, entries.map(insertion).collect(), deadline).await
}

/// Seals seqs of inboxes that were reserved and are not used. If that fails, readers seal them
/// after the lease.
pub async fn give_up_many(store: &Store, seqs: Vec<(UserId, u64)>, deadline: Instant, now_ms: i64) {
    let seal = |(user, seq)| batch::insertion(store, timelines::seal_item(&TimelineId::inbox(user), seq, now_ms));
    let seals: Vec<Statement> = seqs.into_iter().map(seal).collect();
    if let Some(error) = batch::run(store, seals, deadline).await.error {
        tracing::warn!(%error, "could not seal seqs that are not used; readers will");
    }
}
