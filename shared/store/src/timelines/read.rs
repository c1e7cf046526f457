//! Reading a timeline: rows and head in, a page with a cursor out. Dead holes are sealed on the
//! way.

use super::{head_from_item, row_from_item, seal};
use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt, get_number, get_string, number, string};
use crate::read_many::read_many;
use crate::schema::timelines::{self as attr, key};
use futures_util::future::try_join_all;
use std::collections::HashMap;
use wigwag_domain::TimelineId;
use wigwag_domain::head::Head;
use wigwag_domain::page::{Page, PageRows, Range, dead_holes, entry, page};
use wigwag_domain::timeline::{Content, Entry, Row};

/// Reads the entries of a range, strongly consistent, with a cursor that passes no hole. Read
/// units: one for the head and one per 4 KB of rows; two requests, and one per hole that it seals.
/// `None`: there is no such timeline.
#[tracing::instrument(name = "store.timeline.read", skip_all, fields(timeline = %timeline))]
pub async fn read(store: &Store, timeline: &TimelineId, range: Range, now_ms: i64) -> Result<Option<Page>, StoreError> {
    let (head, rows) = tokio::join!(head(store, timeline, true), rows(store, timeline, range, true));
    let Some(head) = head? else { return Ok(None) };
    let mut rows = rows?;
    let last_row = rows.rows.keys().next_back().copied().unwrap_or(0);
    let max_seq = head.seq.max(last_row);
    let end = if rows.cut {
        last_row
    } else {
        range.through.unwrap_or(max_seq).min(max_seq)
    };
    let newest = (head.seq, head.reserved_at_ms);
    let dead = dead_holes(&rows.rows, range.after, end, newest, now_ms);
    for (seq, row) in seal_all(store, timeline, &dead, now_ms).await? {
        rows.rows.insert(seq, row);
    }
    Ok(Some(page(rows, range.after, max_seq)))
}

/// Reads the newest entries of a range, newest first, without a cursor: entries that are still
/// being written are left out. The cursor of the page is where to read on: the next `through`.
/// Costs as much as [`read`].
#[tracing::instrument(name = "store.timeline.read_back", skip_all, fields(timeline = %timeline))]
pub async fn read_back(store: &Store, timeline: &TimelineId, range: Range) -> Result<Option<Page>, StoreError> {
    let (head, rows) = tokio::join!(head(store, timeline, true), rows(store, timeline, range, false));
    let Some(head) = head? else { return Ok(None) };
    let rows = rows?;
    let cursor = rows.rows.keys().next().map_or(range.after, |first| first - 1);
    let has_more = rows.cut && cursor > range.after;
    let entries = rows.rows.into_iter().rev().filter_map(entry).collect();
    Ok(Some(Page {
        entries,
        cursor,
        max_seq: head.seq,
        has_more,
        descending: true,
    }))
}

/// The counter of a timeline's head; `None` if there is no such timeline. One read unit if
/// consistent, half of one if not.
#[tracing::instrument(name = "store.timeline.head", skip_all, fields(timeline = %timeline))]
pub async fn head(store: &Store, timeline: &TimelineId, consistent: bool) -> Result<Option<Head>, StoreError> {
    let item = head_item(store, timeline, consistent).await?;
    Ok(item.as_ref().map(head_from_item))
}

/// The whole head of a timeline.
pub(crate) async fn head_item(
    store: &Store,
    timeline: &TimelineId,
    consistent: bool,
) -> Result<Option<Item>, StoreError> {
    let output = store
        .db
        .get_item()
        .table_name(&store.timelines)
        .set_key(Some(key(timeline, attr::HEAD)))
        .consistent_read(consistent)
        .send()
        .await
        .map_err(StoreError::call("GetItem (head)"))?;
    Ok(output.item)
}

/// The rows at these seqs of inboxes, strongly consistent; those that do not exist are left out. A
/// row that cannot be read is an error of its own.
pub async fn rows_at(
    store: &Store,
    wanted: impl Iterator<Item = (TimelineId, u64)>,
) -> Result<HashMap<(TimelineId, u64), Result<Row, StoreError>>, StoreError> {
    let keys = wanted.map(|(timeline, seq)| key(&timeline, seq)).collect();
    let items = read_many(store, &store.timelines, keys, true).await?;
    let row = |item: &Item| {
        let timeline = attr::timeline(get_string(item, attr::TIMELINE)?)?;
        Some(((timeline, get_number(item, attr::SEQ)?), row_from_item(item)))
    };
    Ok(items.iter().filter_map(row).collect())
}

/// The log entries that these inbox entries refer to, by log and seq.
pub async fn referenced(
    store: &Store,
    entries: &[(u64, Entry)],
) -> Result<HashMap<(TimelineId, u64), Entry>, StoreError> {
    let wanted = entries.iter().filter_map(|(_, entry)| match &entry.content {
        Content::Reference { log, seq, .. } => Some((*log, *seq)),
        Content::Inline(_) => None,
    });
    let mut found = HashMap::new();
    for (at, row) in rows_at(store, wanted).await? {
        if let Row::Entry(entry) = row? {
            found.insert(at, entry);
        }
    }
    Ok(found)
}

async fn rows(store: &Store, timeline: &TimelineId, range: Range, ascending: bool) -> Result<PageRows, StoreError> {
    let limit = i32::try_from(range.limit.max(1)).unwrap_or(i32::MAX);
    let output = store
        .db
        .query()
        .table_name(&store.timelines)
        .key_condition_expression("#t = :t AND #n BETWEEN :first AND :last")
        .expression_attribute_names("#t", attr::TIMELINE)
        .expression_attribute_names("#n", attr::SEQ)
        .expression_attribute_values(":t", string(attr::partition(timeline)))
        .expression_attribute_values(":first", number(range.after.saturating_add(1)))
        .expression_attribute_values(
            ":last",
            number(range.through.unwrap_or(u64::MAX).max(range.after.saturating_add(1))),
        )
        .consistent_read(true)
        .scan_index_forward(ascending)
        .limit(limit)
        .send()
        .await
        .map_err(StoreError::call("Query"))?;
    let cut = output.last_evaluated_key.is_some();
    let slot = |item| {
        let seq = get_number(item, attr::SEQ).ok_or_else(|| corrupt("timelines", "a row without a seq"))?;
        Ok((seq, row_from_item(item)?))
    };
    let rows = output.items().iter().map(slot).collect::<Result<_, StoreError>>()?;
    Ok(PageRows { rows, cut })
}

/// Seals holes, and answers with the rows that are there then.
async fn seal_all(
    store: &Store,
    timeline: &TimelineId,
    holes: &[u64],
    now_ms: i64,
) -> Result<Vec<(u64, Row)>, StoreError> {
    let seals = holes.iter().map(|&seq| async move {
        let faster = seal(store, timeline, seq, now_ms).await?;
        if faster.is_none() {
            tracing::warn!(timeline = %timeline, seq, "sealed a hole that a writer left");
        }
        Ok((seq, faster.map_or(Row::Seal { sealed_at_ms: now_ms }, Row::Entry)))
    });
    try_join_all(seals).await
}
