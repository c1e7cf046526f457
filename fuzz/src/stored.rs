//! Data that the server reads back: items of the tables, and tasks of the queue.

use super::aws::{Answer, Aws};
use super::{NOW_MS, text};
use serde_json::Value;
use wigwag_domain::task::Task;
use wigwag_domain::{GroupId, RoomId, UserId};
use wigwag_messaging::pull::HistoryRange;
use wigwag_protocol::Encoding;
use wigwag_store::{StoreError, directory, groups, inboxes, rooms};

/// A task. If it can be read, writing and reading it again gives the same.
pub fn task(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(task) = Task::from_body(text) {
        let again = Task::from_body(&task.to_body()).expect("what was written can be read");
        assert_eq!(again, task);
        assert_eq!(
            (again.message_group(), again.deduplication_id()),
            (task.message_group(), task.deduplication_id())
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
        check(inboxes::head(store, UserId(7), true).await.map(drop));
        check(
            wigwag_messaging::sync(store, UserId(7), 0, 10, Encoding::Json, NOW_MS)
                .await
                .map(drop),
        );
        check(
            wigwag_messaging::pull_peer(store, UserId(7), UserId(8), range, Encoding::Protobuf, NOW_MS)
                .await
                .map(drop),
        );
        check(directory::account(store, "+1555").await.map(drop));
        check(directory::profile(store, UserId(7)).await.map(drop));
        check(directory::relation(store, UserId(7), UserId(8)).await.map(drop));
        check(directory::relations_to(store, &[UserId(7)], UserId(8)).await.map(drop));
        check(directory::friends(store, UserId(7), UserId(0)).await.map(drop));
        check(directory::signed_in(store, "TXzPWdnOjoECGjA=").await.map(drop));
        check(groups::group(store, GroupId(7)).await.map(drop));
        check(groups::groups_of(store, UserId(7), GroupId(0)).await.map(drop));
        check(groups::membership(store, GroupId(7), UserId(8)).await.map(drop));
        check(groups::members_of(store, GroupId(7), 0).await.map(drop));
        check(groups::shard(store, GroupId(7), 0).await.map(drop));
        check(rooms::occupants(store, RoomId(7), None, 10, NOW_MS).await.map(drop));
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
