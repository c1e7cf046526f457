//! The head of a timeline. An inbox's head holds the user's devices beside the counter, so that the answer to a
//! reservation brings the connections along, and `DynamoDB` orders connecting against delivering: a delivery either sees the
//! new connection and pushes to it, or came before it and is visible in `seq` when the device syncs.

use crate::error::StoreError;
use crate::ids::{DeviceKey, RoomId};
use crate::item::{Item, corrupt, get_flag, get_number, get_string};
use crate::numbering::Numbering;
use crate::schema::timelines as attr;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::BTreeMap;

/// What a head holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The highest reserved seq.
    pub seq: u64,
    /// When that was reserved, in ms; 0 where nothing was yet.
    pub reserved_at_ms: i64,
    /// The user's devices. Empty in the head of a log.
    pub devices: BTreeMap<DeviceKey, Device>,
    /// The latest session of a device that had to make place: without its record, an older session cannot be told from a
    /// new one, so sessions up to this are refused.
    pub session_floor: u64,
    /// What a group's log says of the group; `None` in every other head.
    pub group: Option<GroupSettings>,
}

/// What the head of a group's log holds beside the counter, so that the reservation of a message brings it along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// Version of the change that made them so.
    pub version: u64,
    /// How many shards the members are in; at least 1.
    pub shards: u32,
    /// Messages beyond this seq are those of a super group: no inbox holds them.
    pub super_after: Option<u64>,
    /// Messages beyond this seq are refused: the group was dissolved.
    pub dissolved_after: Option<u64>,
    /// Only the owner and admins may send.
    pub muted: bool,
    /// Members may read what was sent before they joined.
    pub open_history: bool,
}

impl GroupSettings {
    /// Whether the message with this conversation seq is one of a super group.
    pub fn is_super(&self, conversation_seq: u64) -> bool {
        self.super_after.is_some_and(|after| conversation_seq > after)
    }

    fn from_item(item: &Item) -> Option<Self> {
        Some(Self {
            version: get_number(item, attr::SETTINGS)?,
            shards: get_number(item, attr::SHARDS).unwrap_or(1),
            super_after: get_number(item, attr::SUPER_AFTER),
            dissolved_after: get_number(item, attr::DISSOLVED_AFTER),
            muted: get_flag(item, attr::MUTED),
            open_history: get_flag(item, attr::OPEN_HISTORY),
        })
    }
}

/// What a head holds of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// Where it can be pushed to.
    pub connection: Option<Connection>,
    /// The room that this connection is in.
    pub room: Option<RoomId>,
    /// The numbering of its messages.
    pub numbering: Option<Numbering>,
    /// The seq up to which it said it has everything.
    pub position: Option<u64>,
}

/// A WebSocket connection of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// API Gateway's connection id.
    pub id: String,
    /// Kind of device, 1 to 11.
    pub platform: u8,
    /// Whether frames to it are base64 protobuf; JSON if not.
    pub protobuf: bool,
    /// When it was opened, in ms, as API Gateway says in every event of it.
    pub connected_at_ms: i64,
}

/// No connection of API Gateway lives longer than two hours; older ones are left-overs of a lost `$disconnect`.
pub const CONNECTION_MAX_AGE_S: i64 = 2 * 60 * 60 + 60;

impl Connection {
    /// Whether it can still be open.
    pub fn is_alive(&self, now_ms: i64) -> bool {
        (now_ms - self.connected_at_ms) / 1000 <= CONNECTION_MAX_AGE_S
    }

    /// The start of its text form, which no other connection has. It begins with the time in a fixed number of digits, so that
    /// texts sort by age.
    pub(crate) fn prefix(connected_at_ms: i64, id: &str) -> String {
        let time = base36(u64::try_from(connected_at_ms).unwrap_or(0));
        format!("{time:0>TIME_DIGITS$}{id} ")
    }

    /// How it stands in the head, with the room that it is in: when it was opened, id, space, a letter for its platform (upper
    /// case: protobuf), room. Numbers have base 36, because seven devices share a kilobyte.
    pub(crate) fn to_text(&self, room: Option<RoomId>) -> String {
        let letter = char::from(b'a' + self.platform.saturating_sub(1).min(25));
        let letter = if self.protobuf {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        let room = room.map(base36).unwrap_or_default();
        format!("{}{letter}{room}", Self::prefix(self.connected_at_ms, &self.id))
    }

    /// Reads it.
    pub(crate) fn from_text(text: &str) -> Result<(Self, Option<RoomId>), StoreError> {
        let read = || {
            let (time, rest) = text.split_at_checked(TIME_DIGITS)?;
            let (id, rest) = rest.split_once(' ')?;
            let (letter, room) = rest.split_at_checked(1)?;
            let letter = letter.bytes().next().filter(u8::is_ascii_alphabetic)?;
            let connection = Self {
                id: id.to_owned(),
                platform: letter.to_ascii_lowercase() - b'a' + 1,
                protobuf: letter.is_ascii_uppercase(),
                connected_at_ms: i64::from_str_radix(time, 36).ok()?,
            };
            let room = match room {
                "" => None,
                room => Some(RoomId::from_str_radix(room, 36).ok()?),
            };
            Some((connection, room))
        };
        read().ok_or_else(|| corrupt("timelines", "a connection lacks a part"))
    }
}

/// Digits of a time in base 36: enough for ms until the year 5188.
const TIME_DIGITS: usize = 9;

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::try_from(number % 36).unwrap_or(0)]);
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().map(char::from).collect();
        }
    }
}

impl Head {
    pub(crate) fn from_item(item: &Item) -> Result<Self, StoreError> {
        let (head, mut unreadable) = Self::read(item);
        unreadable.pop().map_or(Ok(head), Err)
    }

    /// As much of it as can be read. A part of a device that cannot be counts as none, and is said in the log: for whoever
    /// delivers to an inbox its counter is enough, and one device must not keep a message from the others.
    pub(crate) fn readable(item: &Item) -> Self {
        let (head, unreadable) = Self::read(item);
        for error in unreadable {
            let timeline = get_string(item, attr::TIMELINE);
            tracing::error!(timeline, %error, "a device in a head cannot be read, and is not pushed to");
        }
        head
    }

    /// What can be read of it, and why not all.
    fn read(item: &Item) -> (Self, Vec<StoreError>) {
        let mut head = Self {
            seq: get_number(item, attr::COUNTER).unwrap_or(0),
            reserved_at_ms: get_number(item, attr::RESERVED_AT).unwrap_or(0),
            devices: BTreeMap::new(),
            session_floor: get_number(item, attr::SESSION_FLOOR).unwrap_or(0),
            group: GroupSettings::from_item(item),
        };
        let parts = item.iter();
        let unreadable = parts.filter_map(|(name, value)| head.read_device(item, name, value).err());
        let unreadable = unreadable.collect();
        (head, unreadable)
    }

    fn read_device(&mut self, item: &Item, name: &str, value: &AttributeValue) -> Result<(), StoreError> {
        let mut letters = name.chars();
        let Some(kind) = letters.next() else { return Ok(()) };
        let Some(key) = DeviceKey::from_key(letters.as_str()) else {
            return Ok(());
        };
        match kind {
            attr::CONNECTION => {
                let text = value
                    .as_s()
                    .map_err(|_| corrupt("timelines", "a connection is no string"))?;
                let (connection, room) = Connection::from_text(text)?;
                let device = self.device(key);
                (device.connection, device.room) = (Some(connection), room);
            }
            attr::NUMBERING => {
                let own_seq = get_number(item, &attribute(attr::OWN_SEQ, &key)).unwrap_or(0);
                let map = value
                    .as_m()
                    .map_err(|_| corrupt("timelines", "a numbering is no map"))?;
                self.device(key).numbering = Some(Numbering::from_map(map, own_seq)?);
            }
            attr::POSITION => self.device(key).position = get_number(item, name),
            _ => {}
        }
        Ok(())
    }

    fn device(&mut self, key: DeviceKey) -> &mut Device {
        self.devices.entry(key).or_default()
    }

    /// The connections that can still be open, each with its device.
    pub fn connections(&self, now_ms: i64) -> impl Iterator<Item = (&DeviceKey, &Connection)> {
        self.devices.iter().filter_map(move |(key, device)| {
            device
                .connection
                .as_ref()
                .filter(|connection| connection.is_alive(now_ms))
                .map(|connection| (key, connection))
        })
    }
}

/// Name of a device's attribute in a head.
pub(crate) fn attribute(kind: char, device: &DeviceKey) -> String {
    format!("{kind}{device}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Recipient, TimelineId};
    use crate::item::{number, size, string};
    use crate::numbering::Plan;
    use crate::timeline;
    use wigwag_protocol::limits::DEVICES_PER_USER;

    fn connection() -> Connection {
        Connection {
            id: "TXzPWdnOjoECGjA=".to_owned(),
            platform: 11,
            protobuf: true,
            connected_at_ms: 1_800_000_000_000,
        }
    }

    #[test]
    fn a_connection_is_read_as_it_was_written() {
        for room in [None, Some(1), Some((1 << 53) - 1)] {
            for platform in 1..=11 {
                for protobuf in [true, false] {
                    let connection = Connection {
                        platform,
                        protobuf,
                        ..connection()
                    };
                    let text = connection.to_text(room);
                    assert!(text.starts_with(&Connection::prefix(1_800_000_000_000, "TXzPWdnOjoECGjA=")));
                    assert_eq!(Connection::from_text(&text).unwrap(), (connection, room));
                }
            }
        }
    }

    #[test]
    fn connections_sort_by_age_whatever_else_they_say() {
        let mut older = connection();
        for room in [None, Some(77)] {
            for (earlier, later) in [(0, 1), (35, 36), (1_799_999_999_999, 1_800_000_000_000)] {
                let mut newer = older.clone();
                (older.connected_at_ms, newer.connected_at_ms) = (earlier, later);
                newer.id = "A=".to_owned();
                assert!(older.to_text(room) < newer.to_text(None));
            }
        }
    }

    #[test]
    fn a_connection_older_than_two_hours_is_not_pushed_to() {
        let opened_ms = 1_800_000_000 * 1000;
        assert!(connection().is_alive(opened_ms + 2 * 3_600_000));
        assert!(!connection().is_alive(opened_ms + 2 * 3_600_000 + 62_000));
    }

    #[test]
    fn a_head_with_every_place_taken_costs_one_write_unit() {
        let plan = Plan {
            to: Recipient::Peer((1 << 53) - 1),
            log_seq: 1 << 33,
            receiver_seq: 1 << 33,
            sent_at_ms: 1_800_000_000_000,
            digest: [9; 4],
        };
        let numbering = Numbering {
            session: 1_800_000_000_000,
            client_id: 1 << 33,
            plan,
            own_seq: 1 << 33,
        };
        let mut item = timeline::key(&TimelineId::inbox((1 << 53) - 1), 0);
        item.insert(attr::COUNTER.to_owned(), number(1_u64 << 33));
        item.insert(attr::SESSION_FLOOR.to_owned(), number(1_800_000_000_000_u64));
        item.insert(attr::RESERVED_AT.to_owned(), number(1_800_000_000_000_u64));
        let room = Some((1 << 53) - 1);
        for device in 0..DEVICES_PER_USER {
            let key = DeviceKey::of(1, &device.to_string());
            item.insert(attribute(attr::CONNECTION, &key), string(connection().to_text(room)));
            item.insert(attribute(attr::NUMBERING, &key), numbering.to_value());
            item.insert(attribute(attr::OWN_SEQ, &key), number(1_u64 << 33));
            item.insert(attribute(attr::POSITION, &key), number(1_u64 << 33));
        }
        assert!(size(&item) <= 1024, "{} bytes", size(&item));
        let head = Head::from_item(&item).unwrap();
        assert_eq!(head.devices.len(), DEVICES_PER_USER);
        assert!(
            head.devices
                .values()
                .all(|device| device.numbering == Some(numbering.clone())
                    && device.connection == Some(connection())
                    && device.room == room)
        );
    }
}
