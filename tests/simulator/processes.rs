//! Who takes part in a schedule: devices that send and repeat, readers that keep a cursor.

use prost::Message as _;
use std::collections::BTreeMap;
use std::fmt;
use wigwag_protocol::Encoding;
use wigwag_protocol::pb::Message;
use wigwag_store::messages::HistoryRange;
use wigwag_store::send::{Draft, SendError, Sent};
use wigwag_store::timeline::{Content, Entry, Range};
use wigwag_store::{DeviceKey, GroupId, MessageKey, Store, StoreError, TimelineId, UserId};

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Attempt { device: usize, client_id: u64, number: u32 },
    Read { reader: usize, number: u32 },
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt {
                device,
                client_id,
                number,
            } => write!(f, "device {device} message {client_id} attempt {number}"),
            Self::Read { reader, number } => write!(f, "reader {reader} read {number}"),
        }
    }
}

/// How it ends.
#[derive(Debug)]
pub(crate) enum End {
    Attempt(Box<Result<Sent, SendError>>),
    Read(Result<Read, StoreError>),
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) struct Read {
    messages: Vec<(u64, Message)>,
    pub(crate) cursor: u64,
    pub(crate) max_seq: u64,
}

/// Where a message was said to stand: in its sender's inbox, in its receiver's, and the message itself.
pub(crate) type Answer = (u64, u64, Message);

/// A device that sends its messages 1, 2, 3 … with one in flight.
pub(crate) struct Device {
    pub(crate) user: UserId,
    pub(crate) receiver: UserId,
    pub(crate) session: u64,
    pub(crate) key: DeviceKey,
    /// How many it has to send.
    pub(crate) messages: u64,
    /// The last that it began.
    pub(crate) begun: u64,
    /// Attempts at that one.
    pub(crate) tries: u32,
    /// Whether its messages are too large for an inbox.
    pub(crate) large: bool,
    pub(crate) answers: BTreeMap<u64, Vec<Answer>>,
}

impl Device {
    pub(crate) fn draft(&self, client_id: u64) -> Draft {
        let key = MessageKey {
            sender: self.user,
            device: self.key.clone(),
            session: self.session,
            client_id,
        };
        let padding = if self.large { 1_000 } else { 0 };
        Draft {
            key,
            message_type: 1,
            content: format!("{} {client_id}{:padding$}", self.session, "").into_bytes(),
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.begun == 0 || self.answers.contains_key(&self.begun)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.begun == self.messages && self.is_answered()
    }
}

/// The timeline that a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeline {
    Inbox(UserId),
    Log,
    GroupLog(GroupId),
}

impl Timeline {
    /// Its key.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Inbox(user) => format!("u{user}"),
            Self::Log => "p1-2".to_owned(),
            Self::GroupLog(group) => format!("g{group}"),
        }
    }
}

/// Reads a timeline for ever, and keeps what its cursor has passed.
pub(crate) struct Reader {
    pub(crate) timeline: Timeline,
    pub(crate) cursor: u64,
    pub(crate) max_seq: u64,
    pub(crate) reads: u32,
    pub(crate) passed: Vec<(u64, Message)>,
}

impl Reader {
    pub(crate) fn of(timeline: Timeline) -> Self {
        Self {
            timeline,
            cursor: 0,
            max_seq: 0,
            reads: 0,
            passed: Vec::new(),
        }
    }

    pub(crate) fn keep(&mut self, read: Read) {
        self.passed
            .extend(read.messages.into_iter().filter(|(seq, _)| *seq <= read.cursor));
        self.cursor = read.cursor;
        self.max_seq = read.max_seq;
    }
}

/// Reads one page after a cursor.
pub(crate) async fn read(
    store: Store,
    timeline: Timeline,
    after: u64,
    limit: u32,
    now_ms: i64,
) -> Result<Read, StoreError> {
    match timeline {
        Timeline::Inbox(user) => {
            let page = store.inbox(user, after, limit, Encoding::Protobuf, now_ms).await?;
            let page = page.expect("every user has an inbox");
            Ok(Read {
                messages: page
                    .messages
                    .into_iter()
                    .map(|message| (message.seq, message))
                    .collect(),
                cursor: page.cursor,
                max_seq: page.max_seq,
            })
        }
        Timeline::GroupLog(group) => {
            let range = Range {
                after,
                through: None,
                limit,
            };
            let page = store.read(&TimelineId::group(group), range, now_ms).await?;
            let page = page.expect("the group has a log");
            Ok(Read {
                messages: page.entries.iter().map(|(seq, entry)| (*seq, logged(entry))).collect(),
                cursor: page.cursor,
                max_seq: page.max_seq,
            })
        }
        Timeline::Log => {
            let range = HistoryRange {
                begin_seq: after + 1,
                end_seq: 0,
                limit,
                descending: false,
            };
            let page = store.history(1, 2, range, Encoding::Protobuf, now_ms).await?;
            Ok(Read {
                messages: page
                    .messages
                    .into_iter()
                    .map(|message| (message.conversation_seq, message))
                    .collect(),
                cursor: page.next_seq.checked_sub(1).unwrap_or(page.max_seq).max(after),
                max_seq: page.max_seq,
            })
        }
    }
}

/// The message that an entry of a log holds.
fn logged(entry: &Entry) -> Message {
    match &entry.content {
        Content::Inline(bytes) => Message::decode(bytes.as_slice()).unwrap(),
        content @ Content::Reference { .. } => panic!("a log refers to {content:?}"),
    }
}
