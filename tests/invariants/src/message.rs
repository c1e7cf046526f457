//! A message, as it reached a device or as a table holds it.

use crate::{GroupId, UserId};
use prost::Message as _;
use serde::Serialize;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use wigwag_protocol::pb;

/// Names a message that a test sends. Its content tells it, so every message has another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Token {
    /// A number that no other message of the run has.
    pub number: u64,
    /// Bytes of its content.
    pub bytes: usize,
}

/// A conversation with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Conversation {
    /// Of two users, the lower id first.
    Pair(UserId, UserId),
    /// Of a group or a super group.
    Group(GroupId),
}

/// A message, as it reached a device or as a table holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// Which one; `None` for announcements, and for messages that no test sent.
    pub token: Option<Token>,
    /// Whether the content is exactly what its token stands for.
    pub intact: bool,
    /// The conversation that it names.
    pub conversation: Conversation,
    /// Its seq in that conversation.
    pub conversation_seq: u64,
    /// Its seq in the inbox that it came through; 0 if it came through none.
    pub seq: u64,
    /// The user who sent it.
    pub sender: UserId,
    /// The session that it was sent in.
    pub session: u64,
    /// Its number in the session; 0 for announcements.
    pub client_id: u64,
    /// What an announcement tells: its `GroupChangeType` and the users that it is about.
    pub change: Option<(i32, Vec<UserId>)>,
    /// A hash of the whole message without `seq`, so that any other difference shows as well.
    #[serde(skip)]
    pub digest: u64,
}

/// What the system answers to a message that it has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The session that it was sent in.
    pub session: u64,
    /// Its number in the session.
    pub client_id: u64,
    /// Its seq in the sender's inbox; 0 in a super group.
    pub seq: u64,
    /// Its seq in the conversation.
    pub conversation_seq: u64,
    /// When it was accepted, in ms.
    pub send_time_ms: i64,
}

impl Token {
    /// The content of the message: its number, and filler up to its length.
    pub fn content(self) -> String {
        let mut content = format!("m{}/{} ", self.number, self.bytes);
        let filler = self.bytes.saturating_sub(content.len());
        content.extend(std::iter::repeat_n('.', filler));
        content
    }

    /// The message with this content.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?;
        let (number, bytes) = text.split_once(' ')?.0.strip_prefix('m')?.split_once('/')?;
        Some(Self {
            number: number.parse().ok()?,
            bytes: bytes.parse().ok()?,
        })
    }
}

impl Conversation {
    /// The conversation of two users, in any order.
    pub fn pair(one: UserId, other: UserId) -> Self {
        Self::Pair(one.min(other), one.max(other))
    }
}

impl Observed {
    /// From a message as the wire has it.
    pub fn from_message(message: &pb::Message) -> Self {
        let token = Token::parse(&message.content);
        let conversation = match message.session_type() {
            pb::SessionType::Group => Conversation::Group(message.receiver_id),
            _ => Conversation::pair(message.sender_id, message.receiver_id),
        };
        Self {
            token,
            intact: token.is_none_or(|token| token.content().as_bytes() == message.content),
            conversation,
            conversation_seq: message.conversation_seq,
            seq: message.seq,
            sender: message.sender_id,
            session: message.session,
            client_id: message.client_id,
            change: message
                .group_change
                .as_ref()
                .map(|change| (change.r#type, change.user_ids.clone())),
            digest: digest(message),
        }
    }

    /// Names it in a sentence.
    pub fn name(&self) -> String {
        match (self.token, &self.change) {
            (Some(token), _) => token.to_string(),
            (None, Some(_)) => format!("the change at {} of {}", self.conversation_seq, self.conversation),
            (None, None) => "a message that nobody sent".to_owned(),
        }
    }

    /// Names it with its conversation.
    pub fn full_name(&self) -> String {
        match self.token {
            Some(token) => format!("{token} of {}", self.conversation),
            None => self.name(),
        }
    }
}

fn digest(message: &pb::Message) -> u64 {
    let without_seq = pb::Message {
        seq: 0,
        ..message.clone()
    };
    let mut hasher = DefaultHasher::new();
    without_seq.encode_to_vec().hash(&mut hasher);
    hasher.finish()
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.number)
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pair(one, other) => write!(f, "u{one}-u{other}"),
            Self::Group(group) => write!(f, "g{group}"),
        }
    }
}
