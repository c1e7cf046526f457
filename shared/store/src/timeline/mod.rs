//! Timelines: a head with an atomic counter, and entries keyed by seq.
//!
//! The flow of a writer: [`Store::reserve`] a seq, then [`Store::put`] the entry under it. A reader walks the entries
//! with a cursor that never passes a hole, so it cannot miss an entry whose writer was slower than the next one. A hole
//! whose successor was reserved more than a [`LEASE`] ago belongs to a writer that died: the reader seals it.
//!
//! Invariants:
//! - no two writers share a seq (the counter is atomic)
//! - a seq holds at most one thing for ever, an entry or a seal (both are puts on the condition that nothing stands there)
//! - a writer that meets a seal has lost the seq, and reserves again
//! - clocks decide how soon a hole is sealed, never what is true

mod read;

pub use read::{Page, Range};

use crate::error::StoreError;
use crate::ids::{MessageKey, TimelineId};
use crate::item::{self, Item, bytes, corrupt, get_bytes, get_number, get_string, number, string};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use crate::{Store, head::Head};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use std::time::Duration;

/// How long a writer may take from reservation to put before a reader may give its seq up: twice the timeout of the
/// functions (`template.yaml`, 5 s), and a test holds the two together. It is also how long a receiver can wait for what
/// stands behind a message whose function died, so it is no longer than that.
pub const LEASE: Duration = Duration::from_secs(10);

/// Largest message that an inbox entry carries itself: with its keys the item stays within one write unit (1 KB).
/// Larger ones stand in the log alone, and the entry names that place.
pub const INLINE_BYTES: usize = 900;

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An encoded message.
    Inline(Vec<u8>),
    /// The message stands in this log at this seq.
    Reference {
        /// The log.
        log: TimelineId,
        /// The seq in it.
        seq: u64,
        /// Bytes of the encoded message there, so that a page can be cut before it is fetched.
        bytes: usize,
    },
}

impl Content {
    /// Bytes of the encoded message.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Inline(message) => message.len(),
            Self::Reference { bytes, .. } => *bytes,
        }
    }
}

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identity of the message.
    pub key: Vec<u8>,
    /// When the seq was reserved, in ms.
    pub reserved_at_ms: i64,
    /// What it says.
    pub content: Content,
}

impl Entry {
    /// An entry for this message.
    pub fn new(key: &MessageKey, reserved_at_ms: i64, content: Content) -> Self {
        Self {
            key: key.to_bytes(),
            reserved_at_ms,
            content,
        }
    }
}

/// What stands at a seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// An entry.
    Entry(Entry),
    /// Nothing, for ever.
    Seal {
        /// When it was sealed, in ms; the seq was reserved no later.
        sealed_at_ms: i64,
    },
}

impl Slot {
    /// No later than this was the seq reserved, in ms.
    pub(crate) fn reserved_by_ms(&self) -> i64 {
        match self {
            Self::Entry(entry) => entry.reserved_at_ms,
            Self::Seal { sealed_at_ms } => *sealed_at_ms,
        }
    }
}

/// How a put ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The entry stands at its seq, written now or by an earlier attempt.
    Stands,
    /// An entry of the same message stands there that says something else.
    Differs(Entry),
    /// A seal stands there: the seq is lost, reserve again.
    Sealed,
}

/// Whether a reservation may make the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A log comes to be with its first message.
    Create,
    /// An inbox comes to be with its user.
    Refuse,
}

const RESERVE: &str = "SET #at = :now ADD #counter :n";
const EXISTS: &str = "attribute_exists(#t)";
const VACANT: &str = "attribute_not_exists(#t)";

impl Store {
    /// Takes the next `n` seqs of a timeline, and answers with its head as it stands after that: the seqs are the last
    /// `n` up to [`Head::seq`]. `None`: there is no such timeline, and none was to be made. One write unit, one attempt.
    #[tracing::instrument(name = "store.timeline.reserve", skip_all, fields(timeline = %timeline))]
    pub async fn reserve(
        &self,
        timeline: &TimelineId,
        n: u64,
        missing: Missing,
        now_ms: i64,
    ) -> Result<Option<Head>, StoreError> {
        let mut call = self.reservation(timeline, n, now_ms);
        if missing == Missing::Refuse {
            call = call
                .condition_expression(EXISTS)
                .expression_attribute_names("#t", attr::TIMELINE);
        }
        match call.send().await {
            Ok(output) => Head::from_item(&output.attributes.unwrap_or_default()).map(Some),
            Err(error) if is_condition_failure(&error) => Ok(None),
            Err(error) => Err(StoreError::call("UpdateItem (reserve)")(error)),
        }
    }

    /// The call that takes the next `n` seqs, whatever there is. It is not to be repeated: it would take others.
    pub(crate) fn reservation(&self, timeline: &TimelineId, n: u64, now_ms: i64) -> UpdateItemFluentBuilder {
        self.once
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(timeline, attr::HEAD)))
            .update_expression(RESERVE)
            .expression_attribute_names("#at", attr::RESERVED_AT)
            .expression_attribute_names("#counter", attr::COUNTER)
            .expression_attribute_values(":now", number(now_ms))
            .expression_attribute_values(":n", number(n))
            .return_values(ReturnValue::AllNew)
    }

    /// Writes an entry at a reserved seq, unless something stands there. One write unit per KB; may be repeated.
    #[tracing::instrument(name = "store.timeline.put", skip_all, fields(timeline = %timeline, seq))]
    pub async fn put(&self, timeline: &TimelineId, seq: u64, entry: &Entry) -> Result<Put, StoreError> {
        match self.put_if_vacant(entry_item(timeline, seq, entry)).await? {
            None => Ok(Put::Stands),
            Some(Slot::Seal { .. }) => Ok(Put::Sealed),
            Some(Slot::Entry(there)) if there.key == entry.key && there.content == entry.content => Ok(Put::Stands),
            Some(Slot::Entry(there)) if there.key == entry.key => Ok(Put::Differs(there)),
            Some(Slot::Entry(_)) => Err(corrupt("timelines", format!("two writers at {timeline} {seq}"))),
        }
    }

    /// Gives a reserved seq up: nobody will write there. Answers with the entry that stands there, if a writer was faster.
    #[tracing::instrument(name = "store.timeline.seal", skip_all, fields(timeline = %timeline, seq))]
    pub async fn seal(&self, timeline: &TimelineId, seq: u64, now_ms: i64) -> Result<Option<Entry>, StoreError> {
        match self.put_if_vacant(seal_item(timeline, seq, now_ms)).await? {
            Some(Slot::Entry(entry)) => Ok(Some(entry)),
            Some(Slot::Seal { .. }) | None => Ok(None),
        }
    }

    /// Puts an item where nothing stands, or answers with what does.
    async fn put_if_vacant(&self, item: Item) -> Result<Option<Slot>, StoreError> {
        let call = self
            .db
            .put_item()
            .table_name(&self.timelines)
            .set_item(Some(item))
            .condition_expression(VACANT)
            .expression_attribute_names("#t", attr::TIMELINE)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        #[cfg(feature = "plant")]
        let call = if plant::has(Bug::SealIgnoresLateWriter) {
            call.condition_expression(plant::vacant_or_sealed(VACANT))
        } else {
            call
        };
        match call.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(service) if service.is_conditional_check_failed_exception() => {
                    let there =
                        condition_item(service).ok_or_else(|| corrupt("timelines", "a failed put names no item"))?;
                    slot_from_item(there).map(Some)
                }
                _ => Err(StoreError::call("PutItem")(error)),
            },
        }
    }
}

fn condition_item(error: &aws_sdk_dynamodb::operation::put_item::PutItemError) -> Option<&Item> {
    match error {
        aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) => failed.item(),
        _ => None,
    }
}

pub(crate) fn is_condition_failure(
    error: &aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::update_item::UpdateItemError>,
) -> bool {
    error
        .as_service_error()
        .is_some_and(aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception)
}

/// The key of a seq.
pub(crate) fn key(timeline: &TimelineId, seq: u64) -> Item {
    Item::from([
        (attr::TIMELINE.to_owned(), string(timeline.as_str())),
        (attr::SEQ.to_owned(), number(seq)),
    ])
}

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
            item.insert(attr::LOG.to_owned(), string(log.as_str()));
            item.insert(attr::LOG_SEQ.to_owned(), number(*seq));
            item.insert(attr::BYTES.to_owned(), number(*bytes));
        }
    }
    item
}

pub(crate) fn slot_from_item(item: &Item) -> Result<Slot, StoreError> {
    let reserved_at_ms = item::get_number(item, attr::RESERVED_AT).ok_or_else(|| corrupt("timelines", "no time"))?;
    if item.contains_key(attr::SEAL) {
        return Ok(Slot::Seal {
            sealed_at_ms: reserved_at_ms,
        });
    }
    let key = get_bytes(item, attr::KEY).ok_or_else(|| corrupt("timelines", "an entry without a key"))?;
    let inline = get_bytes(item, attr::MESSAGE).map(|message| Content::Inline(message.to_vec()));
    let reference = || {
        let log = TimelineId::from_key(get_string(item, attr::LOG)?);
        let (seq, bytes) = (get_number(item, attr::LOG_SEQ)?, get_number(item, attr::BYTES)?);
        Some(Content::Reference { log, seq, bytes })
    };
    let content = inline
        .or_else(reference)
        .ok_or_else(|| corrupt("timelines", "an entry without content"))?;
    Ok(Slot::Entry(Entry {
        key: key.to_vec(),
        reserved_at_ms,
        content,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DeviceKey;

    #[test]
    fn an_entry_with_the_largest_inline_message_takes_one_write_unit() {
        let max = (1 << 53) - 1;
        let key = MessageKey {
            sender: max,
            device: DeviceKey::of(1, "d"),
            session: max,
            client_id: max,
        };
        let entry = Entry::new(&key, 1_800_000_000_000, Content::Inline(vec![0; INLINE_BYTES]));
        assert!(item::size(&entry_item(&TimelineId::inbox(max), max, &entry)) <= 1024);
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let key = MessageKey {
            sender: 1,
            device: DeviceKey::of(1, "d"),
            session: 2,
            client_id: 3,
        };
        let timeline = TimelineId::inbox(1);
        for content in [
            Content::Inline(vec![1, 2]),
            Content::Reference {
                log: TimelineId::peer(1, 2),
                seq: 9,
                bytes: 1000,
            },
        ] {
            let entry = Entry::new(&key, 5, content);
            assert_eq!(
                slot_from_item(&entry_item(&timeline, 7, &entry)).unwrap(),
                Slot::Entry(entry)
            );
        }
    }
}
