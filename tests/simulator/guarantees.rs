//! The guarantees G1-G5 of the design, held against what every reader's cursor has passed, every answer, and the table.

use crate::harness::Engine;
use crate::processes::{Device, Reader, Timeline};
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use wigwag_protocol::pb::Message;

/// Whose message, and which one.
type Identity = (u64, u64);

/// A timeline as the table has it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    counter: u64,
    /// By seq: whether an entry stands there, or a seal.
    is_entry: BTreeMap<u64, bool>,
}

/// What is broken; nothing where all holds.
pub(crate) fn violations(world: &World, engine: &Engine) -> Vec<String> {
    let mut errors = world.errors.clone();
    let timelines = rows(engine);
    let log: Vec<(u64, Message)> = world
        .readers
        .iter()
        .filter(|reader| reader.timeline == Timeline::Log)
        .flat_map(|reader| reader.passed.clone())
        .collect();
    for reader in &world.readers {
        let rows = timelines.get(&reader.timeline.key());
        errors.extend(rows.into_iter().flat_map(|rows| density(reader, rows)));
        errors.extend(order(reader));
    }
    for device in &world.devices {
        for client_id in 1..=device.messages {
            errors.extend(message(world, &log, device, client_id));
        }
    }
    errors
}

pub(crate) fn rows(engine: &Engine) -> BTreeMap<String, Rows> {
    let number = |value: &Value| value["N"].as_str().unwrap_or("0").parse::<u64>().unwrap();
    let mut timelines: BTreeMap<String, Rows> = BTreeMap::new();
    for item in engine.items("timelines") {
        let rows = timelines
            .entry(item["t"]["S"].as_str().unwrap().to_owned())
            .or_default();
        match number(&item["n"]) {
            0 => rows.counter = number(&item["c"]),
            seq => {
                rows.is_entry.insert(seq, item.get("k").is_some());
            }
        }
    }
    timelines
}

/// G3: each seq up to the counter is an entry or a seal, and the cursor has passed each entry.
pub(crate) fn density(reader: &Reader, rows: &Rows) -> Vec<String> {
    let mut errors = Vec::new();
    let key = reader.timeline.key();
    if !rows.is_entry.keys().copied().eq(1..=rows.counter) {
        errors.push(format!("G3 {key}: {} seqs, but {:?}", rows.counter, rows.is_entry));
    }
    let passed: Vec<u64> = reader.passed.iter().map(|(seq, _)| *seq).collect();
    let stands = || {
        rows.is_entry
            .iter()
            .filter(|(_, is_entry)| **is_entry)
            .map(|(seq, _)| *seq)
    };
    if !passed.iter().copied().eq(stands()) {
        let stands: Vec<u64> = stands().collect();
        errors.push(format!(
            "G3 {key}: the cursor passed {passed:?}, entries stand at {stands:?}"
        ));
    }
    errors
}

/// G4: one device's messages stand in the order it sent them.
pub(crate) fn order(reader: &Reader) -> Option<String> {
    let mut by_device: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (_, message) in &reader.passed {
        by_device.entry(message.session).or_default().push(message.client_id);
    }
    by_device
        .values()
        .any(|order| !order.is_sorted())
        .then(|| format!("G4 {}: in the order {by_device:?}", reader.timeline.key()))
}

/// G1, G2, G5: a message has one answer, and stands once where that says.
fn message(world: &World, log: &[(u64, Message)], device: &Device, client_id: u64) -> Vec<String> {
    let identity = (device.session, client_id);
    let Some(answers) = device.answers.get(&client_id) else {
        return vec![format!("liveness: message {identity:?} is never acknowledged")];
    };
    let mut errors = Vec::new();
    let (own_seq, receiver_seq, answer) = &answers[0];
    if answers.iter().any(|answer| *answer != answers[0]) {
        errors.push(format!("G5 message {identity:?} is answered {answers:?}"));
    }
    let logged = of(log, identity);
    match logged.as_slice() {
        [(_, message)] if message == answer => {}
        _ => errors.push(format!(
            "G1, G2 message {identity:?} stands {logged:?} in the log, its answer says {answer:?}"
        )),
    }
    for reader in &world.readers {
        let said = match reader.timeline {
            Timeline::Log | Timeline::GroupLog(_) => continue,
            Timeline::Inbox(user) if user == device.user => *own_seq,
            Timeline::Inbox(_) => *receiver_seq,
        };
        let expected = Message {
            seq: said,
            ..answer.clone()
        };
        let seen = of(&reader.passed, identity);
        if seen != [(said, expected)] {
            let key = reader.timeline.key();
            errors.push(format!(
                "G1, G2 message {identity:?} is seen {seen:?} in {key}, its answer says {said}, {answer:?}"
            ));
        }
    }
    errors
}

fn of(messages: &[(u64, Message)], identity: Identity) -> Vec<(u64, Message)> {
    messages
        .iter()
        .filter(|(_, message)| (message.session, message.client_id) == identity)
        .cloned()
        .collect()
}
