//! Reads the timelines table by Scan, item by item, with the names of the schema and none of the
//! store's own reading.
//!
//! A Scan is no snapshot: a row that is written while it runs may be missing. Every row that was
//! written before it began is there.

use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use prost::Message as _;
use std::collections::HashMap;
use wigwag_cluster::Cluster;
use wigwag_invariants::{Observed, Row, Tables, TimelineKey};
use wigwag_protocol::pb;
use wigwag_store::schema::timelines as attr;

/// The table's name in the template.
const TABLE: &str = "TimelinesTable";

/// An item, as the SDK gives it.
pub type Item = HashMap<String, AttributeValue>;

/// Reads the whole table. Faults do not apply: they are for the functions' calls only.
///
/// # Errors
/// The engine does not answer, or an item cannot be read.
pub async fn read(cluster: &Cluster) -> Result<Tables> {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "check"))
        .http_client(wigwag_https::client())
        .endpoint_url(&cluster.stack.aws_endpoint_url);
    let mut tables = cluster.stack.stack.tables.iter();
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
    from_items(&items)
}

/// The timelines that these items hold, which may be in any order.
///
/// # Errors
/// An item cannot be read.
pub fn from_items(items: &[Item]) -> Result<Tables> {
    let mut tables = Tables::default();
    let mut references = Vec::new();
    for item in items {
        let added = add(&mut tables, item, &mut references);
        added.with_context(|| format!("read the item {item:?}"))?;
    }
    resolve(&mut tables, references);
    Ok(tables)
}

/// An entry whose message is in a log.
struct Reference {
    key: TimelineKey,
    seq: u64,
    log: String,
    log_seq: u64,
}

/// Adds an item. A reference to a log waits until the whole log is there.
fn add(tables: &mut Tables, item: &Item, references: &mut Vec<Reference>) -> Result<()> {
    let Some(key) = TimelineKey::parse(text(item, attr::TIMELINE)?) else {
        // A delivery plan, which is stored next to its log.
        return Ok(());
    };
    let seq = number(item, attr::SEQ)?;
    let timeline = tables.entry(key);
    if seq == attr::HEAD {
        timeline.counter = number(item, attr::COUNTER).unwrap_or_default();
        timeline.super_after = number(item, attr::SUPER_AFTER).ok();
    } else if item.contains_key(attr::SEAL) {
        timeline.rows.insert(seq, Row::Seal);
    } else if let Some(AttributeValue::B(message)) = item.get(attr::MESSAGE) {
        let message = pb::Message::decode(message.as_ref()).context("decode the message")?;
        let observed = key.stored(Observed::from_message(&message), seq);
        timeline.rows.insert(seq, Row::Entry(observed));
    } else {
        references.push(Reference {
            key,
            seq,
            log: text(item, attr::LOG)?.to_owned(),
            log_seq: number(item, attr::LOG_SEQ)?,
        });
    }
    Ok(())
}

fn resolve(tables: &mut Tables, references: Vec<Reference>) {
    for Reference { key, seq, log, log_seq } in references {
        let timeline = TimelineKey::parse(&log).and_then(|log| tables.timelines.get(&log));
        let row = match timeline.and_then(|timeline| timeline.rows.get(&log_seq)) {
            Some(Row::Entry(observed)) => Row::Entry(key.stored(observed.clone(), seq)),
            _ => Row::Dangling { log, seq: log_seq },
        };
        tables.entry(key).rows.insert(seq, row);
    }
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
