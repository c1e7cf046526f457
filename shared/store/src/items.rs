//! Reading many items of a table at once, by their keys.

use crate::Store;
use crate::error::StoreError;
use crate::head::Head;
use crate::ids::{TimelineId, UserId};
use crate::item::{Item, corrupt, get_string};
use crate::schema::timelines as attr;
use crate::timeline::key;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Keys that one `BatchGetItem` takes.
const KEYS_PER_REQUEST: usize = 100;

/// Requests on their way at once.
const REQUESTS_AT_ONCE: usize = 8;

/// How often those are asked for again of which an answer brought none.
const TRIES: u32 = 4;

/// The wait before that; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

impl Store {
    /// The items of a table with these keys, in no order; those that do not exist are left out. A request for each
    /// hundred; one read unit per 4 KB of an item if consistent, half of one if not.
    pub(crate) async fn items(&self, table: &str, keys: Vec<Item>, consistent: bool) -> Result<Vec<Item>, StoreError> {
        let (found, error) = self.readable_items(table, keys, consistent).await;
        error.map_or(Ok(found), Err)
    }

    /// The heads of these users' inboxes, eventually consistent: half a read unit each. Those that cannot be read for the
    /// moment are left out: whoever asks only wants to push. An error is for where none can.
    pub(crate) async fn heads(&self, users: &BTreeSet<UserId>) -> Result<HashMap<UserId, Head>, StoreError> {
        let of_key: HashMap<TimelineId, UserId> = users.iter().map(|&user| (TimelineId::inbox(user), user)).collect();
        let keys = users
            .iter()
            .map(|&user| key(&TimelineId::inbox(user), attr::HEAD))
            .collect();
        let (items, error) = self.readable_items(&self.timelines, keys, false).await;
        match error {
            Some(error) if items.is_empty() => return Err(error),
            Some(error) => {
                let of = users.len();
                tracing::warn!(read = items.len(), of, %error, "could not look up for everybody whether they are online");
            }
            None => {}
        }
        let head = |item: &Item| {
            let inbox = get_string(item, attr::TIMELINE).map(TimelineId::from_key)?;
            Some((*of_key.get(&inbox)?, Head::readable(item)))
        };
        Ok(items.iter().filter_map(head).collect())
    }

    /// Those of the items that can be read, and why not all.
    async fn readable_items(&self, table: &str, keys: Vec<Item>, consistent: bool) -> (Vec<Item>, Option<StoreError>) {
        let chunks: Vec<Vec<Item>> = keys.chunks(KEYS_PER_REQUEST).map(<[Item]>::to_vec).collect();
        let all: Vec<(Vec<Item>, Option<StoreError>)> = stream::iter(chunks)
            .map(|chunk| self.get_all(table, chunk, consistent))
            .buffered(REQUESTS_AT_ONCE)
            .collect()
            .await;
        let (found, errors): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (
            found.into_iter().flatten().collect(),
            errors.into_iter().flatten().next(),
        )
    }

    /// Asks until no key is left unprocessed, or nothing comes of it.
    async fn get_all(&self, table: &str, mut keys: Vec<Item>, consistent: bool) -> (Vec<Item>, Option<StoreError>) {
        let mut found = Vec::new();
        let (mut tries, mut pause) = (0, FIRST_PAUSE);
        while !keys.is_empty() {
            let asked = keys.len();
            match self.get_some(table, keys, consistent).await {
                Ok((some, left)) => {
                    found.extend(some);
                    keys = left;
                }
                Err(error) => return (found, Some(error)),
            }
            if keys.len() < asked {
                (tries, pause) = (0, FIRST_PAUSE);
            } else if tries == TRIES {
                let operation = "BatchGetItem";
                return (found, Some(StoreError::Throttled { operation }));
            }
            if !keys.is_empty() {
                tries += 1;
                self.pause(pause).await;
                pause *= 2;
            }
        }
        (found, None)
    }

    /// One request: what it found, and the keys that it did not get to.
    async fn get_some(
        &self,
        table: &str,
        keys: Vec<Item>,
        consistent: bool,
    ) -> Result<(Vec<Item>, Vec<Item>), StoreError> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(consistent)
            .build()
            .map_err(|error| corrupt("keys", error.to_string()))?;
        let call = self.db.batch_get_item().request_items(table, wanted);
        let output = call.send().await.map_err(StoreError::call("BatchGetItem"))?;
        let found = output.responses.unwrap_or_default().into_values().flatten().collect();
        let left = output.unprocessed_keys.unwrap_or_default().remove(table);
        Ok((found, left.map(|left| left.keys).unwrap_or_default()))
    }
}
