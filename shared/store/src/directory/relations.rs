//! Relations: what one user is to another. A row under a user says whether the other is a friend of
//! theirs, or blocked, or both. Only that user writes it. Two users are friends if each added the
//! other.

use super::accounts::failed_conditions;
use super::get;
use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt};
use crate::read_many::read_many;
use crate::schema::directory::{self as attr, relation_key, relation_of, user_key, user_of};
use crate::user_rows::user_rows;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::builders::ConditionCheckBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem, Update};
use std::collections::HashMap;
use wigwag_domain::UserId;
use wigwag_domain::relation::Relation;

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
    /// Where to read on; `None` at the end.
    pub next: Option<UserId>,
}

/// Rows that one page of friends reads.
const FRIENDS_PER_PAGE: i32 = 100;

/// What `other` is to `user`. One read unit.
#[tracing::instrument(name = "store.relation.get", skip_all, fields(user.id = user.0))]
pub async fn relation(store: &Store, user: UserId, other: UserId) -> Result<Relation, StoreError> {
    Ok(get(store, relation_key(user, other), "GetItem (relation)")
        .await?
        .unwrap_or_default())
}

/// What `other` is to each of these users, who are named once each. One read unit each, a request
/// for each hundred.
#[tracing::instrument(name = "store.relation.of_many", skip_all, fields(user.id = other.0))]
pub async fn relations_to(
    store: &Store,
    users: &[UserId],
    other: UserId,
) -> Result<HashMap<UserId, Relation>, StoreError> {
    let mut relations: HashMap<UserId, Relation> = users.iter().map(|&user| (user, Relation::default())).collect();
    let keys = users.iter().map(|&user| relation_key(user, other)).collect();
    for item in read_many(store, &store.directory, keys, true).await? {
        let user = user_of(&item);
        let user = user.ok_or_else(|| corrupt("directory", "a relation of nobody"))?;
        let relation = serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()))?;
        relations.insert(user, relation);
    }
    Ok(relations)
}

/// Adds `other` as a friend of `user`, unless `other` blocked the user. Six write units; may be
/// repeated.
#[tracing::instrument(name = "store.relation.befriend", skip_all, fields(user.id = user.0))]
pub async fn befriend(store: &Store, user: UserId, other: UserId) -> Result<Befriended, StoreError> {
    let exists = check(store, user_key(other, attr::PROFILE)).condition_expression("attribute_exists(#pk)");
    let exists = exists.expression_attribute_names("#pk", attr::PK);
    let not_blocked = check(store, relation_key(other, user))
        .condition_expression("attribute_not_exists(#blocked) OR #blocked = :no")
        .expression_attribute_names("#blocked", attr::BLOCKED)
        .expression_attribute_values(":no", AttributeValue::Bool(false));
    let add = Update::builder()
        .table_name(&store.directory)
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
    let Err(error) = store
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

fn check(store: &Store, key: Item) -> ConditionCheckBuilder {
    ConditionCheck::builder()
        .table_name(&store.directory)
        .set_key(Some(key))
}

/// Removes `other` from the friends of `user`. One write unit; may be repeated.
#[tracing::instrument(name = "store.relation.unfriend", skip_all, fields(user.id = user.0))]
pub async fn unfriend(store: &Store, user: UserId, other: UserId) -> Result<(), StoreError> {
    set_relation(store, user, other, attr::FRIEND, false).await
}

/// Sets whether `user` takes messages from `other`. One write unit; may be repeated.
#[tracing::instrument(name = "store.relation.block", skip_all, fields(user.id = user.0))]
pub async fn set_blocked(store: &Store, user: UserId, other: UserId, blocked: bool) -> Result<(), StoreError> {
    set_relation(store, user, other, attr::BLOCKED, blocked).await
}

async fn set_relation(store: &Store, user: UserId, other: UserId, name: &str, value: bool) -> Result<(), StoreError> {
    store
        .db
        .update_item()
        .table_name(&store.directory)
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
#[tracing::instrument(name = "store.relation.friends", skip_all, fields(user.id = user.0))]
pub async fn friends(store: &Store, user: UserId, after: UserId) -> Result<Friends, StoreError> {
    let output = user_rows(
        store,
        user,
        attr::RELATION,
        after.0,
        FRIENDS_PER_PAGE,
        "Query (friends)",
    )
    .await?;
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

#[expect(clippy::needless_pass_by_value, reason = "map_err passes the error itself")]
fn unbuilt(error: BuildError) -> StoreError {
    corrupt("directory", error.to_string())
}

fn other_of(item: &Item) -> Result<UserId, StoreError> {
    relation_of(item).ok_or_else(|| corrupt("directory", "a relation without a user"))
}
