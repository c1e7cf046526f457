//! How a device's messages are numbered, and what follows from a number.
//!
//! A device numbers its messages 1, 2, 3 … within a session. The head of its user's inbox keeps,
//! per device, the last number and the send plan of that message: which seqs it took. One
//! conditional write advances the number, takes the sender's own seq and stores the plan. An
//! attempt that finds the number taken reads from the plan how to finish the message, or how to
//! answer it again.

use crate::ids::{GroupId, MessageKey, Recipient, UserId};
use sha2::{Digest, Sha256};

/// One of the timelines that a message goes to.
#[derive(Debug, Clone, Copy)]
pub enum Destination {
    /// The log of the conversation.
    Log,
    /// The inbox of the receiver.
    Receiver,
    /// The inbox of the sender.
    Own,
}

/// The last message of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// The session; a later one is greater.
    pub session: u64,
    /// The last number claimed in it.
    pub client_id: u64,
    /// What that message took.
    pub plan: SendPlan,
    /// Its seq in the sender's own inbox; 0 in a super group.
    pub own_seq: u64,
}

/// Which seqs a message took, and what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendPlan {
    /// Who gets it.
    pub to: Recipient,
    /// Its seq in the log of the conversation.
    pub log_seq: u64,
    /// Its seq in the receiver's inbox; 0 in a group, because workers give each member one.
    pub receiver_seq: u64,
    /// When it was first accepted, in ms: its `send_time`, whichever attempt writes it.
    pub sent_at_ms: i64,
    /// Digest of its kind and content, to tell a repeat from another message with the same number.
    pub digest: [u8; 4],
}

/// What a number is, compared with the last one of its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberCheck {
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

/// Compares a number with the last one of its device; if there is none, with the session floor of
/// its user's head.
pub fn check_number(
    last: Option<&Numbering>,
    session_floor: u64,
    session: u64,
    client_id: u64,
    to: Recipient,
    digest: [u8; 4],
) -> NumberCheck {
    let next_in = |expected| {
        if client_id == expected {
            NumberCheck::Next
        } else {
            NumberCheck::Ahead { expected }
        }
    };
    match last {
        None if session <= session_floor => NumberCheck::SessionPassed { stored: session_floor },
        None => next_in(1),
        Some(last) if session > last.session => next_in(1),
        Some(last) if session < last.session => NumberCheck::SessionPassed { stored: last.session },
        Some(last) if client_id > last.client_id => next_in(last.client_id + 1),
        Some(last) if client_id < last.client_id => NumberCheck::Passed,
        Some(last) if last.plan.to == to && last.plan.digest == digest => NumberCheck::Repeat(last.clone()),
        Some(_) => NumberCheck::Reused,
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

impl SendPlan {
    const BYTES: usize = 37;

    /// First byte of the plan of a one-to-one message.
    const PEER: u8 = 1;

    /// First byte of the plan of a message to a group.
    const GROUP: u8 = 2;

    /// The plan as it is stored. Its fields have a fixed width, so that equal plans have equal
    /// bytes: conditions compare them.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        let (kind, id) = match self.to {
            Recipient::Peer(user) => (Self::PEER, user.0),
            Recipient::Group(group) => (Self::GROUP, group.0),
        };
        bytes.push(kind);
        bytes.extend(id.to_be_bytes());
        bytes.extend(self.log_seq.to_be_bytes());
        bytes.extend(self.receiver_seq.to_be_bytes());
        bytes.extend(self.sent_at_ms.to_be_bytes());
        bytes.extend(self.digest);
        bytes
    }

    /// Reads them; `None` if they are not a plan.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, bytes) = bytes.split_first()?;
        let field = |n: usize| Some(u64::from_be_bytes(bytes.get(n * 8..n * 8 + 8)?.try_into().ok()?));
        Some(Self {
            to: match *kind {
                Self::PEER => Recipient::Peer(UserId(field(0)?)),
                Self::GROUP => Recipient::Group(GroupId(field(0)?)),
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
    /// The seq at a destination.
    pub fn seq(&self, destination: Destination) -> u64 {
        match destination {
            Destination::Log => self.plan.log_seq,
            Destination::Receiver => self.plan.receiver_seq,
            Destination::Own => self.own_seq,
        }
    }

    /// The numbering with another seq at a destination.
    #[must_use]
    pub fn with_seq(&self, destination: Destination, seq: u64) -> Self {
        let mut changed = self.clone();
        match destination {
            Destination::Log => changed.plan.log_seq = seq,
            Destination::Receiver => changed.plan.receiver_seq = seq,
            Destination::Own => changed.own_seq = seq,
        }
        changed
    }

    /// Whether it belongs to this message.
    pub fn is_of(&self, key: &MessageKey) -> bool {
        (self.session, self.client_id) == (key.session, key.client_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> Numbering {
        let plan = SendPlan {
            to: Recipient::Peer(UserId(2)),
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
    fn a_number_is_compared_with_the_last_one() {
        let of = |session, client_id| {
            check_number(
                Some(&last()),
                0,
                session,
                client_id,
                Recipient::Peer(UserId(2)),
                digest(1, b"hi"),
            )
        };
        assert_eq!(of(10, 8), NumberCheck::Next);
        assert_eq!(of(10, 9), NumberCheck::Ahead { expected: 8 });
        assert_eq!(of(10, 7), NumberCheck::Repeat(last()));
        assert_eq!(of(10, 6), NumberCheck::Passed);
        assert_eq!(of(9, 8), NumberCheck::SessionPassed { stored: 10 });
        assert_eq!(of(11, 1), NumberCheck::Next);
        assert_eq!(of(11, 2), NumberCheck::Ahead { expected: 1 });
        assert_eq!(
            check_number(None, 0, 1, 1, Recipient::Peer(UserId(2)), [0; 4]),
            NumberCheck::Next
        );
        assert_eq!(
            check_number(None, 0, 1, 2, Recipient::Peer(UserId(2)), [0; 4]),
            NumberCheck::Ahead { expected: 1 }
        );
    }

    #[test]
    fn the_same_number_for_another_message_is_no_repeat() {
        let of = |to, digest| check_number(Some(&last()), 0, 10, 7, to, digest);
        assert_eq!(of(Recipient::Peer(UserId(2)), digest(1, b"ho")), NumberCheck::Reused);
        assert_eq!(of(Recipient::Peer(UserId(3)), digest(1, b"hi")), NumberCheck::Reused);
        assert_eq!(of(Recipient::Group(GroupId(2)), digest(1, b"hi")), NumberCheck::Reused);
        assert_eq!(of(Recipient::Peer(UserId(2)), digest(2, b"hi")), NumberCheck::Reused);
    }

    #[test]
    fn a_send_plan_is_read_as_it_was_written() {
        for to in [Recipient::Peer(UserId(2)), Recipient::Group(GroupId(2))] {
            let plan = SendPlan { to, ..last().plan };
            assert_eq!(SendPlan::from_bytes(&plan.to_bytes()), Some(plan));
        }
    }
}
