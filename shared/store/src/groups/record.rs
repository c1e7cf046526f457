//! The group's record as an item.

use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt, get_number, number, unmet};
use crate::schema::directory::{self as attr, record_key};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use wigwag_domain::GroupId;
use wigwag_domain::groups::record::GroupRecord;

/// The group's record, strongly consistent. One read unit per 4 KB; a record is smaller.
pub async fn record(store: &Store, group: GroupId) -> Result<Option<GroupRecord>, StoreError> {
    let output = store
        .db
        .get_item()
        .table_name(&store.directory)
        .set_key(Some(record_key(group)))
        .consistent_read(true)
        .send()
        .await
        .map_err(StoreError::call("GetItem (group)"))?;
    output.item.map(record_from_item).transpose()
}

/// Stores a change, if the group is still at the version before it. Answers whether the change is
/// stored. May be repeated.
pub async fn begin_change(store: &Store, group: GroupId, next: &GroupRecord) -> Result<bool, StoreError> {
    let mut item: Item = serde_dynamo::to_item(next).map_err(|error| corrupt("directory", error.to_string()))?;
    item.extend(record_key(group));
    let mut call = store
        .db
        .put_item()
        .table_name(&store.directory)
        .set_item(Some(item))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    call = match next.version - 1 {
        0 => call
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", attr::PK),
        version => call
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", attr::VERSION)
            .expression_attribute_values(":version", number(version)),
    };
    let Err(error) = call.send().await else { return Ok(true) };
    match error.as_service_error() {
        // The condition may have failed because an earlier attempt, whose answer was lost,
        // succeeded.
        Some(PutItemError::ConditionalCheckFailedException(failed)) => {
            let there = failed.item().cloned().map(record_from_item).transpose()?;
            Ok(there.is_some_and(|there| there.is_same_change(next)))
        }
        _ => Err(StoreError::call("PutItem (group)")(error)),
    }
}

/// Agrees with all attempts at a change on the seq of its announcement: `wanted`, unless another
/// one has replaced `known`. Answers with the one that holds; `None`: the change is finished. One
/// write unit per KB; may be repeated.
pub async fn agree_on_seq(
    store: &Store,
    group: GroupId,
    version: u64,
    known: Option<u64>,
    wanted: u64,
) -> Result<Option<u64>, StoreError> {
    let condition = if known.is_some() {
        "#version = :version AND #seq = :known"
    } else {
        "#version = :version AND attribute_exists(#change) AND attribute_not_exists(#seq)"
    };
    let mut call = store
        .db
        .update_item()
        .table_name(&store.directory)
        .set_key(Some(record_key(group)))
        .update_expression("SET #seq = :wanted")
        .condition_expression(condition)
        .expression_attribute_names("#version", attr::VERSION)
        .expression_attribute_names("#seq", attr::CHANGE_SEQ)
        .expression_attribute_values(":version", number(version))
        .expression_attribute_values(":wanted", number(wanted))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    call = match known {
        Some(known) => call.expression_attribute_values(":known", number(known)),
        None => call.expression_attribute_names("#change", attr::CHANGE),
    };
    let Err(error) = call.send().await else {
        return Ok(Some(wanted));
    };
    match unmet(error.as_service_error()) {
        Some(there) => {
            let there = there.item().unwrap_or_default();
            let is_same = get_number(&there, attr::VERSION) == Some(version);
            Ok(get_number(&there, attr::CHANGE_SEQ).filter(|_| is_same))
        }
        None => Err(StoreError::call("UpdateItem (seq of a change)")(error)),
    }
}

/// Marks a change as finished. One write unit per KB; may be repeated.
pub async fn end_change(store: &Store, group: GroupId, version: u64) -> Result<(), StoreError> {
    let result = store
        .db
        .update_item()
        .table_name(&store.directory)
        .set_key(Some(record_key(group)))
        .update_expression("REMOVE #change, #seq")
        .condition_expression("#version = :version")
        .expression_attribute_names("#version", attr::VERSION)
        .expression_attribute_names("#change", attr::CHANGE)
        .expression_attribute_names("#seq", attr::CHANGE_SEQ)
        .expression_attribute_values(":version", number(version))
        .send()
        .await;
    match result {
        Ok(_) => Ok(()),
        Err(error) if unmet(error.as_service_error()).is_some() => Ok(()),
        Err(error) => Err(StoreError::call("UpdateItem (end of a change)")(error)),
    }
}

pub(crate) fn record_from_item(item: Item) -> Result<GroupRecord, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()))
}
