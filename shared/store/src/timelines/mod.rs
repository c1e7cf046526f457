//! Timelines: a head with an atomic counter, and entries keyed by seq.
//!
//! A writer [`reserve`]s a seq, then [`put`]s the entry at it. A reader walks the entries with a
//! cursor that never passes a hole, so it cannot miss an entry whose writer was slower than the
//! next one. A hole whose successor was reserved more than a lease ago belongs to a writer that
//! died: the reader seals it.
//!
//! - no two writers share a seq, because the counter is atomic
//! - a seq holds at most one thing for ever, an entry or a seal: both are put on the condition that
//!   the seq is vacant
//! - a writer that meets a seal has lost the seq, and reserves again
//! - clocks decide how soon a hole is sealed, never what is true

mod read;
mod row;

pub(crate) use read::head_item;
pub use read::{head, read, read_back, referenced, rows_at};
pub(crate) use row::{entry_item, row_from_item, seal_item};

use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt, get_number, number};
use crate::schema::timelines::{self as attr, key};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use wigwag_domain::TimelineId;
use wigwag_domain::head::Head;
use wigwag_domain::timeline::{Entry, Row};

/// How a put ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The entry is at its seq, written now or by an earlier attempt.
    Done,
    /// The seq has an entry of the same message with other content.
    Differs(Entry),
    /// The seq is sealed: reserve again.
    Sealed,
}

/// Whether a reservation may create the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It may: a log is created with its first message.
    Create,
    /// It may not: an inbox is created with its user.
    Refuse,
}

const RESERVE: &str = "SET #at = :now ADD #counter :n";

const EXISTS: &str = "attribute_exists(#t)";

const VACANT: &str = "attribute_not_exists(#t)";

/// Takes the next `n` seqs of a timeline, and answers with its head after that: the seqs are the
/// last `n` up to [`Head::seq`]. `None`: there is no such timeline, and it was not to be created.
/// One write unit, one attempt.
#[tracing::instrument(name = "store.timeline.reserve", skip_all, fields(timeline = %timeline))]
pub async fn reserve(
    store: &Store,
    timeline: &TimelineId,
    n: u64,
    missing: Missing,
    now_ms: i64,
) -> Result<Option<Head>, StoreError> {
    let item = reserve_item(store, timeline, n, missing, now_ms).await?;
    Ok(item.as_ref().map(head_from_item))
}

/// [`reserve`], with the whole head.
pub(crate) async fn reserve_item(
    store: &Store,
    timeline: &TimelineId,
    n: u64,
    missing: Missing,
    now_ms: i64,
) -> Result<Option<Item>, StoreError> {
    let mut call = reservation(store, timeline, n, now_ms);
    if missing == Missing::Refuse {
        call = call
            .condition_expression(EXISTS)
            .expression_attribute_names("#t", attr::TIMELINE);
    }
    match call.send().await {
        Ok(output) => Ok(Some(output.attributes.unwrap_or_default())),
        Err(error) if is_condition_failure(&error) => Ok(None),
        Err(error) => Err(StoreError::call("UpdateItem (reserve)")(error)),
    }
}

/// The call that takes the next `n` seqs, without a condition. It must not be repeated: it would
/// take others.
pub(crate) fn reservation(store: &Store, timeline: &TimelineId, n: u64, now_ms: i64) -> UpdateItemFluentBuilder {
    store
        .once
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(timeline, attr::HEAD)))
        .update_expression(RESERVE)
        .expression_attribute_names("#at", attr::RESERVED_AT)
        .expression_attribute_names("#counter", attr::COUNTER)
        .expression_attribute_values(":now", number(now_ms))
        .expression_attribute_values(":n", number(n))
        .return_values(ReturnValue::AllNew)
}

/// Puts an entry at a reserved seq, unless the seq is occupied. One write unit per KB; may be
/// repeated.
#[tracing::instrument(name = "store.timeline.put", skip_all, fields(timeline = %timeline, seq))]
pub async fn put(store: &Store, timeline: &TimelineId, seq: u64, entry: &Entry) -> Result<Put, StoreError> {
    match put_if_vacant(store, entry_item(timeline, seq, entry)).await? {
        None => Ok(Put::Done),
        Some(Row::Seal { .. }) => Ok(Put::Sealed),
        Some(Row::Entry(there)) if there.key == entry.key && there.content == entry.content => Ok(Put::Done),
        Some(Row::Entry(there)) if there.key == entry.key => Ok(Put::Differs(there)),
        Some(Row::Entry(_)) => Err(corrupt("timelines", format!("two writers at {timeline} {seq}"))),
    }
}

/// Seals a reserved seq: nobody will write there. Answers with the entry that is there, if a writer
/// was faster.
#[tracing::instrument(name = "store.timeline.seal", skip_all, fields(timeline = %timeline, seq))]
pub async fn seal(store: &Store, timeline: &TimelineId, seq: u64, now_ms: i64) -> Result<Option<Entry>, StoreError> {
    match put_if_vacant(store, seal_item(timeline, seq, now_ms)).await? {
        Some(Row::Entry(entry)) => Ok(Some(entry)),
        Some(Row::Seal { .. }) | None => Ok(None),
    }
}

/// Seals a seq that was reserved and is not used. If that fails, a reader seals it after the lease.
pub async fn give_up(store: &Store, timeline: &TimelineId, seq: u64, now_ms: i64) {
    if let Err(error) = seal(store, timeline, seq, now_ms).await {
        tracing::warn!(%timeline, seq, %error, "could not seal a seq that is not used; a reader will");
    }
}

/// Puts an item if its seq is vacant, or answers with the row that is there.
async fn put_if_vacant(store: &Store, item: Item) -> Result<Option<Row>, StoreError> {
    let call = store
        .db
        .put_item()
        .table_name(&store.timelines)
        .set_item(Some(item))
        .condition_expression(VACANT)
        .expression_attribute_names("#t", attr::TIMELINE)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match call.send().await {
        Ok(_) => Ok(None),
        Err(error) => match error.as_service_error() {
            Some(service) if service.is_conditional_check_failed_exception() => {
                let there =
                    condition_item(service).ok_or_else(|| corrupt("timelines", "a failed put names no item"))?;
                row_from_item(there).map(Some)
            }
            _ => Err(StoreError::call("PutItem")(error)),
        },
    }
}

fn condition_item(error: &aws_sdk_dynamodb::operation::put_item::PutItemError) -> Option<&Item> {
    match error {
        aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) => failed.item(),
        _ => None,
    }
}

pub(crate) fn is_condition_failure(
    error: &aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::update_item::UpdateItemError>,
) -> bool {
    error
        .as_service_error()
        .is_some_and(aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception)
}

/// The counter of a head.
pub(crate) fn head_from_item(item: &Item) -> Head {
    Head {
        seq: get_number(item, attr::COUNTER).unwrap_or(0),
        reserved_at_ms: get_number(item, attr::RESERVED_AT).unwrap_or(0),
    }
}
