//! Pushed: without faults, a message is pushed to every device that is connected.
//!
//! The SDK also asks by itself, so only the raw devices show whether a message was pushed.

use crate::UserId;
use crate::case::Case;
use crate::history::{Channel, DeviceIndex, DeviceKind, Event, Moment};
use crate::message::Token;
use crate::violation::{Harm, Promise, Violation};
use std::collections::{BTreeMap, HashSet};

/// Checks the roll call, if there was one.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    let records = &case.history.records;
    let Some(called) = records.iter().position(|record| record.event == Event::RollCalled) else {
        return;
    };
    let connected = connected_through(case, called);
    let mut calls: Vec<(Token, UserId)> = Vec::new();
    let mut pushed: HashSet<(DeviceIndex, Token)> = HashSet::new();
    for record in &records[..called] {
        match (&record.event, record.device) {
            (Event::RollCall { message, user }, _) => calls.push((*message, *user)),
            (
                Event::Came {
                    by: Channel::Push,
                    observed,
                },
                Some(device),
            ) => {
                pushed.extend(observed.token.map(|token| (device, token)));
            }
            _ => {}
        }
    }
    for (message, user) in calls {
        let devices = connected.iter().filter(|device| case.device(**device).user == user);
        for &device in devices {
            if !pushed.contains(&(device, message)) {
                let name = &case.device(device).name;
                let text = format!("{message} was not pushed to {name}, which was connected all the time");
                let violation = Violation::new(Promise::Pushed, Harm::Lost, text);
                found.push(violation.with(Some(message)).on(device));
            }
        }
    }
}

/// The raw devices that connected after the faults had stopped and before all had settled, and
/// stayed until the end of the roll call. The server may have forgotten an older connection because
/// of a fault, although it is open.
fn connected_through(case: &Case<'_>, called: Moment) -> Vec<DeviceIndex> {
    let mut since: BTreeMap<DeviceIndex, Moment> = BTreeMap::new();
    for (at, record) in case.history.records[..called].iter().enumerate() {
        let Some(device) = record.device else { continue };
        match record.event {
            Event::Connected => drop(since.insert(device, at)),
            Event::Disconnected { .. } | Event::Crashed | Event::Left | Event::Installed | Event::Started => {
                since.remove(&device);
            }
            _ => {}
        }
    }
    let is_raw = |device: &DeviceIndex| case.device(*device).kind == DeviceKind::Raw;
    let calm = case
        .history
        .records
        .iter()
        .position(|record| record.event == Event::Calm);
    let span = calm.unwrap_or_default()..case.settled_at;
    let within = since.into_iter().filter(|(_, at)| span.contains(at));
    within.map(|(device, _)| device).filter(is_raw).collect()
}
