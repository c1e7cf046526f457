//! Reading a timeline: rows and head in, a page with a cursor out, dead holes sealed on the way.

use super::{Entry, LEASE, Slot, TimelineId, attr, key, slot_from_item};
use crate::Store;
use crate::error::StoreError;
use crate::head::Head;
use crate::item::{corrupt, get_number, number, string};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// Most holes that one read seals; the rest waits for the next.
const SEALS_PER_READ: usize = 25;

/// What to read of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Entries after this seq; with `descending` down to it.
    pub after: u64,
    /// Up to this seq; `None`: the newest.
    pub through: Option<u64>,
    /// At most so many rows are read. At least 1.
    pub limit: u32,
}

/// Part of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Entries with their seqs, in the order of the read. Some may stand beyond the cursor: they can be shown, and come again.
    pub entries: Vec<(u64, Entry)>,
    /// Everything up to here is in this page, in an earlier one, or will never be.
    pub cursor: u64,
    /// The highest reserved seq.
    pub max_seq: u64,
    /// Whether reading again from the cursor brings more right now.
    pub has_more: bool,
    /// Whether the newest come first.
    pub descending: bool,
}

impl Page {
    /// Cuts the page to its first `n` entries, because more do not fit.
    pub fn keep(&mut self, n: usize) {
        if n >= self.entries.len() {
            return;
        }
        self.entries.truncate(n);
        let last = self.entries.last().map_or(0, |(seq, _)| *seq);
        if self.descending {
            self.cursor = last.saturating_sub(1);
            self.has_more = true;
        } else if self.cursor > last {
            self.cursor = last;
            self.has_more = true;
        }
    }
}

/// Rows of a timeline as one query found them.
struct Rows {
    slots: BTreeMap<u64, Slot>,
    /// Whether the query stopped before its end.
    cut: bool,
}

impl Store {
    /// Reads the entries of a range, strongly consistent, with a cursor that passes no hole. Read units: one for the
    /// head and one per 4 KB of rows; two requests, and one per hole that it seals. `None`: there is no such timeline.
    #[tracing::instrument(name = "store.timeline.read", skip_all, fields(timeline = %timeline))]
    pub async fn read(&self, timeline: &TimelineId, range: Range, now_ms: i64) -> Result<Option<Page>, StoreError> {
        let (head, rows) = tokio::join!(self.head(timeline, true), self.rows(timeline, range, true));
        let Some(head) = head? else { return Ok(None) };
        let mut rows = rows?;
        let last_row = rows.slots.keys().next_back().copied().unwrap_or(0);
        let max_seq = head.seq.max(last_row);
        let end = if rows.cut {
            last_row
        } else {
            range.through.unwrap_or(max_seq).min(max_seq)
        };
        let newest = (head.seq, head.reserved_at_ms);
        let dead = dead_holes(&rows.slots, range.after, end, newest, now_ms);
        #[cfg(feature = "plant")]
        let dead = if plant::has(Bug::NoSeal) { Vec::new() } else { dead };
        for (seq, slot) in self.seal_all(timeline, &dead, now_ms).await? {
            rows.slots.insert(seq, slot);
        }
        Ok(Some(page(rows, range.after, max_seq)))
    }

    /// Reads the newest entries of a range, newest first, without a cursor: what is still being written is left out.
    /// The page's cursor is where to go on: the next `through`. Costs as [`read`](Self::read).
    #[tracing::instrument(name = "store.timeline.read_back", skip_all, fields(timeline = %timeline))]
    pub async fn read_back(&self, timeline: &TimelineId, range: Range) -> Result<Option<Page>, StoreError> {
        let (head, rows) = tokio::join!(self.head(timeline, true), self.rows(timeline, range, false));
        let Some(head) = head? else { return Ok(None) };
        let rows = rows?;
        let cursor = rows.slots.keys().next().map_or(range.after, |first| first - 1);
        let has_more = rows.cut && cursor > range.after;
        let entries = rows.slots.into_iter().rev().filter_map(entry).collect();
        Ok(Some(Page {
            entries,
            cursor,
            max_seq: head.seq,
            has_more,
            descending: true,
        }))
    }

    /// The head of a timeline; `None` where there is none. One read unit if consistent, half of one if not.
    #[tracing::instrument(name = "store.timeline.head", skip_all, fields(timeline = %timeline))]
    pub async fn head(&self, timeline: &TimelineId, consistent: bool) -> Result<Option<Head>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.timelines)
            .set_key(Some(key(timeline, attr::HEAD)))
            .consistent_read(consistent)
            .send()
            .await
            .map_err(StoreError::call("GetItem (head)"))?;
        output.item.as_ref().map(Head::from_item).transpose()
    }

    async fn rows(&self, timeline: &TimelineId, range: Range, ascending: bool) -> Result<Rows, StoreError> {
        let limit = i32::try_from(range.limit.max(1)).unwrap_or(i32::MAX);
        let output = self
            .db
            .query()
            .table_name(&self.timelines)
            .key_condition_expression("#t = :t AND #n BETWEEN :first AND :last")
            .expression_attribute_names("#t", attr::TIMELINE)
            .expression_attribute_names("#n", attr::SEQ)
            .expression_attribute_values(":t", string(timeline.as_str()))
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
            Ok((seq, slot_from_item(item)?))
        };
        let slots = output.items().iter().map(slot).collect::<Result<_, StoreError>>()?;
        Ok(Rows { slots, cut })
    }

    /// Seals holes, and answers with what then stands there.
    async fn seal_all(
        &self,
        timeline: &TimelineId,
        holes: &[u64],
        now_ms: i64,
    ) -> Result<Vec<(u64, Slot)>, StoreError> {
        let seals = holes.iter().map(|&seq| async move {
            let faster = self.seal(timeline, seq, now_ms).await?;
            if faster.is_none() {
                tracing::warn!(timeline = %timeline, seq, "sealed a hole that a writer left");
            }
            Ok((seq, faster.map_or(Slot::Seal { sealed_at_ms: now_ms }, Slot::Entry)))
        });
        try_join_all(seals).await
    }
}

/// Holes between `after` and `end` that belong to writers that died: something after them was reserved more than a lease
/// ago. A row tells when that was at the latest, and so does `newest`, the head's seq and when it was reserved: the rows of a
/// page may all be seals that were put just now.
fn dead_holes(slots: &BTreeMap<u64, Slot>, after: u64, end: u64, newest: (u64, i64), now_ms: i64) -> Vec<u64> {
    let lease_ms = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let is_old = |at_ms: i64| now_ms.saturating_sub(at_ms) > lease_ms;
    let old_row = slots
        .iter()
        .rev()
        .find(|(_, slot)| is_old(slot.reserved_by_ms()))
        .map(|(seq, _)| *seq);
    let (newest, reserved_at_ms) = newest;
    let old_newest = is_old(reserved_at_ms).then_some(newest + 1);
    let bound = old_newest.max(old_row).unwrap_or(0).min(end + 1);
    (after + 1..bound)
        .filter(|seq| !slots.contains_key(seq))
        .take(SEALS_PER_READ)
        .collect()
}

/// Walks the rows from `after` on. The cursor stands before the first hole.
fn page(rows: Rows, after: u64, max_seq: u64) -> Page {
    let mut cursor = after;
    while rows.slots.contains_key(&(cursor + 1)) {
        cursor += 1;
    }
    let last_row = rows.slots.keys().next_back().copied().unwrap_or(after);
    #[cfg(feature = "plant")]
    if plant::has(Bug::ReadPastHole) {
        cursor = last_row;
    } else if plant::has(Bug::CursorToCounter) && !rows.cut {
        cursor = max_seq;
    }
    let has_more = rows.cut && cursor == last_row && cursor < max_seq;
    Page {
        entries: rows.slots.into_iter().filter_map(entry).collect(),
        cursor,
        max_seq,
        has_more,
        descending: false,
    }
}

fn entry((seq, slot): (u64, Slot)) -> Option<(u64, Entry)> {
    match slot {
        Slot::Entry(entry) => Some((seq, entry)),
        Slot::Seal { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_000_000;
    const OLD: i64 = NOW - 60_000;

    fn slots(rows: &[(u64, i64)]) -> BTreeMap<u64, Slot> {
        rows.iter()
            .map(|&(seq, sealed_at_ms)| (seq, Slot::Seal { sealed_at_ms }))
            .collect()
    }

    #[test]
    fn the_cursor_stands_before_a_hole() {
        let rows = Rows {
            slots: slots(&[(3, NOW), (4, NOW), (6, NOW)]),
            cut: false,
        };
        let page = page(rows, 2, 6);
        assert_eq!((page.cursor, page.max_seq, page.has_more), (4, 6, false));
    }

    #[test]
    fn a_hole_before_an_old_row_is_dead_and_one_before_a_young_row_is_not() {
        assert_eq!(
            dead_holes(&slots(&[(1, OLD), (3, OLD), (5, NOW)]), 0, 5, (9, NOW), NOW),
            [2]
        );
        assert_eq!(
            dead_holes(&slots(&[(1, OLD), (5, NOW)]), 0, 5, (5, NOW), NOW),
            [0_u64; 0]
        );
    }

    #[test]
    fn holes_at_the_end_are_dead_when_the_last_reservation_is_old() {
        assert_eq!(dead_holes(&slots(&[(1, OLD)]), 0, 3, (3, OLD), NOW), [2, 3]);
        assert_eq!(dead_holes(&slots(&[(1, OLD)]), 0, 3, (3, NOW), NOW), [0_u64; 0]);
    }

    #[test]
    fn young_seals_protect_no_hole_when_the_last_reservation_is_old() {
        assert_eq!(dead_holes(&slots(&[(2, NOW), (4, NOW)]), 0, 4, (9, OLD), NOW), [1, 3]);
    }

    #[test]
    fn a_page_that_is_cut_short_moves_its_cursor_back() {
        let entry = |seq| {
            (
                seq,
                Entry {
                    key: vec![],
                    reserved_at_ms: 0,
                    content: super::super::Content::Inline(vec![]),
                },
            )
        };
        let entries = vec![entry(1), entry(2), entry(4)];
        let mut page = Page {
            entries,
            cursor: 4,
            max_seq: 4,
            has_more: false,
            descending: false,
        };
        page.keep(2);
        assert_eq!((page.entries.len(), page.cursor, page.has_more), (2, 2, true));
        let entries = vec![entry(9), entry(7), entry(4)];
        let mut back = Page {
            entries,
            cursor: 3,
            max_seq: 9,
            has_more: false,
            descending: true,
        };
        back.keep(2);
        assert_eq!((back.entries.len(), back.cursor, back.has_more), (2, 6, true));
    }

    proptest! {
        #[test]
        fn no_cursor_passes_a_hole_and_no_young_hole_is_given_up(
            present in proptest::collection::btree_map(1_u64..40, (0_i64..2).prop_map(|old| if old == 1 { OLD } else { NOW }), 0..40),
            after in 0_u64..40,
            cut: bool,
        ) {
            let rows: BTreeMap<u64, Slot> =
                present.iter().filter(|(seq, _)| **seq > after).map(|(&seq, &sealed_at_ms)| (seq, Slot::Seal { sealed_at_ms })).collect();
            let end = rows.keys().next_back().copied().unwrap_or(after);
            for hole in dead_holes(&rows, after, end, (end, NOW), NOW) {
                prop_assert!(!rows.contains_key(&hole) && rows.range(hole..).any(|(_, slot)| slot.reserved_by_ms() == OLD));
            }
            let page = page(Rows { slots: rows.clone(), cut }, after, end);
            prop_assert!((after + 1..=page.cursor).all(|seq| rows.contains_key(&seq)));
            prop_assert!(!rows.contains_key(&(page.cursor + 1)));
        }
    }
}
