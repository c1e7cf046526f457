//! Pages of a timeline, and their cursor, which never passes a hole.

use crate::timeline::{Entry, LEASE, Row};
use std::collections::BTreeMap;

/// Most holes that one read seals; the rest is left to the next read.
const SEALS_PER_READ: usize = 25;

/// The part of a timeline that is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Entries after this seq.
    pub after: u64,
    /// Up to this seq; `None`: the newest.
    pub through: Option<u64>,
    /// The most rows to read; at least 1.
    pub limit: u32,
}

/// Part of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Entries with their seqs, in the order of the read. Some may be beyond the cursor: they can
    /// be shown, and come again.
    pub entries: Vec<(u64, Entry)>,
    /// Every entry up to here is in this page or an earlier one, and none will be added.
    pub cursor: u64,
    /// The highest reserved seq.
    pub max_seq: u64,
    /// Whether reading on from the cursor brings more right now.
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

/// Rows of a timeline, as one query found them.
#[derive(Debug, Clone)]
pub struct PageRows {
    /// By seq.
    pub rows: BTreeMap<u64, Row>,
    /// Whether the query stopped before its end.
    pub cut: bool,
}

/// The holes between `after` and `end` whose writers died: something after them was reserved more
/// than a lease ago. A row tells the latest time at which it was reserved. So does `newest`, the
/// head's seq and its time, because all rows of a page may be seals that were put just now.
pub fn dead_holes(rows: &BTreeMap<u64, Row>, after: u64, end: u64, newest: (u64, i64), now_ms: i64) -> Vec<u64> {
    let lease_ms = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let is_old = |at_ms: i64| now_ms.saturating_sub(at_ms) > lease_ms;
    let old_row = rows
        .iter()
        .rev()
        .find(|(_, slot)| is_old(slot.reserved_by_ms()))
        .map(|(seq, _)| *seq);
    let (newest, reserved_at_ms) = newest;
    let old_newest = is_old(reserved_at_ms).then_some(newest + 1);
    let bound = old_newest.max(old_row).unwrap_or(0).min(end + 1);
    (after + 1..bound)
        .filter(|seq| !rows.contains_key(seq))
        .take(SEALS_PER_READ)
        .collect()
}

/// Walks the rows from `after` on. The cursor stops before the first hole.
pub fn page(rows: PageRows, after: u64, max_seq: u64) -> Page {
    let mut cursor = after;
    while rows.rows.contains_key(&(cursor + 1)) {
        cursor += 1;
    }
    let last_row = rows.rows.keys().next_back().copied().unwrap_or(after);
    let has_more = rows.cut && cursor == last_row && cursor < max_seq;
    Page {
        entries: rows.rows.into_iter().filter_map(entry).collect(),
        cursor,
        max_seq,
        has_more,
        descending: false,
    }
}

/// The entry of a row; `None` for a seal.
pub fn entry((seq, slot): (u64, Row)) -> Option<(u64, Entry)> {
    match slot {
        Row::Entry(entry) => Some((seq, entry)),
        Row::Seal { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_000_000;
    const OLD: i64 = NOW - 60_000;

    fn rows(rows: &[(u64, i64)]) -> BTreeMap<u64, Row> {
        rows.iter()
            .map(|&(seq, sealed_at_ms)| (seq, Row::Seal { sealed_at_ms }))
            .collect()
    }

    #[test]
    fn the_cursor_stays_before_a_hole() {
        let rows = PageRows {
            rows: rows(&[(3, NOW), (4, NOW), (6, NOW)]),
            cut: false,
        };
        let page = page(rows, 2, 6);
        assert_eq!((page.cursor, page.max_seq, page.has_more), (4, 6, false));
    }

    #[test]
    fn a_hole_before_an_old_row_is_dead_and_one_before_a_young_row_is_not() {
        assert_eq!(
            dead_holes(&rows(&[(1, OLD), (3, OLD), (5, NOW)]), 0, 5, (9, NOW), NOW),
            [2]
        );
        assert_eq!(
            dead_holes(&rows(&[(1, OLD), (5, NOW)]), 0, 5, (5, NOW), NOW),
            [0_u64; 0]
        );
    }

    #[test]
    fn holes_at_the_end_are_dead_when_the_last_reservation_is_old() {
        assert_eq!(dead_holes(&rows(&[(1, OLD)]), 0, 3, (3, OLD), NOW), [2, 3]);
        assert_eq!(dead_holes(&rows(&[(1, OLD)]), 0, 3, (3, NOW), NOW), [0_u64; 0]);
    }

    #[test]
    fn young_seals_protect_no_hole_when_the_last_reservation_is_old() {
        assert_eq!(dead_holes(&rows(&[(2, NOW), (4, NOW)]), 0, 4, (9, OLD), NOW), [1, 3]);
    }

    #[test]
    fn a_page_that_is_cut_short_moves_its_cursor_back() {
        let entry = |seq| {
            (
                seq,
                Entry {
                    key: vec![],
                    reserved_at_ms: 0,
                    content: crate::timeline::Content::Inline(vec![]),
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
            let rows: BTreeMap<u64, Row> =
                present.iter().filter(|(seq, _)| **seq > after).map(|(&seq, &sealed_at_ms)| (seq, Row::Seal { sealed_at_ms })).collect();
            let end = rows.keys().next_back().copied().unwrap_or(after);
            for hole in dead_holes(&rows, after, end, (end, NOW), NOW) {
                prop_assert!(!rows.contains_key(&hole) && rows.range(hole..).any(|(_, slot)| slot.reserved_by_ms() == OLD));
            }
            let page = page(PageRows { rows: rows.clone(), cut }, after, end);
            prop_assert!((after + 1..=page.cursor).all(|seq| rows.contains_key(&seq)));
            prop_assert!(!rows.contains_key(&(page.cursor + 1)));
        }
    }
}
