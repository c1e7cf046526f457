//! Reading many items at once, by their keys.

use super::key;
use crate::Store;
use crate::error::StoreError;
use crate::head::Head;
use crate::ids::{TimelineId, UserId};
use crate::item::{Item, corrupt, get_string};
use crate::schema::timelines as attr;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::{BTreeSet, HashMap};

/// Keys that one `BatchGetItem` takes.
const KEYS_PER_REQUEST: usize = 100;

/// Requests on their way at once.
const REQUESTS_AT_ONCE: usize = 8;

impl Store {
    /// The items of a table with these keys, in no order; those that do not exist are left out. A request for each
    /// hundred; one read unit per 4 KB of an item if consistent, half of one if not.
    pub(crate) async fn items(&self, table: &str, keys: Vec<Item>, consistent: bool) -> Result<Vec<Item>, StoreError> {
        let chunks: Vec<Vec<Item>> = keys.chunks(KEYS_PER_REQUEST).map(<[Item]>::to_vec).collect();
        let found: Vec<Vec<Item>> = stream::iter(chunks)
            .map(|chunk| self.get_all(table, chunk, consistent))
            .buffered(REQUESTS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The heads of these users' inboxes, eventually consistent: half a read unit each.
    pub(crate) async fn heads(&self, users: &BTreeSet<UserId>) -> Result<HashMap<UserId, Head>, StoreError> {
        let of_key: HashMap<TimelineId, UserId> = users.iter().map(|&user| (TimelineId::inbox(user), user)).collect();
        let keys = users
            .iter()
            .map(|&user| key(&TimelineId::inbox(user), attr::HEAD))
            .collect();
        let mut heads = HashMap::new();
        for item in self.items(&self.timelines, keys, false).await? {
            let inbox = get_string(&item, attr::TIMELINE).map(TimelineId::from_key);
            if let Some(&user) = inbox.and_then(|inbox| of_key.get(&inbox)) {
                heads.insert(user, Head::from_item(&item)?);
            }
        }
        Ok(heads)
    }

    /// Asks until no key is left unprocessed; every answer processes at least one, or is an error.
    async fn get_all(&self, table: &str, mut keys: Vec<Item>, consistent: bool) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        while !keys.is_empty() {
            let asked = keys.len();
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(consistent)
                .build()
                .map_err(|error| corrupt("timelines", error.to_string()))?;
            let call = self.db.batch_get_item().request_items(table, wanted);
            let output = call.send().await.map_err(StoreError::call("BatchGetItem"))?;
            found.extend(output.responses.unwrap_or_default().into_values().flatten());
            keys = output
                .unprocessed_keys
                .unwrap_or_default()
                .remove(table)
                .map(|left| left.keys)
                .unwrap_or_default();
            if keys.len() == asked {
                return Err(StoreError::Throttled {
                    operation: "BatchGetItem",
                });
            }
        }
        Ok(found)
    }
}
