//! Data that the server reads back: items of the tables, and tasks of the queue.

use super::aws::{Answer, Aws};
use super::{NOW_MS, text};
use serde_json::Value;
use wigwag_protocol::Encoding;
use wigwag_store::fanout::Task;
use wigwag_store::messages::HistoryRange;
use wigwag_store::{StoreError, TimelineId};

/// A task. If it can be read, writing and reading it again gives the same.
pub fn task(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(task) = Task::from_body(text) {
        let again = Task::from_body(&task.to_body()).expect("what was written can be read");
        assert_eq!(again, task);
        assert_eq!(
            (again.ordering(), again.deduplication()),
            (task.ordering(), task.deduplication())
        );
    }
}

/// The types of attributes in DynamoDB. `serde_dynamo` panics at any other.
const TYPES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"];

/// An item of either table. Every reader reads it, or says that it is corrupt.
pub fn stored(data: &[u8]) {
    let Some(item) = text(data).and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return;
    };
    if !item
        .as_object()
        .is_some_and(|attributes| attributes.values().all(is_attribute))
    {
        return;
    }
    Aws::run(Answer::Item(item), async |aws| {
        let store = &aws.store;
        let range = HistoryRange {
            begin_seq: 0,
            end_seq: 0,
            limit: 10,
            descending: false,
        };
        check(store.head(&TimelineId::inbox(7), true).await.map(drop));
        check(store.inbox(7, 0, 10, Encoding::Json, NOW_MS).await.map(drop));
        check(store.history(7, 8, range, Encoding::Protobuf, NOW_MS).await.map(drop));
        check(store.account("+1555").await.map(drop));
        check(store.profile(7).await.map(drop));
        check(store.relation(7, 8).await.map(drop));
        check(store.relations_to(&[7], 8).await.map(drop));
        check(store.friends(7, 0).await.map(drop));
        check(store.signed_in("TXzPWdnOjoECGjA=").await.map(drop));
        check(store.group(7).await.map(drop));
        check(store.groups_of(7, 0).await.map(drop));
        check(store.membership(7, 8).await.map(drop));
        check(store.members_of(7, 0).await.map(drop));
        check(store.shard(7, 0).await.map(drop));
        check(store.occupants(7, None, 10, NOW_MS).await.map(drop));
    });
}

fn is_attribute(value: &Value) -> bool {
    let Some((name, value)) = value.as_object().and_then(|of_type| of_type.iter().next()) else {
        return false;
    };
    TYPES.contains(&name.as_str())
        && match name.as_str() {
            "M" => value.as_object().is_some_and(|map| map.values().all(is_attribute)),
            "L" => value.as_array().is_some_and(|list| list.iter().all(is_attribute)),
            _ => true,
        }
}

fn check(read: Result<(), StoreError>) {
    match read {
        // The SDK refuses items that DynamoDB could not have stored.
        Ok(()) | Err(StoreError::Corrupt { .. } | StoreError::Failed { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}
