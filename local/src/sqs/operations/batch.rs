//! The rules of all batches: up to ten entries with distinct ids. Each entry succeeds or fails on
//! its own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::BATCH_LIMIT;
use super::super::error::{SqsError, SqsErrorCode};

/// Refuses the whole batch if the ids of its entries are invalid.
pub(super) fn check<'a>(ids: impl ExactSizeIterator<Item = &'a str>, entry: &str) -> Result<(), SqsError> {
    let count = ids.len();
    if count == 0 {
        let message = format!("There should be at least one {entry} in the request.");
        return Err(SqsError::new(SqsErrorCode::EmptyBatchRequest, message));
    }
    if count > BATCH_LIMIT {
        let message = format!("Maximum number of entries per request are {BATCH_LIMIT}. You have sent {count}.");
        return Err(SqsError::new(SqsErrorCode::TooManyEntriesInBatchRequest, message));
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        let is_id = (1..=80).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_id {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
            return Err(SqsError::new(SqsErrorCode::InvalidBatchEntryId, message));
        }
        if !seen.insert(id) {
            return Err(SqsError::new(
                SqsErrorCode::BatchEntryIdsNotDistinct,
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(())
}

/// The answer to a batch, with the result of each entry.
pub(super) fn answer(results: impl IntoIterator<Item = (String, Result<Value, SqsError>)>) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in results {
        match result {
            Ok(mut value) => {
                value["Id"] = Value::String(id);
                successful.push(value);
            }
            Err(error) => failed.push(json!({
                "Id": id,
                "SenderFault": error.code != SqsErrorCode::InternalError,
                "Code": error.code.query_name(),
                "Message": error.message,
            })),
        }
    }
    let mut answer = json!({"Successful": successful});
    if !failed.is_empty() {
        answer["Failed"] = Value::Array(failed);
    }
    answer
}
