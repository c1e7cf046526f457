//! What a user may read of a group's log: what was said while they were in it, in all their ranges of membership; where the
//! group opened its history, and they are in it, everything.

use super::membership::Membership;
use super::{ChangeError, TimelineId};
use crate::Store;
use crate::fanout::SHARD_MEMBERS;
use crate::ids::{GroupId, UserId};
use crate::messages::{History, HistoryRange, Messages};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::timeline::Range;
use wigwag_protocol::limits::SUPER_GROUP_MEMBERS;
use wigwag_protocol::{Code, Encoding};

/// Seqs from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    first: u64,
    last: u64,
}

impl Store {
    /// Reads of a group's log what the user may. A range that they may not read reads as an empty one, and `max_seq` is the
    /// highest that they may read. `Err(Refused(NOT_A_MEMBER))`: was never in it.
    ///
    /// A page holds messages of one range of membership; `next_seq` leads over what lies between two. Who has left, or reads a group
    /// that was dissolved, is told with the last page that it was the last: by the counter alone they could not tell, for a seq that was
    /// taken and given up raises it, too. One request after the other for the head and the membership, then two at once; three read units,
    /// and one for each 4 KB of messages.
    #[tracing::instrument(name = "store.group.history", skip_all, fields(group.id = group, user.id = user))]
    pub async fn group_history(
        &self,
        user: UserId,
        group: GroupId,
        wanted: HistoryRange,
        encoding: Encoding,
        now_ms: i64,
    ) -> Result<History, ChangeError> {
        let log = TimelineId::group(group);
        // First how far the log goes, then what the user is: whoever is a member then may read up to there. The other way round, one
        // who is removed in between would read what was said after.
        let head = self.head(&log, true).await?;
        let membership = self.membership(group, user).await?;
        let membership = membership.ok_or(ChangeError::Refused(Code::NOT_A_MEMBER))?;
        let Some(head) = head else {
            return Ok(History::default());
        };
        let settings = head.group.unwrap_or_default();
        let is_open = settings.open_history;
        #[cfg(feature = "plant")]
        let is_open = is_open || plant::has(Bug::HistoryBeforeJoin);
        let readable = readable(&membership, is_open, head.seq);
        let max_seq = readable.last().map_or(0, |piece| piece.last);
        let wanted_pieces = clip(&readable, wanted.begin_seq, wanted.end_seq);
        let (piece, beyond) = if wanted.descending {
            let mut pieces = wanted_pieces.iter().rev();
            (pieces.next(), pieces.next().map(|piece| piece.last))
        } else {
            let mut pieces = wanted_pieces.iter();
            (pieces.next(), pieces.next().map(|piece| piece.first))
        };
        // Who goes beyond what was read of the head has more to read than this page.
        let has_gone = || {
            membership
                .stints
                .last()
                .and_then(|stint| stint.left)
                .is_some_and(|left| left <= head.seq)
        };
        let is_over = settings.dissolved_after.is_some() || has_gone();
        let ends_here = is_over && !wanted.descending && (wanted.end_seq == 0 || wanted.end_seq >= max_seq);
        let nothing = History {
            max_seq,
            ended: ends_here,
            // Shards of those who have left are there, too.
            members: (u64::from(settings.shards) * SHARD_MEMBERS).min(SUPER_GROUP_MEMBERS.into()),
            ..History::default()
        };
        let Some(piece) = piece else { return Ok(nothing) };
        let range = Range {
            after: piece.first - 1,
            through: Some(piece.last),
            limit: wanted.limit,
        };
        let page = if wanted.descending {
            self.read_back(&log, range).await?
        } else {
            self.read(&log, range, now_ms).await?
        };
        let Some(page) = page else { return Ok(nothing) };
        let Messages {
            messages,
            cursor,
            has_more,
            ..
        } = self
            .messages(page, encoding, |seq, message| message.conversation_seq = seq)
            .await?;
        let within = match wanted.descending {
            true if has_more => Some(cursor),
            // A page may also end before a seq that is still being written.
            false if cursor < piece.last => Some(cursor + 1),
            _ => None,
        };
        let next_seq = within.or(beyond).unwrap_or(0);
        Ok(History {
            messages,
            next_seq,
            // A page that ends with the piece may say that the log goes on.
            has_more: if within.is_some() { has_more } else { beyond.is_some() },
            ended: ends_here && next_seq == 0,
            ..nothing
        })
    }
}

/// What a user may read of a log that goes up to `max_seq`, ascending. Ranges that touch are one.
fn readable(membership: &Membership, is_open: bool, max_seq: u64) -> Vec<Piece> {
    if is_open && membership.is_active() {
        return (max_seq > 0)
            .then_some(Piece {
                first: 1,
                last: max_seq,
            })
            .into_iter()
            .collect();
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for stint in &membership.stints {
        let (first, last) = (stint.joined_after + 1, stint.left.unwrap_or(max_seq).min(max_seq));
        match pieces.last_mut() {
            Some(before) if first <= before.last + 1 => before.last = before.last.max(last),
            _ if first <= last => pieces.push(Piece { first, last }),
            _ => {}
        }
    }
    pieces
}

/// The parts of pieces from `begin` to `end`; 0 as `end`: no end.
fn clip(pieces: &[Piece], begin: u64, end: u64) -> Vec<Piece> {
    let end = if end == 0 { u64::MAX } else { end };
    let clipped = pieces.iter().map(|piece| Piece {
        first: piece.first.max(begin),
        last: piece.last.min(end),
    });
    clipped.filter(|piece| piece.first <= piece.last).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Stint;
    use super::*;
    use proptest::prelude::*;
    use wigwag_protocol::http::Role;

    fn membership(stints: &[(u64, Option<u64>)]) -> Membership {
        let stints = stints.iter().map(|&(joined_after, left)| Stint { joined_after, left });
        Membership {
            group: 1,
            role: Role::Member,
            muted_until_ms: 0,
            stints: stints.collect(),
            place: 0,
        }
    }

    fn pairs(pieces: &[Piece]) -> Vec<(u64, u64)> {
        pieces.iter().map(|piece| (piece.first, piece.last)).collect()
    }

    #[test]
    fn what_was_said_while_a_user_was_away_is_not_readable() {
        let back = membership(&[(2, Some(5)), (8, None)]);
        assert_eq!(pairs(&readable(&back, false, 10)), [(3, 5), (9, 10)]);
        assert_eq!(pairs(&readable(&back, true, 10)), [(1, 10)]);
    }

    #[test]
    fn an_open_history_is_closed_to_who_has_left() {
        let gone = membership(&[(2, Some(5))]);
        assert_eq!(pairs(&readable(&gone, true, 10)), [(3, 5)]);
    }

    #[test]
    fn a_wanted_range_is_clipped_at_both_ends_and_in_the_middle() {
        let pieces = readable(&membership(&[(2, Some(5)), (8, None)]), false, 20);
        assert_eq!(pairs(&clip(&pieces, 0, 0)), [(3, 5), (9, 20)]);
        assert_eq!(pairs(&clip(&pieces, 4, 10)), [(4, 5), (9, 10)]);
        assert_eq!(pairs(&clip(&pieces, 6, 8)), []);
    }

    proptest! {
        #[test]
        fn exactly_what_a_stint_covers_is_readable_and_pieces_never_touch(
            steps in proptest::collection::vec(0_u64..6, 0..12),
            stays: bool,
            is_open: bool,
            max_seq in 0_u64..60,
            begin in 0_u64..60,
            end in 0_u64..60,
        ) {
            // A user who joins and leaves at these seqs, ascending; the last stint may last.
            let at: Vec<u64> = steps.iter().scan(0, |at, step| { *at += step; Some(*at) }).collect();
            let stints: Vec<_> = at.chunks(2)
                .map(|stint| (stint[0], if stint.len() == 2 { Some(stint[1]) } else { None }))
                .filter(|(_, left)| left.is_some() || stays)
                .collect();
            let membership = membership(&stints);
            let readable = readable(&membership, is_open, max_seq);
            let clipped = clip(&readable, begin, end);
            for seq in 1..=60 {
                let covered = membership.stints.iter().any(|stint| stint.covers(seq));
                let may = seq <= max_seq && (covered || (is_open && membership.is_active()));
                prop_assert_eq!(readable.iter().any(|piece| piece.first <= seq && seq <= piece.last), may);
                let wanted = seq >= begin && (end == 0 || seq <= end);
                prop_assert_eq!(clipped.iter().any(|piece| piece.first <= seq && seq <= piece.last), may && wanted);
            }
            prop_assert!(readable.windows(2).all(|two| two[0].last + 1 < two[1].first));
        }
    }
}
