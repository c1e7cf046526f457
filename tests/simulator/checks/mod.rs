//! What must hold at the end of a schedule.
//!
//! The promises G1 to G7 are stated in `wigwag-invariants`. This module fills its [`Tables`] from
//! the engine, and adds what only a schedule knows: whole answers, and the membership that a
//! group's log tells.

pub(crate) mod group;
pub(crate) mod membership;

use crate::actors::reader::Reader;
use crate::actors::sender::Target;
use crate::engine::Engine;
use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use prost::Message as _;
use serde_json::Value;
use wigwag_domain::UserId;
use wigwag_invariants::rules::density::{dense, each_once};
use wigwag_invariants::stream::check_reader;
use wigwag_invariants::{Observed, Row, Stage, Tables, TimelineKey, Violation, judge};
use wigwag_protocol::pb::Message;
use wigwag_store::schema::timelines as attr;

/// The broken promises of a finished history.
pub(crate) fn judged(world: &World, tables: &Tables) -> Vec<String> {
    let violations = judge(&world.history, tables, Stage::Settled);
    violations.iter().map(ToString::to_string).collect()
}

/// The same for everyone but one user, whose inbox is not looked at.
pub(crate) fn judged_without(world: &World, tables: &Tables, user: UserId) -> Vec<String> {
    let mut tables = tables.clone();
    tables.timelines.remove(&TimelineKey::Inbox(user.0));
    let devices = &world.history.devices;
    let is_theirs = |violation: &Violation| {
        violation.user == Some(user.0) || violation.device.is_some_and(|device| devices[device].user == user.0)
    };
    let mut violations = judge(&world.history, &tables, Stage::Settled);
    violations.retain(|violation| !is_theirs(violation));
    violations.iter().map(ToString::to_string).collect()
}

/// G2 and G3 for each timeline by itself.
pub(crate) fn timeline_violations(tables: &Tables) -> Vec<String> {
    let mut found = Vec::new();
    for (&key, timeline) in &tables.timelines {
        each_once(key, timeline, &mut found);
        dense(key, timeline, &mut found);
    }
    found.iter().map(ToString::to_string).collect()
}

/// G2, G3, G4 and G7 for what a reader's cursor has passed, which must be the whole timeline.
pub(crate) fn reader_violations(reader: &Reader, tables: &Tables) -> Vec<String> {
    let key = reader.timeline;
    let Some(timeline) = tables.timelines.get(&key) else {
        let is_empty = reader.passed.is_empty();
        return (!is_empty).then(|| format!("G7 {key} is gone")).into_iter().collect();
    };
    let passed = reader.passed.iter();
    let passed: Vec<(u64, Observed)> = passed
        .map(|(seq, message)| (*seq, Observed::from_message(message)))
        .collect();
    let found = check_reader("a reader", key, timeline, &passed, reader.cursor);
    let mut errors: Vec<String> = found.iter().map(ToString::to_string).collect();
    if reader.cursor != timeline.counter {
        errors.push(format!(
            "liveness: the cursor of {key} is {} of {}",
            reader.cursor, timeline.counter
        ));
    }
    errors
}

/// G5 for whole answers: each repeat gets the same answer, and it is what the log and the
/// receiver's inbox hold.
pub(crate) fn answer_violations(world: &World, tables: &Tables) -> Vec<String> {
    let mut errors = Vec::new();
    for sender in &world.senders {
        for client_id in sender.numbers() {
            // A message that was never answered is for the judge.
            let Some(answers) = sender.answers.get(&client_id) else {
                continue;
            };
            let (token, answer) = (sender.token(client_id), &answers[0]);
            if answers.iter().any(|other| other != answer) {
                errors.push(format!("G5 {token} has the answers {answers:?}"));
            }
            let observed = Observed::from_message(&answer.message);
            let log = TimelineKey::Log(observed.conversation);
            let mut expected = vec![(log, observed.conversation_seq)];
            if let Target::User(receiver) = sender.target {
                expected.push((TimelineKey::Inbox(receiver.0), answer.receiver_seq));
            }
            for (key, seq) in expected {
                let stored = tables.timelines.get(&key).and_then(|timeline| timeline.rows.get(&seq));
                if stored != Some(&Row::Entry(key.stored(observed.clone(), seq))) {
                    errors.push(format!(
                        "G5 {token} was answered {answer:?}, but {seq} of {key} holds {stored:?}"
                    ));
                }
            }
        }
    }
    errors
}

/// The timelines, read from the table item by item, without the store's own reading.
pub(crate) fn tables(engine: &Engine) -> Tables {
    let mut tables = Tables::default();
    let mut references = Vec::new();
    for item in engine.items("timelines") {
        // The delivery plans of groups are stored next to the logs.
        let Some(key) = TimelineKey::parse(item[attr::TIMELINE]["S"].as_str().unwrap()) else {
            continue;
        };
        let timeline = tables.entry(key);
        let seq = number(&item[attr::SEQ]);
        if seq == attr::HEAD {
            timeline.counter = number(&item[attr::COUNTER]);
            timeline.super_after = item.get(attr::SUPER_AFTER).map(number);
        } else if let Some(bytes) = item.get(attr::MESSAGE) {
            let bytes = BASE64.decode(bytes["B"].as_str().unwrap()).unwrap();
            let observed = Observed::from_message(&Message::decode(bytes.as_slice()).unwrap());
            timeline.rows.insert(seq, Row::Entry(key.stored(observed, seq)));
        } else if let Some(log) = item.get(attr::LOG) {
            let log = log["S"].as_str().unwrap().to_owned();
            references.push((key, seq, log, number(&item[attr::LOG_SEQ])));
        } else {
            assert_eq!(item[attr::SEAL]["BOOL"], true, "{item}");
            timeline.rows.insert(seq, Row::Seal);
        }
    }
    for (key, seq, log, log_seq) in references {
        let there = TimelineKey::parse(&log).and_then(|log| tables.timelines.get(&log)?.rows.get(&log_seq));
        let row = match there {
            Some(Row::Entry(observed)) => Row::Entry(key.stored(observed.clone(), seq)),
            _ => Row::Dangling { log, seq: log_seq },
        };
        tables.entry(key).rows.insert(seq, row);
    }
    tables
}

fn number(value: &Value) -> u64 {
    value["N"].as_str().unwrap_or("0").parse().unwrap()
}
