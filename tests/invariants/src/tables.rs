//! What the timelines table holds. Each program fills this from the raw items, without the store's
//! own reading.

use crate::message::{Conversation, Observed};
use crate::{GroupId, UserId};
use std::collections::BTreeMap;
use std::fmt;

/// All timelines.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// By key.
    pub timelines: BTreeMap<TimelineKey, Timeline>,
}

/// A head and the rows under it.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The highest seq that was reserved.
    pub counter: u64,
    /// For the log of a super group: messages with a greater seq are in the log alone.
    pub super_after: Option<u64>,
    /// By seq.
    pub rows: BTreeMap<u64, Row>,
}

/// What is stored at a seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A message. If the row refers to a log, it is the message there, with this row's seq.
    Entry(Observed),
    /// A reference to a seq of a log at which there is no message.
    Dangling {
        /// The key of the log.
        log: String,
        /// The seq there.
        seq: u64,
    },
    /// A seal: nothing, for ever.
    Seal,
}

/// Names a timeline. Displayed as the store's key: `u1` is an inbox, `p1-2` and `g7` are logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimelineKey {
    /// The inbox of a user.
    Inbox(UserId),
    /// The log of a conversation.
    Log(Conversation),
}

impl Tables {
    /// The number of seals.
    pub fn seals(&self) -> usize {
        self.rows().filter(|row| **row == Row::Seal).count()
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        self.rows().filter(|row| **row != Row::Seal).count()
    }

    /// A user's inbox.
    pub fn inbox(&self, user: UserId) -> Option<&Timeline> {
        self.timelines.get(&TimelineKey::Inbox(user))
    }

    /// A conversation's log.
    pub fn log(&self, conversation: Conversation) -> Option<&Timeline> {
        self.timelines.get(&TimelineKey::Log(conversation))
    }

    /// The timeline with this key, which is made if it is not there.
    pub fn entry(&mut self, key: TimelineKey) -> &mut Timeline {
        self.timelines.entry(key).or_default()
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.timelines.values().flat_map(|timeline| timeline.rows.values())
    }
}

impl Timeline {
    /// Its messages, by seq.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Observed)> {
        self.rows.iter().filter_map(|(seq, row)| match row {
            Row::Entry(observed) => Some((*seq, observed)),
            Row::Dangling { .. } | Row::Seal => None,
        })
    }
}

impl TimelineKey {
    /// The log of a group.
    pub const fn group(group: GroupId) -> Self {
        Self::Log(Conversation::Group(group))
    }

    /// The timeline with this key; `None` if it is the key of something else.
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, ids) = key.split_at_checked(1)?;
        match kind {
            "u" => Some(Self::Inbox(ids.parse().ok()?)),
            "g" => Some(Self::Log(Conversation::Group(ids.parse().ok()?))),
            "p" => {
                let (one, other) = ids.split_once('-')?;
                Some(Self::Log(Conversation::pair(one.parse().ok()?, other.parse().ok()?)))
            }
            _ => None,
        }
    }

    /// A message as a row of this timeline has it: with its seq there if this is an inbox.
    pub fn stored(self, observed: Observed, seq: u64) -> Observed {
        let seq = match self {
            Self::Inbox(_) => seq,
            Self::Log(_) => 0,
        };
        Observed { seq, ..observed }
    }
}

impl fmt::Display for TimelineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbox(user) => write!(f, "u{user}"),
            Self::Log(Conversation::Pair(one, other)) => write!(f, "p{one}-{other}"),
            Self::Log(Conversation::Group(group)) => write!(f, "g{group}"),
        }
    }
}
