//! Heads of groups' logs: reserving in them, and their settings.

use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, Unmet, get_flag, get_number, number, unmet};
use crate::schema::timelines::{self as attr, key};
use crate::timelines::{self, Missing};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use wigwag_domain::groups::change::{Change, Setting};
use wigwag_domain::groups::record::GroupRecord;
use wigwag_domain::head::{GroupLogHead, GroupSettings};
use wigwag_domain::{GroupId, TimelineId};
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;

/// The condition that the group was not dissolved.
const OPEN: &str = "attribute_exists(#t) AND attribute_not_exists(#dissolved)";

/// The same, and that plain members may send.
const OPEN_TO_MEMBERS: &str =
    "attribute_exists(#t) AND attribute_not_exists(#dissolved) AND (attribute_not_exists(#muted) OR #muted <> :yes)";

/// How reserving in a group's log ended.
pub enum GroupReserved {
    /// A seq was taken: the head after it.
    Taken(GroupLogHead),
    /// No seq was taken.
    Refused(Code),
}

/// Takes the next seq of a group's log, unless its head says that no member of this role may send.
/// One write unit, one attempt.
pub async fn reserve(store: &Store, group: GroupId, role: Role, now_ms: i64) -> Result<GroupReserved, StoreError> {
    let mut call = timelines::reservation(store, &TimelineId::group(group), 1, now_ms)
        .expression_attribute_names("#t", attr::TIMELINE)
        .expression_attribute_names("#dissolved", attr::DISSOLVED_AFTER)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let open = if role == Role::Member { OPEN_TO_MEMBERS } else { OPEN };
    call = call.condition_expression(open);
    if role == Role::Member {
        call = call
            .expression_attribute_names("#muted", attr::MUTED)
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
    }
    match call.send().await {
        Ok(output) => Ok(GroupReserved::Taken(from_item(&output.attributes.unwrap_or_default()))),
        Err(error) => match unmet(error.as_service_error()) {
            Some(Unmet::NoItem) => Ok(GroupReserved::Refused(Code::GROUP_NOT_FOUND)),
            Some(Unmet::Item(head)) => {
                let settings = from_item(&head).settings;
                let is_dissolved = settings.is_some_and(|settings| settings.dissolved_after.is_some());
                Ok(GroupReserved::Refused(if is_dissolved {
                    Code::GROUP_DISSOLVED
                } else {
                    Code::GROUP_MUTED
                }))
            }
            None => Err(StoreError::call("UpdateItem (reserve in a group)")(error)),
        },
    }
}

/// Applies a change to the head of the log, once: the head has the version of the last change that
/// was applied.
pub async fn set_settings(
    store: &Store,
    group: GroupId,
    record: &GroupRecord,
    change: &Change,
    now_ms: i64,
) -> Result<(), StoreError> {
    let Some(setting) = change.setting(record) else {
        return Ok(());
    };
    let mut call = store
        .db
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(&TimelineId::group(group), attr::HEAD)))
        .condition_expression("attribute_not_exists(#version) OR #version < :version")
        .expression_attribute_names("#version", attr::SETTINGS)
        .expression_attribute_values(":version", number(record.version));
    let flag = |name: &'static str, value: bool| ("#it = :it", name, Some(AttributeValue::Bool(value)));
    let (update, name, value) = match setting {
        Setting::New { open_history, .. } => flag(attr::OPEN_HISTORY, open_history),
        Setting::Muted(muted) => flag(attr::MUTED, muted),
        Setting::OpenHistory(open) => flag(attr::OPEN_HISTORY, open),
        Setting::Shards(shards) => ("#it = :it", attr::SHARDS, Some(number(shards))),
        // Messages from here on. A message that is sent at the same time is judged by its own seq.
        Setting::Super => ("#it = #counter", attr::SUPER_AFTER, None),
        Setting::Dissolved => ("#it = #counter", attr::DISSOLVED_AFTER, None),
    };
    let mut update = format!("SET #version = :version, {update}");
    call = call.expression_attribute_names("#it", name);
    match value {
        Some(value) => call = call.expression_attribute_values(":it", value),
        None => call = call.expression_attribute_names("#counter", attr::COUNTER),
    }
    if let Setting::New {
        shards, super_group, ..
    } = setting
    {
        update.push_str(", #shards = :shards, #counter = if_not_exists(#counter, :zero), #at = :now");
        call = call
            .expression_attribute_names("#shards", attr::SHARDS)
            .expression_attribute_names("#counter", attr::COUNTER)
            .expression_attribute_names("#at", attr::RESERVED_AT)
            .expression_attribute_values(":shards", number(shards))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":now", number(now_ms));
        if super_group {
            update.push_str(", #super = :zero");
            call = call.expression_attribute_names("#super", attr::SUPER_AFTER);
        }
    }
    match call.update_expression(update).send().await {
        Ok(_) => Ok(()),
        Err(error) if unmet(error.as_service_error()).is_some() => Ok(()),
        Err(error) => Err(StoreError::call("UpdateItem (settings)")(error)),
    }
}

/// The head of a group's log; `None` if there is none. One read unit, strongly consistent.
#[tracing::instrument(name = "store.group_log.head", skip_all, fields(group.id = group.0))]
pub async fn head(store: &Store, group: GroupId) -> Result<Option<GroupLogHead>, StoreError> {
    let item = timelines::head_item(store, &TimelineId::group(group), true).await?;
    Ok(item.as_ref().map(from_item))
}

/// Takes the next seq of a group's log, without a condition on its settings. `None`: there is no
/// such log. One write unit, one attempt.
#[tracing::instrument(name = "store.group_log.take", skip_all, fields(group.id = group.0))]
pub async fn take_seq(store: &Store, group: GroupId, now_ms: i64) -> Result<Option<GroupLogHead>, StoreError> {
    let item = timelines::reserve_item(store, &TimelineId::group(group), 1, Missing::Refuse, now_ms).await?;
    Ok(item.as_ref().map(from_item))
}

pub(crate) fn from_item(item: &Item) -> GroupLogHead {
    GroupLogHead {
        seq: timelines::head_from_item(item).seq,
        settings: settings_from_item(item),
    }
}

fn settings_from_item(item: &Item) -> Option<GroupSettings> {
    Some(GroupSettings {
        version: get_number(item, attr::SETTINGS)?,
        shards: get_number(item, attr::SHARDS).unwrap_or(1),
        super_after: get_number(item, attr::SUPER_AFTER),
        dissolved_after: get_number(item, attr::DISSOLVED_AFTER),
        muted: get_flag(item, attr::MUTED),
        open_history: get_flag(item, attr::OPEN_HISTORY),
    })
}
