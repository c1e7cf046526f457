//! Pages of messages: timeline entries with their content, cut to what a frame holds.

use crate::Store;
use crate::error::StoreError;
use crate::ids::{TimelineId, UserId};
use crate::item::{corrupt, get_number, get_string};
use crate::schema::timelines as attr;
use crate::timeline::{Content, Entry, Page, Range, Slot, key, slot_from_item};
use prost::Message as _;
use std::collections::HashMap;
use wigwag_protocol::limits::PAGE_BYTES;
use wigwag_protocol::{Encoding, pb};

/// Messages of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Messages {
    /// In the order of the read. Those of an inbox carry its seq in `seq`.
    pub messages: Vec<pb::Message>,
    /// See [`Page::cursor`]; in a descending read, where to go on.
    pub cursor: u64,
    /// The highest reserved seq.
    pub max_seq: u64,
    /// Whether reading on brings more right now.
    pub has_more: bool,
}

/// Which part of a conversation is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRange {
    /// First conversation seq; 0 means 1.
    pub begin_seq: u64,
    /// Last conversation seq; 0 means the newest.
    pub end_seq: u64,
    /// At most so many messages; at least 1.
    pub limit: u32,
    /// Newest first. What is still being written is then left out; it comes by SYNC.
    pub descending: bool,
}

impl HistoryRange {
    /// Whether its ends are in order.
    pub fn is_valid(&self) -> bool {
        self.end_seq == 0 || self.begin_seq <= self.end_seq
    }

    /// Where to go on after a page; 0 at the end of the range.
    fn next_seq(&self, page: &Messages) -> u64 {
        let end = if self.end_seq == 0 {
            page.max_seq
        } else {
            self.end_seq.min(page.max_seq)
        };
        match self.descending {
            true if page.has_more => page.cursor,
            // Ascending, a page may also end before a seq that is still being written.
            false if page.cursor < end => page.cursor + 1,
            _ => 0,
        }
    }
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// In the order asked for.
    pub messages: Vec<pb::Message>,
    /// Where to go on: the next `begin_seq`, or `end_seq` when descending; 0 at the end.
    pub next_seq: u64,
    /// The conversation's highest reserved seq; of a group, the highest that the user may read.
    pub max_seq: u64,
    /// Whether reading on brings more right now.
    pub has_more: bool,
    /// Of a group: whether this reaches the end, oldest first, and nothing more is the user's unless they come back.
    pub ended: bool,
    /// Of a group: how many members it has at most.
    pub members: u64,
}

impl Store {
    /// Reads a user's inbox after a cursor, as much as a frame holds. `None`: no such user.
    pub async fn inbox(
        &self,
        user: UserId,
        after: u64,
        limit: u32,
        encoding: Encoding,
        now_ms: i64,
    ) -> Result<Option<Messages>, StoreError> {
        let range = Range {
            after,
            through: None,
            limit,
        };
        let Some(page) = self.read(&TimelineId::inbox(user), range, now_ms).await? else {
            return Ok(None);
        };
        self.messages(page, encoding, |seq, message| message.seq = seq)
            .await
            .map(Some)
    }

    /// Reads the log of two users. A conversation that has not begun reads as an empty one.
    pub async fn history(
        &self,
        user: UserId,
        peer: UserId,
        wanted: HistoryRange,
        encoding: Encoding,
        now_ms: i64,
    ) -> Result<History, StoreError> {
        let log = TimelineId::peer(user, peer);
        let range = Range {
            after: wanted.begin_seq.max(1) - 1,
            through: (wanted.end_seq > 0).then_some(wanted.end_seq),
            limit: wanted.limit,
        };
        let page = if wanted.descending {
            self.read_back(&log, range).await?
        } else {
            self.read(&log, range, now_ms).await?
        };
        let Some(page) = page else {
            return Ok(History::default());
        };
        let page = self
            .messages(page, encoding, |seq, message| message.conversation_seq = seq)
            .await?;
        Ok(History {
            next_seq: wanted.next_seq(&page),
            messages: page.messages,
            max_seq: page.max_seq,
            has_more: page.has_more,
            ..History::default()
        })
    }

    /// The messages of a page, as many as a frame holds, each given its seq by `number`.
    pub(crate) async fn messages(
        &self,
        mut page: Page,
        encoding: Encoding,
        number: impl Fn(u64, &mut pb::Message),
    ) -> Result<Messages, StoreError> {
        page.keep(at_most(&page.entries));
        let logged = self.logged(&page.entries).await?;
        let mut messages = Vec::with_capacity(page.entries.len());
        for (seq, entry) in &page.entries {
            let mut message = message(entry, &logged)?;
            number(*seq, &mut message);
            messages.push(message);
        }
        let fitting = fitting(&messages, encoding);
        messages.truncate(fitting);
        page.keep(fitting);
        Ok(Messages {
            messages,
            cursor: page.cursor,
            max_seq: page.max_seq,
            has_more: page.has_more,
        })
    }

    /// Fetches the messages that entries refer to, by log and seq.
    async fn logged(&self, entries: &[(u64, Entry)]) -> Result<HashMap<(String, u64), Entry>, StoreError> {
        let keys = entries.iter().filter_map(|(_, entry)| match &entry.content {
            Content::Reference { log, seq, .. } => Some(key(log, *seq)),
            Content::Inline(_) => None,
        });
        let mut found = HashMap::new();
        for item in self.items(&self.timelines, keys.collect(), true).await? {
            if let (Some(log), Some(seq), Slot::Entry(entry)) = (
                get_string(&item, attr::TIMELINE),
                get_number(&item, attr::SEQ),
                slot_from_item(&item)?,
            ) {
                found.insert((log.to_owned(), seq), entry);
            }
        }
        Ok(found)
    }
}

fn message(entry: &Entry, logged: &HashMap<(String, u64), Entry>) -> Result<pb::Message, StoreError> {
    let bytes = match &entry.content {
        Content::Inline(bytes) => bytes,
        Content::Reference { log, seq, .. } => {
            match logged.get(&(log.as_str().to_owned(), *seq)).map(|entry| &entry.content) {
                Some(Content::Inline(bytes)) => bytes,
                _ => {
                    return Err(corrupt(
                        "timelines",
                        format!("an inbox names {log} {seq}, where no message stands"),
                    ));
                }
            }
        }
    };
    pb::Message::decode(bytes.as_slice()).map_err(|_| corrupt("timelines", "a message cannot be read"))
}

/// How many of the first entries can fit one frame in any encoding, by the length of their messages alone.
fn at_most(entries: &[(u64, Entry)]) -> usize {
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|(_, entry)| {
        bytes += entry.content.bytes();
        bytes <= PAGE_BYTES
    });
    fitting.count().max(1)
}

/// How many of the first messages fit one frame; at least one, which always does.
fn fitting(messages: &[pb::Message], encoding: Encoding) -> usize {
    let mut bytes = 0;
    let fitting = messages.iter().take_while(|message| {
        bytes += encoding.frame_bytes(message);
        bytes <= PAGE_BYTES
    });
    fitting.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_where_the_frame_is_full() {
        let message = pb::Message {
            content: vec![b'a'; 10_000],
            ..pb::Message::default()
        };
        let messages = vec![message; 5];
        assert_eq!(fitting(&messages, Encoding::Json), 3);
        assert_eq!(fitting(&messages, Encoding::Protobuf), 2);
        assert_eq!(fitting(&messages[..1], Encoding::Json), 1);
    }
}
