//! What stands in the timelines table: read by Scan, item by item, with the names of the schema and none of the store's reading.
//!
//! A Scan is no snapshot: what is written while it runs may be in it or not. What stood before it began is.

use crate::history::{Conversation, Said};
use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use prost::Message as _;
use std::collections::{BTreeMap, HashMap};
use wigwag_cluster::World;
use wigwag_protocol::pb;
use wigwag_store::UserId;
use wigwag_store::schema::timelines as attr;

/// The table's name in the template.
const TABLE: &str = "TimelinesTable";

/// The timelines, by their key: `u1` an inbox, `p1-2` and `g7` logs.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// By key.
    pub timelines: BTreeMap<String, Timeline>,
}

/// A head and what stands under it.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The highest seq that was reserved.
    pub counter: u64,
    /// Of the log of a group that is a super group: from behind which seq on.
    pub super_after: Option<u64>,
    /// By seq.
    pub slots: BTreeMap<u64, Slot>,
}

/// What stands at a seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A message; where it is kept in a log only, the message that stands there. `seq` is this one's in an inbox.
    Entry(Said),
    /// An entry that names a place in a log where no message stands.
    Dangling {
        /// The log.
        log: String,
        /// The seq there.
        seq: u64,
    },
    /// Nothing, for ever.
    Seal,
}

/// Which timeline a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The inbox of a user.
    Inbox(UserId),
    /// The log of a conversation.
    Log(Conversation),
}

/// An item, as the SDK gives it.
pub type Item = HashMap<String, AttributeValue>;

impl Tables {
    /// Reads all there is, past the faults: those are for calls of functions alone.
    ///
    /// # Errors
    /// The engine does not answer, or an item is not one of ours.
    pub async fn read(world: &World) -> Result<Self> {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "check"))
            .http_client(wigwag_https::client())
            .endpoint_url(&world.stack.aws_endpoint_url);
        let mut tables = world.stack.stack.tables.iter();
        let table = tables.find(|table| table.logical_id == TABLE);
        let mut pages = Client::from_conf(config.build())
            .scan()
            .table_name(&table.context("find the timelines table")?.name)
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            items.extend(page.context("scan the timelines")?.items.unwrap_or_default());
        }
        Self::of(&items)
    }

    /// From the items of the table, in any order.
    ///
    /// # Errors
    /// One of them is not one of ours.
    pub fn of(items: &[Item]) -> Result<Self> {
        let mut tables = Self::default();
        let mut references = Vec::new();
        for item in items {
            let added = tables.add(item, &mut references);
            added.with_context(|| format!("read the item {item:?}"))?;
        }
        tables.resolve(references);
        Ok(tables)
    }

    /// How many seqs were given up.
    pub fn seals(&self) -> usize {
        self.slots().filter(|slot| **slot == Slot::Seal).count()
    }

    /// How many entries stand.
    pub fn entries(&self) -> usize {
        self.slots().filter(|slot| **slot != Slot::Seal).count()
    }

    /// A user's inbox.
    pub fn inbox(&self, user: UserId) -> Option<&Timeline> {
        self.timelines.get(&Place::Inbox(user).key())
    }

    /// A conversation's log.
    pub fn log(&self, conversation: Conversation) -> Option<&Timeline> {
        self.timelines.get(&Place::Log(conversation).key())
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.timelines.values().flat_map(|timeline| timeline.slots.values())
    }

    /// Takes an item in. Where it refers to a log it is put off until all of that is there.
    fn add(&mut self, item: &Item, references: &mut Vec<Reference>) -> Result<()> {
        let key = text(item, attr::TIMELINE)?;
        let Some(place) = Place::of(key) else {
            // The plans of the fan-out stand beside the logs.
            return Ok(());
        };
        let seq = number(item, attr::SEQ)?;
        let timeline = self.timelines.entry(key.to_owned()).or_default();
        if seq == attr::HEAD {
            timeline.counter = number(item, attr::COUNTER).unwrap_or_default();
            timeline.super_after = number(item, attr::SUPER_AFTER).ok();
        } else if item.contains_key(attr::SEAL) {
            timeline.slots.insert(seq, Slot::Seal);
        } else if let Some(AttributeValue::B(message)) = item.get(attr::MESSAGE) {
            let message = pb::Message::decode(message.as_ref()).context("decode the message")?;
            timeline
                .slots
                .insert(seq, Slot::Entry(standing(Said::of(&message), place, seq)));
        } else {
            references.push(Reference {
                key: key.to_owned(),
                place,
                seq,
                log: text(item, attr::LOG)?.to_owned(),
                log_seq: number(item, attr::LOG_SEQ)?,
            });
        }
        Ok(())
    }

    fn resolve(&mut self, references: Vec<Reference>) {
        for reference in references {
            let there = self.timelines.get(&reference.log);
            let slot = match there.and_then(|log| log.slots.get(&reference.log_seq)) {
                Some(Slot::Entry(said)) => Slot::Entry(standing(said.clone(), reference.place, reference.seq)),
                _ => Slot::Dangling {
                    log: reference.log,
                    seq: reference.log_seq,
                },
            };
            let timeline = self.timelines.entry(reference.key).or_default();
            timeline.slots.insert(reference.seq, slot);
        }
    }
}

impl Timeline {
    /// The messages that stand in it, by seq.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Said)> {
        self.slots.iter().filter_map(|(seq, slot)| match slot {
            Slot::Entry(said) => Some((*seq, said)),
            Slot::Dangling { .. } | Slot::Seal => None,
        })
    }
}

/// An entry whose message stands in a log.
struct Reference {
    key: String,
    place: Place,
    seq: u64,
    log: String,
    log_seq: u64,
}

impl Place {
    /// Which one a key names; `None` of what is no timeline.
    pub fn of(key: &str) -> Option<Self> {
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

    /// Its key.
    pub fn key(self) -> String {
        match self {
            Self::Inbox(user) => format!("u{user}"),
            Self::Log(Conversation::Pair(one, other)) => format!("p{one}-{other}"),
            Self::Log(Conversation::Group(group)) => format!("g{group}"),
        }
    }
}

/// A message as it stands at a seq.
fn standing(said: Said, place: Place, seq: u64) -> Said {
    let seq = match place {
        Place::Inbox(_) => seq,
        Place::Log(_) => 0,
    };
    Said { seq, ..said }
}

fn text<'a>(item: &'a Item, name: &str) -> Result<&'a str> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    Ok(value.with_context(|| format!("find the text {name}"))?)
}

fn number(item: &Item, name: &str) -> Result<u64> {
    let value = item.get(name).and_then(|value| value.as_n().ok());
    let value = value.with_context(|| format!("find the number {name}"))?;
    value.parse().with_context(|| format!("read the number {name}"))
}
