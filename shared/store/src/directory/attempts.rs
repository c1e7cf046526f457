//! Log-in attempts of a phone number. They are counted whether it has an account or not, so that
//! guessing costs the same.
//!
//! An attempt is counted before the password is checked, so that guesses at the same time cannot
//! pass the limit together.

use crate::Store;
use crate::error::StoreError;
use crate::item::{get_number, number, unmet};
use crate::schema::directory::{self as attr, phone_key};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::time::Duration;

/// Attempts within a [`WINDOW`] before one succeeds.
pub const ATTEMPTS_PER_WINDOW: u32 = 10;

/// How long attempts are counted together.
pub const WINDOW: Duration = Duration::from_mins(5);

/// Whether a password may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It may, and has been counted.
    Allowed,
    /// Not before this time, in ms.
    RefusedUntil(i64),
}

/// Counts an attempt. One write unit, two if a window begins.
#[tracing::instrument(name = "store.attempt.count", skip_all)]
pub async fn count_attempt(store: &Store, phone_number: &str, now_ms: i64) -> Result<Attempt, StoreError> {
    match count_in_window(store, phone_number, now_ms).await? {
        Some(attempt) => Ok(attempt),
        None if begin_window(store, phone_number, now_ms).await? => Ok(Attempt::Allowed),
        // Another attempt began the window just now.
        None => Ok(count_in_window(store, phone_number, now_ms)
            .await?
            .unwrap_or(Attempt::RefusedUntil(now_ms))),
    }
}

/// `None`: no window is open.
async fn count_in_window(store: &Store, phone_number: &str, now_ms: i64) -> Result<Option<Attempt>, StoreError> {
    let result = store
        .once
        .update_item()
        .table_name(&store.directory)
        .set_key(Some(phone_key(phone_number, attr::ATTEMPTS)))
        .update_expression("ADD #count :one")
        .condition_expression("#ends > :now AND #count < :limit")
        .expression_attribute_names("#count", attr::COUNT)
        .expression_attribute_names("#ends", attr::WINDOW_ENDS)
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":now", number(now_ms))
        .expression_attribute_values(":limit", number(ATTEMPTS_PER_WINDOW))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    let Err(error) = result else {
        return Ok(Some(Attempt::Allowed));
    };
    let Some(there) = unmet(error.as_service_error()) else {
        return Err(StoreError::call("UpdateItem (attempt)")(error));
    };
    let ends = there
        .item()
        .and_then(|item| get_number::<i64>(&item, attr::WINDOW_ENDS));
    Ok(ends.filter(|ends| *ends > now_ms).map(Attempt::RefusedUntil))
}

/// Answers whether this attempt began it.
async fn begin_window(store: &Store, phone_number: &str, now_ms: i64) -> Result<bool, StoreError> {
    let ends_ms = now_ms + i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
    let result = store
        .once
        .update_item()
        .table_name(&store.directory)
        .set_key(Some(phone_key(phone_number, attr::ATTEMPTS)))
        .update_expression("SET #count = :one, #ends = :ends, #ttl = :ttl")
        .condition_expression("attribute_not_exists(#ends) OR #ends <= :now")
        .expression_attribute_names("#count", attr::COUNT)
        .expression_attribute_names("#ends", attr::WINDOW_ENDS)
        .expression_attribute_names("#ttl", attr::TTL)
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":ends", number(ends_ms))
        .expression_attribute_values(":ttl", number(ends_ms / 1000 + 60))
        .expression_attribute_values(":now", number(now_ms))
        .send()
        .await;
    match result {
        Ok(_) => Ok(true),
        Err(error) if unmet(error.as_service_error()).is_some() => Ok(false),
        Err(error) => Err(StoreError::call("UpdateItem (attempt)")(error)),
    }
}

/// Forgets the attempts after one succeeded. One write unit; may be repeated.
#[tracing::instrument(name = "store.attempt.forget", skip_all)]
pub async fn forget_attempts(store: &Store, phone_number: &str) -> Result<(), StoreError> {
    let key = phone_key(phone_number, attr::ATTEMPTS);
    let call = store.db.delete_item().table_name(&store.directory).set_key(Some(key));
    call.send().await.map_err(StoreError::call("DeleteItem (attempts)"))?;
    Ok(())
}
