//! What one user is to another. A row under a user says what the other is to that user: a friend, blocked, or both.

use super::accounts::failed_conditions;
use super::user_key;
use crate::Store;
use crate::error::StoreError;
use crate::ids::UserId;
use crate::item::{Item, corrupt, get_string, string};
use crate::schema::{directory as attr, id_key};
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};

/// What the other is to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Relation {
    /// Both agreed to be friends.
    pub friend: bool,
    /// The user takes no messages from the other.
    pub blocked: bool,
}

/// How making friends ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Befriended {
    /// They are friends, or were already.
    Yes,
    /// There is no such user.
    NoSuchUser,
    /// The other has blocked the user.
    Blocked,
}

/// A page of friends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Friends {
    /// Ids, ascending.
    pub ids: Vec<UserId>,
    /// Where to go on; `None` at the end.
    pub next: Option<UserId>,
}

/// Rows that one page of friends reads.
const FRIENDS_PER_PAGE: i32 = 100;

impl Store {
    /// What `other` is to `user`. One read unit.
    #[tracing::instrument(name = "store.relation.get", skip_all, fields(user.id = user), err)]
    pub async fn relation(&self, user: UserId, other: UserId) -> Result<Relation, StoreError> {
        Ok(self
            .get(relation_key(user, other), "GetItem (relation)")
            .await?
            .unwrap_or_default())
    }

    /// Makes two users friends, on both sides or on none. Six write units; may be repeated.
    #[tracing::instrument(name = "store.relation.befriend", skip_all, fields(user.id = user), err)]
    pub async fn befriend(&self, user: UserId, other: UserId) -> Result<Befriended, StoreError> {
        let exists = ConditionCheck::builder()
            .table_name(&self.directory)
            .set_key(Some(user_key(other, attr::PROFILE)))
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", attr::PK)
            .build()
            .map_err(|error| corrupt("directory", error.to_string()))?;
        let parts = vec![
            TransactWriteItem::builder().condition_check(exists).build(),
            self.set_friend(other, user, true, true)?,
            self.set_friend(user, other, true, false)?,
        ];
        let Err(error) = self
            .db
            .transact_write_items()
            .set_transact_items(Some(parts))
            .send()
            .await
        else {
            return Ok(Befriended::Yes);
        };
        match failed_conditions(error.as_service_error()).as_slice() {
            [true, ..] => Ok(Befriended::NoSuchUser),
            [false, true, ..] => Ok(Befriended::Blocked),
            _ => Err(StoreError::call("TransactWriteItems (friends)")(error)),
        }
    }

    /// Ends a friendship on both sides. Four write units; may be repeated.
    #[tracing::instrument(name = "store.relation.unfriend", skip_all, fields(user.id = user), err)]
    pub async fn unfriend(&self, user: UserId, other: UserId) -> Result<(), StoreError> {
        let parts = vec![
            self.set_friend(user, other, false, false)?,
            self.set_friend(other, user, false, false)?,
        ];
        let call = self.db.transact_write_items().set_transact_items(Some(parts));
        call.send()
            .await
            .map_err(StoreError::call("TransactWriteItems (friends)"))?;
        Ok(())
    }

    fn set_friend(
        &self,
        user: UserId,
        other: UserId,
        friend: bool,
        unless_blocked: bool,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.directory)
            .set_key(Some(relation_key(user, other)))
            .update_expression("SET #friend = :friend")
            .expression_attribute_names("#friend", attr::FRIEND)
            .expression_attribute_values(":friend", AttributeValue::Bool(friend));
        if unless_blocked {
            update = update
                .condition_expression("attribute_not_exists(#blocked) OR #blocked = :no")
                .expression_attribute_names("#blocked", attr::BLOCKED)
                .expression_attribute_values(":no", AttributeValue::Bool(false));
        }
        let update = update
            .build()
            .map_err(|error| corrupt("directory", error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Sets whether `user` takes messages from `other`. One write unit; may be repeated.
    #[tracing::instrument(name = "store.relation.block", skip_all, fields(user.id = user), err)]
    pub async fn set_blocked(&self, user: UserId, other: UserId, blocked: bool) -> Result<(), StoreError> {
        self.db
            .update_item()
            .table_name(&self.directory)
            .set_key(Some(relation_key(user, other)))
            .update_expression("SET #blocked = :blocked")
            .expression_attribute_names("#blocked", attr::BLOCKED)
            .expression_attribute_values(":blocked", AttributeValue::Bool(blocked))
            .send()
            .await
            .map_err(StoreError::call("UpdateItem (block)"))?;
        Ok(())
    }

    /// A page of a user's friends, after an id. At most one read unit per forty relations.
    #[tracing::instrument(name = "store.relation.friends", skip_all, fields(user.id = user), err)]
    pub async fn friends(&self, user: UserId, after: UserId) -> Result<Friends, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.directory)
            .key_condition_expression("#pk = :user AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", attr::PK)
            .expression_attribute_names("#sk", attr::SK)
            .expression_attribute_values(":user", string(format!("{}{user}", attr::USER)))
            .expression_attribute_values(
                ":first",
                string(format!("{}{}", attr::RELATION, id_key(after.saturating_add(1)))),
            )
            .expression_attribute_values(":last", string(format!("{}{}", attr::RELATION, "9".repeat(16))))
            .consistent_read(true)
            .limit(FRIENDS_PER_PAGE)
            .send()
            .await
            .map_err(StoreError::call("Query (friends)"))?;
        let next = output.last_evaluated_key.as_ref().map(other_of).transpose()?;
        let mut ids = Vec::new();
        for item in output.items.unwrap_or_default() {
            let other = other_of(&item)?;
            let relation: Relation =
                serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()))?;
            if relation.friend {
                ids.push(other);
            }
        }
        Ok(Friends { ids, next })
    }
}

fn relation_key(user: UserId, other: UserId) -> Item {
    user_key(user, format!("{}{}", attr::RELATION, id_key(other)))
}

fn other_of(item: &Item) -> Result<UserId, StoreError> {
    let id = || get_string(item, attr::SK)?.strip_prefix(attr::RELATION)?.parse().ok();
    id().ok_or_else(|| corrupt("directory", "a relation without a user"))
}
