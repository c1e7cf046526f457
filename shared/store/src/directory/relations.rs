//! What one user is to another. A row under a user says what the other is to that user, and that user alone writes it: a friend,
//! blocked, or both. Two users are friends to each other when each has added the other.

use super::accounts::failed_conditions;
use super::user_key;
use crate::Store;
use crate::error::StoreError;
use crate::ids::UserId;
use crate::item::{Item, corrupt, get_string, string};
use crate::schema::{directory as attr, id_key};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::builders::ConditionCheckBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What the other is to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Relation {
    /// The user has added the other as a friend.
    pub friend: bool,
    /// The user takes no messages from the other.
    pub blocked: bool,
}

/// How adding a friend ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Befriended {
    /// The other is a friend of the user, or was already.
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
    #[tracing::instrument(name = "store.relation.get", skip_all, fields(user.id = user))]
    pub async fn relation(&self, user: UserId, other: UserId) -> Result<Relation, StoreError> {
        Ok(self
            .get(relation_key(user, other), "GetItem (relation)")
            .await?
            .unwrap_or_default())
    }

    /// What `other` is to each of these users, each named once. One read unit each, a request for each hundred.
    #[tracing::instrument(name = "store.relation.of_many", skip_all, fields(user.id = other))]
    pub async fn relations_to(&self, users: &[UserId], other: UserId) -> Result<HashMap<UserId, Relation>, StoreError> {
        let mut relations: HashMap<UserId, Relation> = users.iter().map(|&user| (user, Relation::default())).collect();
        let keys = users.iter().map(|&user| relation_key(user, other)).collect();
        for item in self.items(&self.directory, keys, true).await? {
            let user = get_string(&item, attr::PK).and_then(|pk| pk.strip_prefix(attr::USER)?.parse().ok());
            let user = user.ok_or_else(|| corrupt("directory", "a relation of nobody"))?;
            let relation = serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()))?;
            relations.insert(user, relation);
        }
        Ok(relations)
    }

    /// Adds `other` as a friend of `user`, unless that one has blocked the user. Six write units; may be repeated.
    #[tracing::instrument(name = "store.relation.befriend", skip_all, fields(user.id = user))]
    pub async fn befriend(&self, user: UserId, other: UserId) -> Result<Befriended, StoreError> {
        let exists = self
            .check(user_key(other, attr::PROFILE))
            .condition_expression("attribute_exists(#pk)");
        let exists = exists.expression_attribute_names("#pk", attr::PK);
        let not_blocked = self
            .check(relation_key(other, user))
            .condition_expression("attribute_not_exists(#blocked) OR #blocked = :no")
            .expression_attribute_names("#blocked", attr::BLOCKED)
            .expression_attribute_values(":no", AttributeValue::Bool(false));
        let add = Update::builder()
            .table_name(&self.directory)
            .set_key(Some(relation_key(user, other)))
            .update_expression("SET #friend = :yes")
            .expression_attribute_names("#friend", attr::FRIEND)
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        let parts = vec![
            TransactWriteItem::builder()
                .condition_check(exists.build().map_err(unbuilt)?)
                .build(),
            TransactWriteItem::builder()
                .condition_check(not_blocked.build().map_err(unbuilt)?)
                .build(),
            TransactWriteItem::builder()
                .update(add.build().map_err(unbuilt)?)
                .build(),
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
        match failed_conditions(error, "TransactWriteItems (friend)")?.as_slice() {
            [true, ..] => Ok(Befriended::NoSuchUser),
            _ => Ok(Befriended::Blocked),
        }
    }

    fn check(&self, key: Item) -> ConditionCheckBuilder {
        ConditionCheck::builder().table_name(&self.directory).set_key(Some(key))
    }

    /// Removes `other` from the friends of `user`. One write unit; may be repeated.
    #[tracing::instrument(name = "store.relation.unfriend", skip_all, fields(user.id = user))]
    pub async fn unfriend(&self, user: UserId, other: UserId) -> Result<(), StoreError> {
        self.set_relation(user, other, attr::FRIEND, false).await
    }

    /// Sets whether `user` takes messages from `other`. One write unit; may be repeated.
    #[tracing::instrument(name = "store.relation.block", skip_all, fields(user.id = user))]
    pub async fn set_blocked(&self, user: UserId, other: UserId, blocked: bool) -> Result<(), StoreError> {
        self.set_relation(user, other, attr::BLOCKED, blocked).await
    }

    async fn set_relation(&self, user: UserId, other: UserId, name: &str, value: bool) -> Result<(), StoreError> {
        self.db
            .update_item()
            .table_name(&self.directory)
            .set_key(Some(relation_key(user, other)))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", AttributeValue::Bool(value))
            .send()
            .await
            .map_err(StoreError::call("UpdateItem (relation)"))?;
        Ok(())
    }

    /// A page of a user's friends, after an id. At most one read unit per forty relations.
    #[tracing::instrument(name = "store.relation.friends", skip_all, fields(user.id = user))]
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

#[expect(clippy::needless_pass_by_value, reason = "map_err passes the error itself")]
fn unbuilt(error: BuildError) -> StoreError {
    corrupt("directory", error.to_string())
}

fn relation_key(user: UserId, other: UserId) -> Item {
    user_key(user, format!("{}{}", attr::RELATION, id_key(other)))
}

fn other_of(item: &Item) -> Result<UserId, StoreError> {
    let id = || get_string(item, attr::SK)?.strip_prefix(attr::RELATION)?.parse().ok();
    id().ok_or_else(|| corrupt("directory", "a relation without a user"))
}
