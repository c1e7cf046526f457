//! The group's item: what the group is, how many changes it has seen, and the one that is not finished yet.

use super::change::{Change, Effect};
use crate::Store;
use crate::directory::key;
use crate::error::StoreError;
use crate::fanout::SHARD_MEMBERS;
use crate::ids::{GroupId, UserId};
use crate::item::{Item, condition_item, corrupt, get_number, number};
use crate::schema::directory as attr;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::{Deserialize, Serialize};

/// The group's item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a group")]
pub(super) struct Info {
    pub(super) name: String,
    pub(super) owner: UserId,
    /// How many are in it.
    pub(super) members: u32,
    /// How many places were given, to those who left too: the next one. Who comes back has the one they had.
    pub(super) places: u64,
    pub(super) created_at_ms: i64,
    /// What its maker called the request that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<String>,
    pub(super) super_group: bool,
    pub(super) muted: bool,
    pub(super) open_history: bool,
    pub(super) dissolved: bool,
    /// How many changes were made; the latest one is this one.
    pub(super) version: u64,
    /// The latest change, while it is not finished.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<Change>,
    /// Where its announcement goes in the log, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) change_seq: Option<u64>,
}

impl Info {
    /// The group after a change, which is then to be carried out.
    pub(super) fn after(&self, change: Change) -> Self {
        let mut next = Self {
            version: self.version + 1,
            change_seq: None,
            ..self.clone()
        };
        match &change.effect {
            Effect::Added { users, places } => {
                next.places = places.iter().map(|place| place + 1).fold(next.places, u64::max);
                next.members = next.members.saturating_add(count(users));
            }
            Effect::Removed { users } => next.members = next.members.saturating_sub(count(users)),
            Effect::Left => next.members = next.members.saturating_sub(1),
            Effect::Renamed { name } => next.name.clone_from(name),
            // How many are in a group that was dissolved is how many were in it then.
            Effect::Created { .. } | Effect::LeftDissolved | Effect::Role { .. } | Effect::MemberMuted { .. } => {}
            Effect::HandedOver { user } => next.owner = *user,
            Effect::Muted { muted } => next.muted = *muted,
            Effect::HistoryOpened { open } => next.open_history = *open,
            Effect::BecameSuper => next.super_group = true,
            Effect::Dissolved => next.dissolved = true,
        }
        next.change = Some(change);
        next
    }

    /// Whether this is the same change to the same group, however far it has come.
    fn is_same_change(&self, other: &Self) -> bool {
        self.version == other.version && self.change == other.change
    }
}

/// How many shards so many places are in; at least one.
pub(super) fn shards(places: u64) -> u64 {
    places.div_ceil(SHARD_MEMBERS).max(1)
}

/// Users of one change, of which there are few.
pub(super) fn count(users: &[UserId]) -> u32 {
    u32::try_from(users.len()).unwrap_or(u32::MAX)
}

impl Store {
    /// The group's item, strongly consistent. One read unit per 4 KB, which it is under.
    pub(super) async fn group_info(&self, group: GroupId) -> Result<Option<Info>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.directory)
            .set_key(Some(info_key(group)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::call("GetItem (group)"))?;
        output.item.map(info_from_item).transpose()
    }

    /// Writes a change down, if the group is still at the version before it. Answers whether it stands. May be repeated.
    pub(super) async fn begin_change(&self, group: GroupId, next: &Info) -> Result<bool, StoreError> {
        let mut item: Item = serde_dynamo::to_item(next).map_err(|error| corrupt("directory", error.to_string()))?;
        item.extend(info_key(group));
        let mut call = self
            .db
            .put_item()
            .table_name(&self.directory)
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
            // It may be the answer to an earlier attempt that was lost.
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let there = failed.item().cloned().map(info_from_item).transpose()?;
                Ok(there.is_some_and(|there| there.is_same_change(next)))
            }
            _ => Err(StoreError::call("PutItem (group)")(error)),
        }
    }

    /// Agrees with all who carry a change out on the seq of its announcement: `wanted`, unless another one has replaced
    /// `known`. Answers with the one that stands; `None`: the change is finished. One write unit per KB; may be repeated.
    pub(super) async fn agree_on_seq(
        &self,
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
        let mut call = self
            .db
            .update_item()
            .table_name(&self.directory)
            .set_key(Some(info_key(group)))
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
        match condition_item(error.as_service_error()) {
            Some(there) => {
                let there = there.unwrap_or_default();
                let is_same = get_number(&there, attr::VERSION) == Some(version);
                Ok(get_number(&there, attr::CHANGE_SEQ).filter(|_| is_same))
            }
            None => Err(StoreError::call("UpdateItem (seq of a change)")(error)),
        }
    }

    /// Notes that a change is finished. One write unit per KB; may be repeated.
    pub(super) async fn end_change(&self, group: GroupId, version: u64) -> Result<(), StoreError> {
        let result = self
            .db
            .update_item()
            .table_name(&self.directory)
            .set_key(Some(info_key(group)))
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
            Err(error) if condition_item(error.as_service_error()).is_some() => Ok(()),
            Err(error) => Err(StoreError::call("UpdateItem (end of a change)")(error)),
        }
    }
}

pub(super) fn info_key(group: GroupId) -> Item {
    key(format!("{}{group}", attr::GROUP), attr::INFO)
}

pub(super) fn info_from_item(item: Item) -> Result<Info, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()))
}

/// A change as JSON in a string: it is only ever read whole.
mod text {
    use super::Change;
    use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

    #[expect(clippy::ref_option, reason = "serde passes the field itself")]
    pub(super) fn serialize<S: Serializer>(change: &Option<Change>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(change).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Change>, D::Error> {
        serde_json::from_str(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
