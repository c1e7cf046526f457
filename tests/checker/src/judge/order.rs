//! What a device sent one after the other stands in that order.
//!
//! A device sends the next message when the last one is answered, so only those that were acknowledged are in question: one that
//! was given up may come to stand at any time.

use super::case::Case;
use super::{Found, Harm, Promise, Violation};
use crate::history::{Conversation, DeviceIndex, Token};
use crate::tables::Place;
use std::collections::HashMap;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    let mut last: HashMap<(DeviceIndex, Conversation), (Token, u64)> = HashMap::new();
    for message in case.messages.iter().filter(|message| message.acknowledged().is_some()) {
        let log = Place::Log(message.to);
        let Some(seq) = case.seqs(message.token, log).next() else {
            continue;
        };
        let before = last.insert((message.device, message.to), (message.token, seq));
        if let Some((earlier, at)) = before.filter(|(_, at)| *at > seq) {
            let device = &case.device(message.device).name;
            let text = format!(
                "{device} sent {earlier} before {}, and they stand at {at} and {seq} of {}",
                message.token,
                log.key()
            );
            let violation = Violation::new(Promise::G4, Harm::Reordered, text).with(Some(earlier));
            found.push(violation.with(Some(message.token)).on(message.device));
        }
    }
}
