//! Rows of a timeline as items: entries and seals.

use crate::error::StoreError;
use crate::item::{self, Item, bytes, corrupt, get_bytes, get_number, get_string, number, string};
use crate::schema::timelines::{self as attr, key};
use aws_sdk_dynamodb::types::AttributeValue;
use wigwag_domain::TimelineId;
use wigwag_domain::timeline::{Content, Entry, Row};

pub(crate) fn seal_item(timeline: &TimelineId, seq: u64, now_ms: i64) -> Item {
    let mut item = key(timeline, seq);
    item.insert(attr::SEAL.to_owned(), AttributeValue::Bool(true));
    item.insert(attr::RESERVED_AT.to_owned(), number(now_ms));
    item
}

pub(crate) fn entry_item(timeline: &TimelineId, seq: u64, entry: &Entry) -> Item {
    let mut item = key(timeline, seq);
    item.insert(attr::KEY.to_owned(), bytes(entry.key.clone()));
    item.insert(attr::RESERVED_AT.to_owned(), number(entry.reserved_at_ms));
    match &entry.content {
        Content::Inline(message) => {
            item.insert(attr::MESSAGE.to_owned(), bytes(message.clone()));
        }
        Content::Reference { log, seq, bytes } => {
            item.insert(attr::LOG.to_owned(), string(attr::partition(log)));
            item.insert(attr::LOG_SEQ.to_owned(), number(*seq));
            item.insert(attr::BYTES.to_owned(), number(*bytes));
        }
    }
    item
}

pub(crate) fn row_from_item(item: &Item) -> Result<Row, StoreError> {
    let reserved_at_ms = item::get_number(item, attr::RESERVED_AT).ok_or_else(|| corrupt("timelines", "no time"))?;
    if item.contains_key(attr::SEAL) {
        return Ok(Row::Seal {
            sealed_at_ms: reserved_at_ms,
        });
    }
    let key = get_bytes(item, attr::KEY).ok_or_else(|| corrupt("timelines", "an entry without a key"))?;
    let inline = get_bytes(item, attr::MESSAGE).map(|message| Content::Inline(message.to_vec()));
    let reference = || {
        let log = attr::timeline(get_string(item, attr::LOG)?)?;
        let (seq, bytes) = (get_number(item, attr::LOG_SEQ)?, get_number(item, attr::BYTES)?);
        Some(Content::Reference { log, seq, bytes })
    };
    let content = inline
        .or_else(reference)
        .ok_or_else(|| corrupt("timelines", "an entry without content"))?;
    Ok(Row::Entry(Entry {
        key: key.to_vec(),
        reserved_at_ms,
        content,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_domain::timeline::INLINE_BYTES;
    use wigwag_domain::{DeviceKey, MessageKey, UserId};

    #[test]
    fn an_entry_with_the_largest_inline_message_takes_one_write_unit() {
        let max = (1 << 53) - 1;
        let key = MessageKey {
            sender: UserId(max),
            device: DeviceKey::derive(1, "d"),
            session: max,
            client_id: max,
        };
        let entry = Entry::new(&key, 1_800_000_000_000, Content::Inline(vec![0; INLINE_BYTES]));
        assert!(item::size(&entry_item(&TimelineId::inbox(UserId(max)), max, &entry)) <= 1024);
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let key = MessageKey {
            sender: UserId(1),
            device: DeviceKey::derive(1, "d"),
            session: 2,
            client_id: 3,
        };
        let timeline = TimelineId::inbox(UserId(1));
        for content in [
            Content::Inline(vec![1, 2]),
            Content::Reference {
                log: TimelineId::peer(UserId(1), UserId(2)),
                seq: 9,
                bytes: 1000,
            },
        ] {
            let entry = Entry::new(&key, 5, content);
            assert_eq!(
                row_from_item(&entry_item(&timeline, 7, &entry)).unwrap(),
                Row::Entry(entry)
            );
        }
    }
}
