//! What was done, told and seen, in the order in which it happened.
//!
//! Everybody writes into one list, so the place in it is the time: what stands before something else happened before it, or at
//! the same time. A thing that takes time has a record for its beginning and one for its end: it took effect between them, if at all.

use serde::Serialize;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wigwag_protocol::pb;
use wigwag_store::{GroupId, UserId};

/// The place in the history.
pub type Moment = usize;

/// A device that takes part, by its place in [`History::devices`].
pub type DeviceIndex = usize;

/// Names a message of the checker: every one says something else, which its content tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Token {
    /// A number that no other message of the run has.
    pub number: u64,
    /// Bytes of its content.
    pub bytes: usize,
}

/// A conversation that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Conversation {
    /// Of two users, the lower id first.
    Pair(UserId, UserId),
    /// A group or a super group.
    Group(GroupId),
}

/// How a device is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The client SDK: what an app sees.
    Sdk,
    /// A socket and frames by hand: what is really pushed, and what a repeat is really answered.
    Raw,
    /// The client SDK with an empty disk, when all is over.
    Fresh,
}

/// A device that takes part.
#[derive(Debug, Clone, Serialize)]
pub struct Device {
    /// Whose it is.
    pub user: UserId,
    /// `u3.a`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// How a message came to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// The SDK handed it on: the next one of the inbox.
    Inbox,
    /// The SDK handed it on: the next one of a super group.
    GroupLog,
    /// A frame that nobody asked for.
    Push,
    /// A page of the inbox, asked for by hand.
    Sync,
    /// A page of a conversation, asked for by hand.
    Pull,
}

/// A message as it came to a device, or as it stands in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Which one; `None` of announcements, and of what nobody of the checker said.
    pub token: Option<Token>,
    /// Whether it says to the last byte what its token says.
    pub intact: bool,
    /// Where it was said.
    pub conversation: Conversation,
    /// Its seq there.
    pub conversation_seq: u64,
    /// Its seq in the inbox that it came through; 0 of none.
    pub seq: u64,
    /// Who said it.
    pub sender: UserId,
    /// The sender's numbering.
    pub session: u64,
    /// Its number there; 0 of announcements.
    pub client_id: u64,
    /// What an announcement tells: its kind and whom it is about.
    pub change: Option<(i32, Vec<UserId>)>,
}

/// What the system answers to a message that it has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The sender's numbering.
    pub session: u64,
    /// Its number there.
    pub client_id: u64,
    /// Its seq in the sender's inbox; 0 in a super group.
    pub seq: u64,
    /// Its seq in the conversation.
    pub conversation_seq: u64,
    /// When it was accepted, in ms.
    pub send_time_ms: i64,
}

/// Which way a membership changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// The user becomes a member.
    Joins,
    /// The user is one no longer: removed, or left.
    Leaves,
}

/// What a group is or allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// It is a super group: for ever.
    Super,
    /// It has ended: for ever.
    Dissolved,
    /// Only its owner and admins may send.
    Muted,
    /// This user may not send.
    MemberMuted(UserId),
    /// Its members may read what was said before they joined.
    OpenHistory,
    /// This user is its owner or an admin.
    Ranks(UserId),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A message is about to be sent: from here on it may stand.
    Send {
        /// Which one.
        message: Token,
        /// Where to.
        to: Conversation,
    },
    /// It is accepted. Each time that the system says so there is a record.
    Acknowledged {
        /// Which one.
        message: Token,
        /// What the system says of it.
        answer: Answer,
    },
    /// It is refused for good, in answer to its first transmission or a later one.
    Refused {
        /// Which one.
        message: Token,
        /// The code.
        code: u32,
    },
    /// Its device gave it up: it may stand, or not.
    GivenUp {
        /// Which one.
        message: Token,
        /// Why.
        reason: String,
    },
    /// A message came to a device.
    Came {
        /// How.
        by: Path,
        /// What.
        said: Said,
    },
    /// The device has everything of the inbox up to this seq, it was told.
    Cursor {
        /// The seq.
        seq: u64,
    },
    /// The device has everything of a super group up to this seq, or it begins here.
    GroupCursor {
        /// The group.
        group: GroupId,
        /// The conversation seq.
        seq: u64,
    },
    /// The device begins with an empty disk: what it had is gone.
    Installed,
    /// The device starts with what is on its disk.
    Started,
    /// The device is cut off in the middle of what it does.
    Crashed,
    /// The device is closed.
    Left,
    /// It has a connection.
    Connected,
    /// It has none any more.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// A membership is about to change: from here on it may have.
    Change {
        /// Of this group.
        group: GroupId,
        /// Of this user.
        user: UserId,
        /// Which way.
        turn: Turn,
    },
    /// It has changed.
    Changed {
        /// Of this group.
        group: GroupId,
        /// Of this user.
        user: UserId,
        /// Which way.
        turn: Turn,
    },
    /// A group has been made.
    Founded {
        /// Which one.
        group: GroupId,
        /// Whether as a super group.
        is_super: bool,
    },
    /// A group is about to become something else: from here on it may be.
    Set {
        /// Which one.
        group: GroupId,
        /// What of it.
        setting: Setting,
        /// Whether it is to be so, or not.
        is_on: bool,
    },
    /// It is.
    SetDone {
        /// Which one.
        group: GroupId,
        /// What of it.
        setting: Setting,
        /// Whether it is so, or not.
        is_on: bool,
    },
    /// A page of a group is asked for by hand: what comes of it is read from here on.
    Asked {
        /// The group.
        group: GroupId,
    },
    /// A page of a group was asked for and refused.
    Denied {
        /// The group.
        group: GroupId,
        /// The code.
        code: u32,
    },
    /// The faults stop, and nobody begins anything new.
    Calm,
    /// Everybody is to have everything.
    Settled,
    /// A last message to a user, with no fault in the way: every device of theirs that is connected is to be pushed it.
    RollCall {
        /// Which one.
        message: Token,
        /// To whom.
        user: UserId,
    },
    /// All roll calls have had all the time they need.
    RollCalled,
}

/// Something that happened, when, and on which device.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Milliseconds since the beginning.
    pub at_ms: u64,
    /// On which device, if on one.
    pub device: Option<DeviceIndex>,
    /// What.
    pub what: What,
}

/// What is written down so far. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct Recorder {
    began: Instant,
    history: Arc<Mutex<History>>,
}

/// What happened.
#[derive(Debug, Clone, Default, Serialize)]
pub struct History {
    /// Who takes part.
    pub devices: Vec<Device>,
    /// In order.
    pub records: Vec<Record>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            history: Arc::default(),
        }
    }
}

impl History {
    /// How many messages to a group were begun and answered since then: by anybody, or by this user.
    pub fn answered(&self, since: Moment, group: GroupId, by: Option<UserId>) -> usize {
        let mut begun: HashSet<Token> = HashSet::new();
        let mut answered = 0;
        for record in self.records.iter().skip(since) {
            let user = record.device.map(|device| self.devices[device].user);
            match record.what {
                What::Send { message, to } if to == Conversation::Group(group) && (by.is_none() || by == user) => {
                    begun.insert(message);
                }
                What::Acknowledged { message, .. } | What::Refused { message, .. } => {
                    answered += usize::from(begun.remove(&message));
                }
                _ => {}
            }
        }
        answered
    }
}

impl Recorder {
    /// Another device takes part.
    pub fn device(&self, user: UserId, name: String, kind: Kind) -> DeviceIndex {
        let device = Device { user, name, kind };
        self.with(|history| {
            history.devices.push(device);
            history.devices.len() - 1
        })
    }

    /// The place of what happens next.
    pub fn now(&self) -> Moment {
        self.with(|history| history.records.len())
    }

    /// Something happened on a device.
    pub fn on(&self, device: DeviceIndex, what: What) {
        self.push(Some(device), what);
    }

    /// Something happened on none.
    pub fn note(&self, what: What) {
        self.push(None, what);
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// All of it, as it is now.
    pub fn history(&self) -> History {
        self.with(|history| history.clone())
    }

    /// Looks at it, or changes it, while nobody writes.
    pub fn with<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        look(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, device: Option<DeviceIndex>, what: What) {
        self.with(|history| {
            let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            history.records.push(Record { at_ms, device, what });
        });
    }
}

impl Token {
    /// What the message says: its number, and filler up to its length.
    pub fn content(self) -> String {
        let mut content = format!("m{}/{} ", self.number, self.bytes);
        let filler = self.bytes.saturating_sub(content.len());
        content.extend(std::iter::repeat_n('.', filler));
        content
    }

    /// Which message says this.
    pub fn of(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?;
        let (number, bytes) = text.split_once(' ')?.0.strip_prefix('m')?.split_once('/')?;
        Some(Self {
            number: number.parse().ok()?,
            bytes: bytes.parse().ok()?,
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.number)
    }
}

impl Conversation {
    /// Of these two.
    pub fn pair(one: UserId, other: UserId) -> Self {
        Self::Pair(one.min(other), one.max(other))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Super => f.write_str("being a super group"),
            Self::Dissolved => f.write_str("being dissolved"),
            Self::Muted => f.write_str("being muted"),
            Self::MemberMuted(user) => write!(f, "muting u{user}"),
            Self::OpenHistory => f.write_str("opening its history"),
            Self::Ranks(user) => write!(f, "having u{user} as its owner or an admin"),
        }
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

impl Said {
    /// Of a message as the wire has it.
    pub fn of(message: &pb::Message) -> Self {
        let token = Token::of(&message.content);
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
        }
    }
}
