//! A message on its way: its destinations, and the entry that each of them gets.

use crate::head::InboxHead;
use crate::ids::{MessageKey, Recipient, TimelineId};
use crate::numbering::{Destination, NumberCheck, Numbering, SendPlan, check_number, digest};
use crate::timeline::{Content, Entry, INLINE_BYTES};
use prost::Message as _;
use wigwag_protocol::pb;

/// A message that a device wants to send. Its form has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its identity: sender, device, session and number.
    pub key: MessageKey,
    /// Kind of content, as on the wire.
    pub message_type: i32,
    /// The content.
    pub content: Vec<u8>,
}

/// A draft on its way to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The draft.
    pub draft: &'a Draft,
    /// Who gets it.
    pub to: Recipient,
}

impl Outgoing<'_> {
    /// The timeline at a destination.
    pub fn timeline(&self, destination: Destination) -> TimelineId {
        match (destination, self.to) {
            (Destination::Log, Recipient::Peer(receiver)) => TimelineId::peer(self.draft.key.sender, receiver),
            (Destination::Receiver, Recipient::Peer(receiver)) => TimelineId::inbox(receiver),
            // A group receives in its log: the members' copies are no part of the send plan.
            (Destination::Log | Destination::Receiver, Recipient::Group(group)) => TimelineId::group(group),
            (Destination::Own, _) => TimelineId::inbox(self.draft.key.sender),
        }
    }

    /// The message as its plan makes it: the same bytes whichever attempt writes them.
    pub fn message(&self, numbering: &Numbering) -> pb::Message {
        let (session_type, receiver_id) = match self.to {
            Recipient::Peer(receiver) => (pb::SessionType::Single, receiver.0),
            Recipient::Group(group) => (pb::SessionType::Group, group.0),
        };
        pb::Message {
            session_type: session_type.into(),
            receiver_id,
            sender_id: self.draft.key.sender.0,
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

    /// The entry to put for its [`message`](Self::message). The attempt's own time is used for that
    /// of the reservation, which was no later.
    pub fn entry(&self, destination: Destination, message: &pb::Message, now_ms: i64) -> Entry {
        let bytes = message.encode_to_vec();
        let content = match destination {
            Destination::Receiver | Destination::Own if bytes.len() > INLINE_BYTES => Content::Reference {
                log: self.timeline(Destination::Log),
                seq: message.conversation_seq,
                bytes: bytes.len(),
            },
            Destination::Log | Destination::Receiver | Destination::Own => Content::Inline(bytes),
        };
        Entry::new(&self.draft.key, now_ms, content)
    }

    /// Whether an entry of the log has the content of this message. The digest in the plan is too
    /// short to rely on.
    pub fn is_in(&self, entry: &Entry) -> bool {
        match &entry.content {
            Content::Inline(bytes) => pb::Message::decode(bytes.as_slice()).is_ok_and(|there| {
                there.message_type == self.draft.message_type && there.content == self.draft.content
            }),
            Content::Reference { .. } => false,
        }
    }

    /// The plan of an attempt that took these seqs.
    pub fn plan(&self, log_seq: u64, receiver_seq: u64, now_ms: i64) -> SendPlan {
        SendPlan {
            to: self.to,
            log_seq,
            receiver_seq,
            sent_at_ms: now_ms,
            digest: self.digest(),
        }
    }

    /// Digest of its kind and content.
    pub fn digest(&self) -> [u8; 4] {
        digest(self.draft.message_type, &self.draft.content)
    }

    /// Compares its number with the last one in the sender's head.
    pub fn check_number(&self, sender: &InboxHead) -> NumberCheck {
        let last = sender
            .devices
            .get(&self.draft.key.device)
            .and_then(|device| device.numbering.as_ref());
        check_number(
            last,
            sender.session_floor,
            self.draft.key.session,
            self.draft.key.client_id,
            self.to,
            self.digest(),
        )
    }
}
