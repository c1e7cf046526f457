//! What a user may read of a group's log: the messages of all their membership intervals, or
//! everything if the group opened its history and they are a member.

use super::membership::Membership;

/// Seqs from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The first seq.
    pub first: u64,
    /// The last seq.
    pub last: u64,
}

/// What a user may read of a log that goes up to `max_seq`, ascending. Ranges that touch are one.
pub fn readable(membership: &Membership, is_open: bool, max_seq: u64) -> Vec<Piece> {
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
    for interval in &membership.intervals {
        let (first, last) = (interval.joined_after + 1, interval.left.unwrap_or(max_seq).min(max_seq));
        match pieces.last_mut() {
            Some(before) if first <= before.last + 1 => before.last = before.last.max(last),
            _ if first <= last => pieces.push(Piece { first, last }),
            _ => {}
        }
    }
    pieces
}

/// The parts of pieces from `begin` to `end`; 0 as `end`: no end.
pub fn clip(pieces: &[Piece], begin: u64, end: u64) -> Vec<Piece> {
    let end = if end == 0 { u64::MAX } else { end };
    let clipped = pieces.iter().map(|piece| Piece {
        first: piece.first.max(begin),
        last: piece.last.min(end),
    });
    clipped.filter(|piece| piece.first <= piece.last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::membership::MembershipInterval;
    use crate::ids::GroupId;
    use proptest::prelude::*;
    use wigwag_protocol::http::Role;

    fn membership(intervals: &[(u64, Option<u64>)]) -> Membership {
        let intervals = intervals
            .iter()
            .map(|&(joined_after, left)| MembershipInterval { joined_after, left });
        Membership {
            group: GroupId(1),
            role: Role::Member,
            muted_until_ms: 0,
            intervals: intervals.collect(),
            slot: 0,
        }
    }

    fn pairs(pieces: &[Piece]) -> Vec<(u64, u64)> {
        pieces.iter().map(|piece| (piece.first, piece.last)).collect()
    }

    #[test]
    fn messages_from_a_users_absence_are_not_readable() {
        let back = membership(&[(2, Some(5)), (8, None)]);
        assert_eq!(pairs(&readable(&back, false, 10)), [(3, 5), (9, 10)]);
        assert_eq!(pairs(&readable(&back, true, 10)), [(1, 10)]);
    }

    #[test]
    fn an_open_history_is_closed_to_users_who_left() {
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
        fn exactly_the_membership_intervals_are_readable_and_pieces_never_touch(
            steps in proptest::collection::vec(0_u64..6, 0..12),
            stays: bool,
            is_open: bool,
            max_seq in 0_u64..60,
            begin in 0_u64..60,
            end in 0_u64..60,
        ) {
            // A user who joins and leaves at these seqs, ascending; the last interval may last.
            let at: Vec<u64> = steps.iter().scan(0, |at, step| { *at += step; Some(*at) }).collect();
            let intervals: Vec<_> = at.chunks(2)
                .map(|interval| (interval[0], if interval.len() == 2 { Some(interval[1]) } else { None }))
                .filter(|(_, left)| left.is_some() || stays)
                .collect();
            let membership = membership(&intervals);
            let readable = readable(&membership, is_open, max_seq);
            let clipped = clip(&readable, begin, end);
            for seq in 1..=60 {
                let covered = membership.intervals.iter().any(|interval| interval.covers(seq));
                let may = seq <= max_seq && (covered || (is_open && membership.is_active()));
                prop_assert_eq!(readable.iter().any(|piece| piece.first <= seq && seq <= piece.last), may);
                let wanted = seq >= begin && (end == 0 || seq <= end);
                prop_assert_eq!(clipped.iter().any(|piece| piece.first <= seq && seq <= piece.last), may && wanted);
            }
            prop_assert!(readable.windows(2).all(|two| two[0].last + 1 < two[1].first));
        }
    }
}
