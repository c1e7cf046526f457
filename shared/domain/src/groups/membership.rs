//! Membership: the intervals of conversation seqs in which a user is a member, their role, and
//! whether they are muted.

use crate::ids::{GroupId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;

/// A membership interval: the conversation seqs from joining to leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipInterval {
    /// The seqs up to this one came before it.
    pub joined_after: u64,
    /// The last seq of it; `None` while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

impl MembershipInterval {
    /// Whether the message with this conversation seq falls into it.
    pub fn covers(&self, seq: u64) -> bool {
        self.joined_after < seq && self.left.is_none_or(|left| seq <= left)
    }
}

/// A user's membership in a group, as the user's own row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// The user's role, or the one that they had when they left.
    pub role: Role,
    /// Until when the user may not send, in ms; 0: they may.
    pub muted_until_ms: i64,
    /// The user's intervals, ascending. Only the last one may still last.
    pub intervals: Vec<MembershipInterval>,
    /// The user's slot: `slot / SHARD_MEMBERS` is its shard.
    pub slot: u64,
}

impl Membership {
    /// Whether the user is in the group.
    pub fn is_active(&self) -> bool {
        self.intervals.last().is_some_and(|interval| interval.left.is_none())
    }
}

/// A membership interval as the row in a shard has it. That row has all intervals of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardMember {
    /// The member.
    pub user: UserId,
    /// Their slot: the order in which users first joined, from 0.
    pub slot: u64,
    /// The interval.
    pub interval: MembershipInterval,
    /// Their role.
    pub role: Role,
    /// Until when they may not send, in ms; 0: they may.
    pub muted_until_ms: i64,
}

/// Intervals that have ended, ascending, as pairs of varints: the distance from the end of the one
/// before, and the length.
pub fn intervals_to_bytes(ended: &[MembershipInterval]) -> Vec<u8> {
    let (mut bytes, mut before) = (Vec::new(), 0_u64);
    for interval in ended {
        let left = interval.left.unwrap_or(interval.joined_after);
        prost::encoding::encode_varint(interval.joined_after.saturating_sub(before), &mut bytes);
        prost::encoding::encode_varint(left.saturating_sub(interval.joined_after), &mut bytes);
        before = left;
    }
    bytes
}

/// Reads them; `None` if the bytes are no intervals.
pub fn intervals_from_bytes(mut bytes: &[u8]) -> Option<Vec<MembershipInterval>> {
    let (mut ended, mut before) = (Vec::new(), 0_u64);
    while !bytes.is_empty() {
        let joined_after = before.checked_add(prost::encoding::decode_varint(&mut bytes).ok()?)?;
        before = joined_after.checked_add(prost::encoding::decode_varint(&mut bytes).ok()?)?;
        let left = Some(before);
        ended.push(MembershipInterval { joined_after, left });
    }
    Some(ended)
}

/// A user's row, with the version of the change that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The membership.
    pub membership: Membership,
    /// Version of the change that wrote it.
    pub version: u64,
}

/// Rows of members, by user.
pub type MemberRows = HashMap<UserId, MemberRow>;

/// The role of a member who may send, or why they may not. The settings of the group are not looked
/// at.
pub fn may_send(membership: Option<&Membership>, now_ms: i64) -> Result<Role, Code> {
    match membership.filter(|membership| membership.is_active()) {
        None => Err(Code::NOT_A_MEMBER),
        // Nobody mutes the owner.
        Some(membership) if membership.muted_until_ms > now_ms && membership.role != Role::Owner => {
            Err(Code::MEMBER_MUTED)
        }
        Some(membership) => Ok(membership.role),
    }
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
            let ranges: Vec<MembershipInterval> = ends
                .chunks_exact(2)
                .map(|ends| MembershipInterval { joined_after: ends[0], left: Some(ends[1]) })
                .collect();
            prop_assert_eq!(intervals_from_bytes(&intervals_to_bytes(&ranges)), Some(ranges));
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = intervals_from_bytes(&bytes);
        }
    }

    #[test]
    fn role_mute_and_membership_decide_who_may_send() {
        let of = |role, muted_until_ms, left| {
            let interval = MembershipInterval { joined_after: 0, left };
            let membership = Membership {
                group: GroupId(1),
                role,
                muted_until_ms,
                intervals: vec![interval],
                slot: 0,
            };
            may_send(Some(&membership), 1_000)
        };
        assert_eq!(may_send(None, 1_000), Err(Code::NOT_A_MEMBER));
        assert_eq!(of(Role::Admin, 0, Some(3)), Err(Code::NOT_A_MEMBER));
        assert_eq!(of(Role::Member, 1_001, None), Err(Code::MEMBER_MUTED));
        assert_eq!(of(Role::Admin, 1_001, None), Err(Code::MEMBER_MUTED));
        assert_eq!(of(Role::Owner, 1_001, None), Ok(Role::Owner));
        assert_eq!(of(Role::Member, 1_000, None), Ok(Role::Member));
    }
}
