//! What a user is in a group: ranges of seqs, a role, whether muted.

use crate::ids::{GroupId, UserId};
use serde::{Deserialize, Serialize};
use wigwag_protocol::http::Role;

/// A range of conversation seqs: from joining to leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stint {
    /// Messages up to this seq came before it.
    pub joined_after: u64,
    /// The last message of it; `None` while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

impl Stint {
    /// Whether the message with this conversation seq falls into it.
    pub fn covers(&self, seq: u64) -> bool {
        self.joined_after < seq && self.left.is_none_or(|left| seq <= left)
    }
}

/// A user in a group, as the user's own row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// What the user may do, or might when they left.
    pub role: Role,
    /// Until when the user may not send, in ms; 0 where they may.
    pub muted_until_ms: i64,
    /// The user's ranges, ascending; the last one may still last.
    pub stints: Vec<Stint>,
    /// The user's place: `place / SHARD_MEMBERS` is its shard.
    pub place: u64,
}

impl Membership {
    /// Whether the user is in the group.
    pub fn is_active(&self) -> bool {
        self.stints.last().is_some_and(|stint| stint.left.is_none())
    }
}

/// A range of membership, as the row in its shard says, which has all those of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardMember {
    /// Who.
    pub user: UserId,
    /// Their place in the order in which users came first, from 0.
    pub place: u64,
    /// The range.
    pub stint: Stint,
    /// What they may do.
    pub role: Role,
    /// Until when they may not send, in ms; 0 where they may.
    pub muted_until_ms: i64,
}

/// Ranges that have ended, ascending, as pairs of varints: the distance from the end of the one before to the beginning, and the
/// length.
pub(super) fn stints_to_bytes(ended: &[Stint]) -> Vec<u8> {
    let (mut bytes, mut before) = (Vec::new(), 0_u64);
    for stint in ended {
        let left = stint.left.unwrap_or(stint.joined_after);
        prost::encoding::encode_varint(stint.joined_after.saturating_sub(before), &mut bytes);
        prost::encoding::encode_varint(left.saturating_sub(stint.joined_after), &mut bytes);
        before = left;
    }
    bytes
}

/// Reads them.
pub(super) fn stints_from_bytes(mut bytes: &[u8]) -> Option<Vec<Stint>> {
    let (mut ended, mut before) = (Vec::new(), 0_u64);
    while !bytes.is_empty() {
        let joined_after = before.checked_add(prost::encoding::decode_varint(&mut bytes).ok()?)?;
        before = joined_after.checked_add(prost::encoding::decode_varint(&mut bytes).ok()?)?;
        let left = Some(before);
        ended.push(Stint { joined_after, left });
    }
    Some(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_are_read_as_they_were_written(steps in proptest::collection::vec(0_u64..1 << 40, 0..40)) {
            let mut at = 0;
            let ends: Vec<u64> = steps.iter().map(|step| { at += step; at }).collect();
            let ranges: Vec<Stint> = ends
                .chunks_exact(2)
                .map(|ends| Stint { joined_after: ends[0], left: Some(ends[1]) })
                .collect();
            prop_assert_eq!(stints_from_bytes(&stints_to_bytes(&ranges)), Some(ranges));
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = stints_from_bytes(&bytes);
        }
    }
}
