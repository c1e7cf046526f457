//! Pages of messages: entries with their content, cut to what a frame holds.

use prost::Message as _;
use std::collections::HashMap;
use wigwag_domain::TimelineId;
use wigwag_domain::page::Page;
use wigwag_domain::timeline::{Content, Entry};
use wigwag_protocol::limits::PAGE_BYTES;
use wigwag_protocol::{Encoding, pb};
use wigwag_store::{Store, StoreError, corrupt, timelines};

/// Messages of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Messages {
    /// In the order of the read. Messages of an inbox have its seq in `seq`.
    pub messages: Vec<pb::Message>,
    /// See [`Page::cursor`]; in a descending read, where to read on.
    pub cursor: u64,
    /// The highest reserved seq.
    pub max_seq: u64,
    /// Whether reading on brings more right now.
    pub has_more: bool,
}

/// The messages of a page, as many as a frame holds. `number` sets the seq of each.
pub(crate) async fn messages(
    store: &Store,
    mut page: Page,
    encoding: Encoding,
    number: impl Fn(u64, &mut pb::Message),
) -> Result<Messages, StoreError> {
    page.keep(at_most(&page.entries));
    let logged = timelines::referenced(store, &page.entries).await?;
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

fn message(entry: &Entry, logged: &HashMap<(TimelineId, u64), Entry>) -> Result<pb::Message, StoreError> {
    let bytes = match &entry.content {
        Content::Inline(bytes) => bytes,
        Content::Reference { log, seq, .. } => match logged.get(&(*log, *seq)).map(|entry| &entry.content) {
            Some(Content::Inline(bytes)) => bytes,
            _ => {
                return Err(corrupt(
                    "timelines",
                    format!("an inbox names {log} {seq}, which has no message"),
                ));
            }
        },
    };
    pb::Message::decode(bytes.as_slice()).map_err(|_| corrupt("timelines", "a message cannot be read"))
}

/// How many of the first entries can fit one frame in any encoding, by the lengths of their
/// messages.
fn at_most(entries: &[(u64, Entry)]) -> usize {
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|(_, entry)| {
        bytes += entry.content.bytes();
        bytes <= PAGE_BYTES
    });
    fitting.count().max(1)
}

/// How many of the first messages fit one frame; at least one, which always fits.
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
    fn a_page_is_cut_when_the_frame_is_full() {
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
