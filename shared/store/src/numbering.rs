//! How a device's messages are numbered, and what follows from a number.
//!
//! A device numbers its messages 1, 2, 3 … within a session. The head of its user's inbox keeps, per device, the last
//! number and the plan of that message: which seqs it took. One conditional write advances the number, takes the sender's own
//! seq and stores the plan. Whoever finds the number taken reads from the plan how to finish the message, or how to
//! answer it again.

use crate::error::StoreError;
use crate::ids::Recipient;
use crate::item::{Item, bytes, corrupt, get_bytes, get_number, number};
use crate::schema::timelines as attr;
use aws_sdk_dynamodb::types::AttributeValue;
use sha2::{Digest, Sha256};

/// The last message of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// The numbering; a later one is greater.
    pub session: u64,
    /// The last number claimed in it.
    pub client_id: u64,
    /// What that message took.
    pub plan: Plan,
    /// Its seq in the sender's own inbox; 0 in a super group.
    pub own_seq: u64,
}

/// Which seqs a message took, and what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// To whom it goes.
    pub to: Recipient,
    /// Its seq in the log of the conversation.
    pub log_seq: u64,
    /// Its seq in the receiver's inbox; 0 in a group, where workers give each member one.
    pub receiver_seq: u64,
    /// When it was first accepted, in ms: its `send_time`, whichever attempt writes it.
    pub sent_at_ms: i64,
    /// Of its kind and content, to tell a repeat from another message under the same number.
    pub digest: [u8; 4],
}

/// What is to be done with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one: claim it.
    Next,
    /// It is the last one again: finish it, answer it.
    Repeat(Numbering),
    /// It is the last one again, but the message is another.
    Reused,
    /// It is beyond the next one.
    Ahead {
        /// The next one.
        expected: u64,
    },
    /// It is before the last one.
    Passed,
    /// A later session has begun.
    SessionPassed {
        /// That session.
        stored: u64,
    },
}

/// Judges a number by the last one of its device; where there is none, by the floor of its user's head.
pub fn judge(
    last: Option<&Numbering>,
    session_floor: u64,
    session: u64,
    client_id: u64,
    to: Recipient,
    digest: [u8; 4],
) -> Verdict {
    let next_in = |expected| {
        if client_id == expected {
            Verdict::Next
        } else {
            Verdict::Ahead { expected }
        }
    };
    match last {
        None if session <= session_floor => Verdict::SessionPassed { stored: session_floor },
        None => next_in(1),
        Some(last) if session > last.session => next_in(1),
        Some(last) if session < last.session => Verdict::SessionPassed { stored: last.session },
        Some(last) if client_id > last.client_id => next_in(last.client_id + 1),
        Some(last) if client_id < last.client_id => Verdict::Passed,
        Some(last) if last.plan.to == to && last.plan.digest == digest => Verdict::Repeat(last.clone()),
        Some(_) => Verdict::Reused,
    }
}

/// Digest of a message's kind and content.
pub fn digest(message_type: i32, content: &[u8]) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(message_type.to_be_bytes())
        .chain_update(content)
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

impl Plan {
    const BYTES: usize = 37;

    /// First byte of the plan of a one-to-one message.
    const PEER: u8 = 1;

    /// First byte of the plan of a message to a group.
    const GROUP: u8 = 2;

    /// Fixed-width big-endian fields, so that equal plans have equal bytes: they are compared in conditions.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        let (kind, id) = match self.to {
            Recipient::Peer(user) => (Self::PEER, user),
            Recipient::Group(group) => (Self::GROUP, group),
        };
        bytes.push(kind);
        bytes.extend(id.to_be_bytes());
        bytes.extend(self.log_seq.to_be_bytes());
        bytes.extend(self.receiver_seq.to_be_bytes());
        bytes.extend(self.sent_at_ms.to_be_bytes());
        bytes.extend(self.digest);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, bytes) = bytes.split_first()?;
        let field = |n: usize| Some(u64::from_be_bytes(bytes.get(n * 8..n * 8 + 8)?.try_into().ok()?));
        Some(Self {
            to: match *kind {
                Self::PEER => Recipient::Peer(field(0)?),
                Self::GROUP => Recipient::Group(field(0)?),
                _ => return None,
            },
            log_seq: field(1)?,
            receiver_seq: field(2)?,
            sent_at_ms: field(3)?.cast_signed(),
            digest: bytes.get(32..36)?.try_into().ok()?,
        })
    }
}

impl Numbering {
    pub(crate) fn to_value(&self) -> AttributeValue {
        AttributeValue::M(Item::from([
            (attr::SESSION.to_owned(), number(self.session)),
            (attr::CLIENT_ID.to_owned(), number(self.client_id)),
            (attr::PLAN.to_owned(), bytes(self.plan.to_bytes())),
        ]))
    }

    pub(crate) fn from_map(map: &Item, own_seq: u64) -> Result<Self, StoreError> {
        let read = || {
            Some(Self {
                session: get_number(map, attr::SESSION)?,
                client_id: get_number(map, attr::CLIENT_ID)?,
                plan: Plan::from_bytes(get_bytes(map, attr::PLAN)?)?,
                own_seq,
            })
        };
        read().ok_or_else(|| corrupt("timelines", "a numbering lacks a part"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> Numbering {
        let plan = Plan {
            to: Recipient::Peer(2),
            log_seq: 3,
            receiver_seq: 4,
            sent_at_ms: 5,
            digest: digest(1, b"hi"),
        };
        Numbering {
            session: 10,
            client_id: 7,
            plan,
            own_seq: 6,
        }
    }

    #[test]
    fn a_number_is_judged_by_the_last_one() {
        let of = |session, client_id| {
            judge(
                Some(&last()),
                0,
                session,
                client_id,
                Recipient::Peer(2),
                digest(1, b"hi"),
            )
        };
        assert_eq!(of(10, 8), Verdict::Next);
        assert_eq!(of(10, 9), Verdict::Ahead { expected: 8 });
        assert_eq!(of(10, 7), Verdict::Repeat(last()));
        assert_eq!(of(10, 6), Verdict::Passed);
        assert_eq!(of(9, 8), Verdict::SessionPassed { stored: 10 });
        assert_eq!(of(11, 1), Verdict::Next);
        assert_eq!(of(11, 2), Verdict::Ahead { expected: 1 });
        assert_eq!(judge(None, 0, 1, 1, Recipient::Peer(2), [0; 4]), Verdict::Next);
        assert_eq!(
            judge(None, 0, 1, 2, Recipient::Peer(2), [0; 4]),
            Verdict::Ahead { expected: 1 }
        );
    }

    #[test]
    fn the_same_number_for_another_message_is_no_repeat() {
        let of = |to, digest| judge(Some(&last()), 0, 10, 7, to, digest);
        assert_eq!(of(Recipient::Peer(2), digest(1, b"ho")), Verdict::Reused);
        assert_eq!(of(Recipient::Peer(3), digest(1, b"hi")), Verdict::Reused);
        assert_eq!(of(Recipient::Group(2), digest(1, b"hi")), Verdict::Reused);
        assert_eq!(of(Recipient::Peer(2), digest(2, b"hi")), Verdict::Reused);
    }

    #[test]
    fn a_numbering_is_read_as_it_was_written() {
        for to in [Recipient::Peer(2), Recipient::Group(2)] {
            let mut last = last();
            last.plan.to = to;
            let value = last.to_value();
            assert_eq!(Numbering::from_map(value.as_m().unwrap(), 6).unwrap(), last);
        }
    }
}
