//! G4: the messages of one device are in the log in the order in which it sent them.
//!
//! A device sends the next message when the last one is answered. So only acknowledged messages
//! count: one that was given up may be stored at any later time.

use crate::case::Case;
use crate::history::DeviceIndex;
use crate::message::{Conversation, Token};
use crate::tables::TimelineKey;
use crate::violation::{Harm, Promise, Violation};
use std::collections::HashMap;

/// Checks the acknowledged messages of all devices.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    let mut last: HashMap<(DeviceIndex, Conversation), (Token, u64)> = HashMap::new();
    for message in case.messages.iter().filter(|message| message.acknowledged().is_some()) {
        let log = TimelineKey::Log(message.to);
        let Some(seq) = case.seqs(message.token, log).next() else {
            continue;
        };
        let before = last.insert((message.device, message.to), (message.token, seq));
        if let Some((earlier, at)) = before.filter(|(_, at)| *at > seq) {
            let device = &case.device(message.device).name;
            let text = format!(
                "{device} sent {earlier} before {}, but they are at {at} and {seq} of {log}",
                message.token
            );
            let violation = Violation::new(Promise::G4, Harm::Reordered, text).with(Some(earlier));
            found.push(violation.with(Some(message.token)).on(message.device));
        }
    }
}
