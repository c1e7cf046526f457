//! A message on its way: what it is, where it goes, and what is written there.

use crate::head::Head;
use crate::ids::{MessageKey, Recipient, TimelineId};
use crate::numbering::{Numbering, Plan, Verdict, digest, judge};
use crate::timeline::{Content, Entry, INLINE_BYTES};
use prost::Message as _;
use wigwag_protocol::pb;

/// A message that a device wants to send. Its form has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Who sends it, as which number.
    pub key: MessageKey,
    /// Kind of content, as on the wire.
    pub message_type: i32,
    /// The content.
    pub content: Vec<u8>,
}

/// A draft on its way to somebody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) draft: &'a Draft,
    pub(super) to: Recipient,
}

/// One of the places a message goes to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Log,
    Receiver,
    Own,
}

impl Numbering {
    pub(super) fn seq(&self, place: Place) -> u64 {
        match place {
            Place::Log => self.plan.log_seq,
            Place::Receiver => self.plan.receiver_seq,
            Place::Own => self.own_seq,
        }
    }

    pub(super) fn with_seq(&self, place: Place, seq: u64) -> Self {
        let mut changed = self.clone();
        match place {
            Place::Log => changed.plan.log_seq = seq,
            Place::Receiver => changed.plan.receiver_seq = seq,
            Place::Own => changed.own_seq = seq,
        }
        changed
    }

    pub(super) fn is_of(&self, key: &MessageKey) -> bool {
        (self.session, self.client_id) == (key.session, key.client_id)
    }
}

impl Outgoing<'_> {
    pub(super) fn timeline(&self, place: Place) -> TimelineId {
        match (place, self.to) {
            (Place::Log, Recipient::Peer(receiver)) => TimelineId::peer(self.draft.key.sender, receiver),
            (Place::Receiver, Recipient::Peer(receiver)) => TimelineId::inbox(receiver),
            // A group receives in its log; the members' copies are no part of the message's plan.
            (Place::Log | Place::Receiver, Recipient::Group(group)) => TimelineId::group(group),
            (Place::Own, _) => TimelineId::inbox(self.draft.key.sender),
        }
    }

    /// The message as its plan makes it: the same bytes whichever attempt writes them.
    pub(super) fn message(&self, numbering: &Numbering) -> pb::Message {
        let (session_type, receiver_id) = match self.to {
            Recipient::Peer(receiver) => (pb::SessionType::Single, receiver),
            Recipient::Group(group) => (pb::SessionType::Group, group),
        };
        pb::Message {
            session_type: session_type.into(),
            receiver_id,
            sender_id: self.draft.key.sender,
            message_type: self.draft.message_type,
            content: self.draft.content.clone(),
            seq: 0,
            send_time: numbering.plan.sent_at_ms,
            conversation_seq: numbering.plan.log_seq,
            client_id: self.draft.key.client_id,
            session: self.draft.key.session,
            group_change: None,
        }
    }

    /// What is put. The attempt's own time stands in for that of the reservation, which came no later.
    pub(super) fn entry(&self, place: Place, numbering: &Numbering, now_ms: i64) -> Entry {
        let message = self.message(numbering).encode_to_vec();
        let content = match place {
            Place::Receiver | Place::Own if message.len() > INLINE_BYTES => Content::Reference {
                log: self.timeline(Place::Log),
                seq: numbering.plan.log_seq,
                bytes: message.len(),
            },
            Place::Log | Place::Receiver | Place::Own => Content::Inline(message),
        };
        Entry::new(&self.draft.key, now_ms, content)
    }

    /// Whether an entry of the log says what this message says. The digest in the plan is too short to rely on alone.
    pub(super) fn is_in(&self, entry: &Entry) -> bool {
        match &entry.content {
            Content::Inline(bytes) => pb::Message::decode(bytes.as_slice()).is_ok_and(|there| {
                there.message_type == self.draft.message_type && there.content == self.draft.content
            }),
            Content::Reference { .. } => false,
        }
    }

    /// The plan of an attempt that took these seqs.
    pub(super) fn plan(&self, log_seq: u64, receiver_seq: u64, now_ms: i64) -> Plan {
        Plan {
            to: self.to,
            log_seq,
            receiver_seq,
            sent_at_ms: now_ms,
            digest: self.digest(),
        }
    }

    pub(super) fn digest(&self) -> [u8; 4] {
        digest(self.draft.message_type, &self.draft.content)
    }

    pub(super) fn judge(&self, sender: &Head) -> Verdict {
        let last = sender
            .devices
            .get(&self.draft.key.device)
            .and_then(|device| device.numbering.as_ref());
        judge(
            last,
            sender.session_floor,
            self.draft.key.session,
            self.draft.key.client_id,
            self.to,
            self.digest(),
        )
    }
}
