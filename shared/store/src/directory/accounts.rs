//! Accounts: a phone number, what belongs to it, and the inbox that comes to be with it.

use super::{phone_key, user_key};
use crate::Store;
use crate::error::StoreError;
use crate::ids::{TimelineId, UserId};
use crate::item::{Item, corrupt, number};
use crate::schema::{directory as attr, timelines};
use crate::timeline;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What stands behind a phone number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whose it is.
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

/// What is known of a user.
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
    /// The account, the profile and the inbox stand.
    Made,
    /// The phone number has an account.
    PhoneTaken,
    /// The id belongs to somebody: try another.
    IdTaken,
}

impl Store {
    /// Makes an account with its profile and its inbox, all or none. Six write units.
    #[tracing::instrument(name = "store.account.create", skip_all, fields(user.id = user))]
    pub async fn create_account(
        &self,
        user: UserId,
        profile: &Profile,
        password_hash: &str,
    ) -> Result<NewAccount, StoreError> {
        let account = Account {
            user_id: user,
            password_hash: password_hash.to_owned(),
        };
        let mut inbox = timeline::key(&TimelineId::inbox(user), timelines::HEAD);
        inbox.insert(timelines::COUNTER.to_owned(), number(0));
        let phone = put_new(
            &self.directory,
            attr::PK,
            phone_key(&profile.phone_number, attr::ACCOUNT),
            &account,
        )?;
        let profile = put_new(&self.directory, attr::PK, user_key(user, attr::PROFILE), profile)?;
        let inbox = put_new(&self.timelines, timelines::TIMELINE, inbox, &Nothing {})?;
        let result = self
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
    pub async fn account(&self, phone_number: &str) -> Result<Option<Account>, StoreError> {
        self.get(phone_key(phone_number, attr::ACCOUNT), "GetItem (account)")
            .await
    }

    /// What is known of a user. One read unit.
    #[tracing::instrument(name = "store.profile.get", skip_all, fields(user.id = user))]
    pub async fn profile(&self, user: UserId) -> Result<Option<Profile>, StoreError> {
        self.get(user_key(user, attr::PROFILE), "GetItem (profile)").await
    }

    /// An entity of the directory, strongly consistent.
    pub(super) async fn get<T: serde::de::DeserializeOwned>(
        &self,
        key: Item,
        operation: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let call = self
            .db
            .get_item()
            .table_name(&self.directory)
            .set_key(Some(key))
            .consistent_read(true);
        let output = call.send().await.map_err(StoreError::call(operation))?;
        let read = |item| serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()));
        output.item.map(read).transpose()
    }
}

/// A put on the condition that nothing stands there.
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

/// An inbox's head begins without anything beside its counter.
#[derive(Serialize)]
struct Nothing {}

/// For each part of a cancelled transaction, whether its condition failed.
///
/// # Errors
/// Where it was not conditions that cancelled it, but another request at the same time, or something else.
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
