//! The roll call: with no fault in the way, a message is pushed to every device that is connected.
//!
//! The SDK also asks by itself, so it is the raw devices that tell whether it was pushed.

use super::case::Case;
use super::{Found, Harm, Promise, Violation};
use crate::history::{DeviceIndex, Kind, Moment, Path, Token, What};
use std::collections::{BTreeMap, HashSet};
use wigwag_store::UserId;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    let records = &case.history.records;
    let Some(called) = records.iter().position(|record| record.what == What::RollCalled) else {
        return;
    };
    let connected = connected_through(case, called);
    let mut calls: Vec<(Token, UserId)> = Vec::new();
    let mut pushed: HashSet<(DeviceIndex, Token)> = HashSet::new();
    for record in &records[..called] {
        match (&record.what, record.device) {
            (What::RollCall { message, user }, _) => calls.push((*message, *user)),
            (What::Came { by: Path::Push, said }, Some(device)) => {
                pushed.extend(said.token.map(|token| (device, token)));
            }
            _ => {}
        }
    }
    for (message, user) in calls {
        let devices = connected.iter().filter(|device| case.device(**device).user == user);
        for &device in devices {
            if !pushed.contains(&(device, message)) {
                let name = &case.device(device).name;
                let text = format!("{message} was not pushed to {name}, which was connected all the while");
                let violation = Violation::new(Promise::Pushed, Harm::Lost, text);
                found.push(violation.with(Some(message)).on(device));
            }
        }
    }
}

/// The raw devices that connected when the faults had stopped and before all had settled, and stayed until the end of the roll call. A
/// connection from before that may be one that a fault has had the server forget, though it is open.
fn connected_through(case: &Case<'_>, called: Moment) -> Vec<DeviceIndex> {
    let mut since: BTreeMap<DeviceIndex, Moment> = BTreeMap::new();
    for (at, record) in case.history.records[..called].iter().enumerate() {
        let Some(device) = record.device else { continue };
        match record.what {
            What::Connected => drop(since.insert(device, at)),
            What::Disconnected { .. } | What::Crashed | What::Left | What::Installed | What::Started => {
                since.remove(&device);
            }
            _ => {}
        }
    }
    let is_raw = |device: &DeviceIndex| case.device(*device).kind == Kind::Raw;
    let calm = case.history.records.iter().position(|record| record.what == What::Calm);
    let span = calm.unwrap_or_default()..case.settled_at;
    let within = since.into_iter().filter(|(_, at)| span.contains(at));
    within.map(|(device, _)| device).filter(is_raw).collect()
}
