//! Accounts: a phone number, the profile that belongs to it, and the inbox that is created with it.

use super::get;
use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt, number};
use crate::schema::directory::{self as attr, phone_key, user_key};
use crate::schema::timelines::{self, key as timeline_key};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use std::fmt;
use wigwag_domain::{TimelineId, UserId};

/// The account of a phone number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The user.
    pub user_id: UserId,
    /// Argon2id, as a PHC string.
    pub password_hash: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// The profile of a user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Name shown to others.
    pub nickname: String,
    /// Shown to the user alone.
    pub phone_number: String,
    /// Registration, in ms.
    pub created_at_ms: i64,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile { *** }")
    }
}

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewAccount {
    /// The account, the profile and the inbox were made.
    Made,
    /// The phone number has an account.
    PhoneTaken,
    /// The id is taken: try another.
    IdTaken,
}

/// Makes an account with its profile and its inbox, all or none. Six write units.
#[tracing::instrument(name = "store.account.create", skip_all, fields(user.id = user.0))]
pub async fn create_account(
    store: &Store,
    user: UserId,
    profile: &Profile,
    password_hash: &str,
) -> Result<NewAccount, StoreError> {
    let account = Account {
        user_id: user,
        password_hash: password_hash.to_owned(),
    };
    let mut inbox = timeline_key(&TimelineId::inbox(user), timelines::HEAD);
    inbox.insert(timelines::COUNTER.to_owned(), number(0));
    let phone = put_new(
        &store.directory,
        attr::PK,
        phone_key(&profile.phone_number, attr::ACCOUNT),
        &account,
    )?;
    let profile = put_new(&store.directory, attr::PK, user_key(user, attr::PROFILE), profile)?;
    let inbox = put_new(&store.timelines, timelines::TIMELINE, inbox, &Nothing {})?;
    let result = store
        .db
        .transact_write_items()
        .set_transact_items(Some(vec![phone, profile, inbox]))
        .send()
        .await;
    let Err(error) = result else {
        return Ok(NewAccount::Made);
    };
    match failed_conditions(error, "TransactWriteItems (account)")?.as_slice() {
        [true, ..] => Ok(NewAccount::PhoneTaken),
        _ => Ok(NewAccount::IdTaken),
    }
}

/// The account behind a phone number. One read unit.
#[tracing::instrument(name = "store.account.get", skip_all)]
pub async fn account(store: &Store, phone_number: &str) -> Result<Option<Account>, StoreError> {
    get(store, phone_key(phone_number, attr::ACCOUNT), "GetItem (account)").await
}

/// The profile of a user. One read unit.
#[tracing::instrument(name = "store.profile.get", skip_all, fields(user.id = user.0))]
pub async fn profile(store: &Store, user: UserId) -> Result<Option<Profile>, StoreError> {
    get(store, user_key(user, attr::PROFILE), "GetItem (profile)").await
}

/// A put that fails if there is an item with the key.
fn put_new(table: &str, key_name: &str, key: Item, more: &impl Serialize) -> Result<TransactWriteItem, StoreError> {
    let mut item: Item = serde_dynamo::to_item(more).map_err(|error| corrupt("directory", error.to_string()))?;
    item.extend(key);
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(#key)")
        .expression_attribute_names("#key", key_name)
        .build()
        .map_err(|error| corrupt("directory", error.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// The head of a new inbox has only its counter.
#[derive(Serialize)]
struct Nothing {}

/// For each part of a cancelled transaction, whether its condition failed.
///
/// # Errors
/// The transaction was cancelled for another reason, such as a request at the same time.
pub(super) fn failed_conditions(
    error: SdkError<TransactWriteItemsError>,
    operation: &'static str,
) -> Result<Vec<bool>, StoreError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return Err(StoreError::call(operation)(error));
    };
    let codes: Vec<_> = cancelled
        .cancellation_reasons()
        .iter()
        .map(|reason| reason.code().unwrap_or("None"))
        .collect();
    if codes.contains(&"ConditionalCheckFailed") {
        Ok(codes.into_iter().map(|code| code == "ConditionalCheckFailed").collect())
    } else if codes.iter().any(|code| {
        [
            "TransactionConflict",
            "ThrottlingError",
            "ProvisionedThroughputExceeded",
        ]
        .contains(code)
    }) {
        Err(StoreError::Throttled { operation })
    } else {
        Err(StoreError::call(operation)(error))
    }
}
