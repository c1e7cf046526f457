//! Handmade histories and tables: what devices and a system without faults do, step by step.
//!
//! [`everything`] is a run in which everything occurs and nothing is wrong. Each test alters it in
//! one place.

mod alter;
mod devices;
mod scenario;
mod system;

pub(crate) use scenario::{everything, settled};

use std::collections::{BTreeMap, BTreeSet};
use wigwag_invariants::{
    Answer, Channel, Conversation, Device, DeviceIndex, DeviceKind, Event, History, Observed, Record, Row, Setting,
    Tables, Timeline, TimelineKey, Token, Turn,
};
use wigwag_invariants::{GroupId, Harm, Promise, Stage, UserId, Violation, judge};
use wigwag_protocol::pb::GroupChangeType;

/// A run so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) tables: Tables,
    members: BTreeMap<GroupId, BTreeSet<UserId>>,
    /// How far each SDK device is in its inbox and in the logs of super groups.
    inboxes: BTreeMap<DeviceIndex, u64>,
    logs: BTreeMap<(DeviceIndex, GroupId), u64>,
    numbers: BTreeMap<DeviceIndex, u64>,
}

/// A group, a super group, one that becomes a super group, and one that ends.
pub(crate) const GROUP: GroupId = 7;
pub(crate) const SUPER: GroupId = 8;
pub(crate) const BECOMING: GroupId = 10;
pub(crate) const ENDING: GroupId = 11;

/// A change of a role.
const ROLE: i32 = GroupChangeType::Role as i32;

/// What was a group is a super group.
const BECAME_SUPER: i32 = GroupChangeType::BecameSuper as i32;

/// A group whose creation was not answered.
const ORPHAN: GroupId = 9;

/// Codes of refusals.
pub(crate) const NOT_A_MEMBER: u32 = 1212;
pub(crate) const DISSOLVED: u32 = 1214;
pub(crate) const MEMBER_MUTED: u32 = 1215;
pub(crate) const GROUP_MUTED: u32 = 1216;

pub(crate) const GROUP_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(GROUP));
pub(crate) const SUPER_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(SUPER));
pub(crate) const BECOMING_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(BECOMING));
pub(crate) const ENDING_LOG: TimelineKey = TimelineKey::Log(Conversation::Group(ENDING));

pub(crate) fn inbox(user: UserId) -> TimelineKey {
    TimelineKey::Inbox(user)
}

pub(crate) fn pair(one: UserId, other: UserId) -> TimelineKey {
    TimelineKey::Log(Conversation::pair(one, other))
}

pub(crate) fn token(number: u64) -> Token {
    Token { number, bytes: 20 }
}

impl Run {
    pub(super) fn device(&mut self, user: UserId, name: &str, kind: DeviceKind) -> DeviceIndex {
        let name = name.to_owned();
        self.history.devices.push(Device { user, name, kind });
        let device = self.history.devices.len() - 1;
        self.on(device, Event::Installed);
        self.on(device, Event::Connected);
        device
    }

    pub(crate) fn on(&mut self, device: DeviceIndex, event: Event) {
        self.record(Some(device), event);
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.record(None, event);
    }

    pub(super) fn record(&mut self, device: Option<DeviceIndex>, event: Event) {
        let at_ms = 10 * self.history.records.len() as u64;
        self.history.records.push(Record { at_ms, device, event });
    }

    pub(super) fn user(&self, device: DeviceIndex) -> UserId {
        self.history.devices[device].user
    }

    /// The seq after which a group is a super group, if it is one.
    pub(super) fn super_after(&self, group: GroupId) -> Option<u64> {
        self.tables.log(Conversation::Group(group))?.super_after
    }

    /// Whether a message at this seq of a conversation is in the log alone.
    pub(super) fn is_super(&self, conversation: Conversation, seq: u64) -> bool {
        match conversation {
            Conversation::Group(group) => self.super_after(group).is_some_and(|after| seq > after),
            Conversation::Pair(..) => false,
        }
    }
}
