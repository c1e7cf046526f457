//! Reading many items of a table at once, by their keys.

use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt};
use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::{StreamExt as _, stream};
use std::time::Duration;

/// Keys that one `BatchGetItem` takes.
const KEYS_PER_REQUEST: usize = 100;

/// Requests on their way at once.
const REQUESTS_AT_ONCE: usize = 8;

/// How often keys are asked for again if an answer brought no item.
const TRIES: u32 = 4;

/// The wait before that; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The items of a table with these keys, in no order; those that do not exist are left out. A
/// request for each hundred; one read unit per 4 KB of an item if consistent, half of one if not.
pub(crate) async fn read_many(
    store: &Store,
    table: &str,
    keys: Vec<Item>,
    consistent: bool,
) -> Result<Vec<Item>, StoreError> {
    let (found, error) = readable_items(store, table, keys, consistent).await;
    error.map_or(Ok(found), Err)
}

/// The items that can be read, and why not all.
pub(crate) async fn readable_items(
    store: &Store,
    table: &str,
    keys: Vec<Item>,
    consistent: bool,
) -> (Vec<Item>, Option<StoreError>) {
    let chunks: Vec<Vec<Item>> = keys.chunks(KEYS_PER_REQUEST).map(<[Item]>::to_vec).collect();
    let all: Vec<(Vec<Item>, Option<StoreError>)> = stream::iter(chunks)
        .map(|chunk| get_all(store, table, chunk, consistent))
        .buffered(REQUESTS_AT_ONCE)
        .collect()
        .await;
    let (found, errors): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    (
        found.into_iter().flatten().collect(),
        errors.into_iter().flatten().next(),
    )
}

/// Asks until no key is left, or no progress is made.
async fn get_all(store: &Store, table: &str, mut keys: Vec<Item>, consistent: bool) -> (Vec<Item>, Option<StoreError>) {
    let mut found = Vec::new();
    let (mut tries, mut pause) = (0, FIRST_PAUSE);
    while !keys.is_empty() {
        let asked = keys.len();
        match get_some(store, table, keys, consistent).await {
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
            store.pause(pause).await;
            pause *= 2;
        }
    }
    (found, None)
}

/// One request: the items that it found, and the keys that it did not get to.
async fn get_some(
    store: &Store,
    table: &str,
    keys: Vec<Item>,
    consistent: bool,
) -> Result<(Vec<Item>, Vec<Item>), StoreError> {
    let wanted = KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .consistent_read(consistent)
        .build()
        .map_err(|error| corrupt("keys", error.to_string()))?;
    let call = store.db.batch_get_item().request_items(table, wanted);
    let output = call.send().await.map_err(StoreError::call("BatchGetItem"))?;
    let found = output.responses.unwrap_or_default().into_values().flatten().collect();
    let left = output.unprocessed_keys.unwrap_or_default().remove(table);
    Ok((found, left.map(|left| left.keys).unwrap_or_default()))
}
