//! The head of an inbox as an item.

use crate::error::StoreError;
use crate::item::{Item, bytes, corrupt, get_bytes, get_number, get_string, number};
use crate::schema::timelines::{self as attr, device_attribute};
use aws_sdk_dynamodb::types::AttributeValue;
use wigwag_domain::DeviceKey;
use wigwag_domain::connection::Connection;
use wigwag_domain::head::{DeviceSlot, InboxHead};
use wigwag_domain::numbering::{Numbering, SendPlan};

/// Reads a head; an error if a part of it cannot be read.
pub(crate) fn from_item(item: &Item) -> Result<InboxHead, StoreError> {
    let (head, mut unreadable) = read(item);
    unreadable.pop().map_or(Ok(head), Err)
}

/// Reads as much of a head as can be read. A device that cannot be read is left out and logged: a
/// delivery needs the counter alone, and one device must not keep a message from the others.
pub(crate) fn readable(item: &Item) -> InboxHead {
    let (head, unreadable) = read(item);
    for error in unreadable {
        let timeline = get_string(item, attr::TIMELINE);
        tracing::error!(timeline, %error, "a device in a head cannot be read, and is not pushed to");
    }
    head
}

/// The readable part, and why not all.
fn read(item: &Item) -> (InboxHead, Vec<StoreError>) {
    let mut head = InboxHead {
        seq: get_number(item, attr::COUNTER).unwrap_or(0),
        session_floor: get_number(item, attr::SESSION_FLOOR).unwrap_or(0),
        ..InboxHead::default()
    };
    let parts = item.iter();
    let unreadable = parts.filter_map(|(name, value)| read_attribute(&mut head, item, name, value).err());
    let unreadable = unreadable.collect();
    (head, unreadable)
}

fn read_attribute(head: &mut InboxHead, item: &Item, name: &str, value: &AttributeValue) -> Result<(), StoreError> {
    let mut letters = name.chars();
    let Some(kind) = letters.next() else { return Ok(()) };
    let Some(key) = DeviceKey::from_key(letters.as_str()) else {
        return Ok(());
    };
    let devices = &mut head.devices;
    match kind {
        attr::CONNECTION => {
            let text = value
                .as_s()
                .map_err(|_| corrupt("timelines", "a connection is no string"))?;
            let (connection, room) = connection_from_text(text)?;
            let slot: &mut DeviceSlot = devices.entry(key).or_default();
            (slot.connection, slot.room) = (Some(connection), room);
        }
        attr::NUMBERING => {
            let own_seq = get_number(item, &device_attribute(attr::OWN_SEQ, &key)).unwrap_or(0);
            let map = value
                .as_m()
                .map_err(|_| corrupt("timelines", "a numbering is no map"))?;
            devices.entry(key).or_default().numbering = Some(numbering_from_map(map, own_seq)?);
        }
        attr::POSITION => devices.entry(key).or_default().position = get_number(item, name),
        _ => {}
    }
    Ok(())
}

/// Reads a connection and the room that it is in.
pub(crate) fn connection_from_text(text: &str) -> Result<(Connection, Option<wigwag_domain::RoomId>), StoreError> {
    Connection::from_text(text).ok_or_else(|| corrupt("timelines", "a connection lacks a part"))
}

/// A device's numbering as an attribute. Its own seq is an attribute of its own.
pub(crate) fn numbering_value(numbering: &Numbering) -> AttributeValue {
    AttributeValue::M(Item::from([
        (attr::SESSION.to_owned(), number(numbering.session)),
        (attr::CLIENT_ID.to_owned(), number(numbering.client_id)),
        (attr::PLAN.to_owned(), bytes(numbering.plan.to_bytes())),
    ]))
}

fn numbering_from_map(map: &Item, own_seq: u64) -> Result<Numbering, StoreError> {
    let read = || {
        Some(Numbering {
            session: get_number(map, attr::SESSION)?,
            client_id: get_number(map, attr::CLIENT_ID)?,
            plan: SendPlan::from_bytes(get_bytes(map, attr::PLAN)?)?,
            own_seq,
        })
    };
    read().ok_or_else(|| corrupt("timelines", "a numbering lacks a part"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{size, string};
    use crate::schema::timelines::key;
    use wigwag_domain::{Recipient, RoomId, TimelineId, UserId};
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
    fn a_head_with_every_slot_taken_costs_one_write_unit() {
        let plan = SendPlan {
            to: Recipient::Peer(UserId((1 << 53) - 1)),
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
        let mut item = key(&TimelineId::inbox(UserId((1 << 53) - 1)), 0);
        item.insert(attr::COUNTER.to_owned(), number(1_u64 << 33));
        item.insert(attr::SESSION_FLOOR.to_owned(), number(1_800_000_000_000_u64));
        item.insert(attr::RESERVED_AT.to_owned(), number(1_800_000_000_000_u64));
        let room = Some(RoomId((1 << 53) - 1));
        for device in 0..DEVICES_PER_USER {
            let key = DeviceKey::derive(1, &device.to_string());
            item.insert(
                device_attribute(attr::CONNECTION, &key),
                string(connection().to_text(room)),
            );
            item.insert(device_attribute(attr::NUMBERING, &key), numbering_value(&numbering));
            item.insert(device_attribute(attr::OWN_SEQ, &key), number(1_u64 << 33));
            item.insert(device_attribute(attr::POSITION, &key), number(1_u64 << 33));
        }
        assert!(size(&item) <= 1024, "{} bytes", size(&item));
        let head = from_item(&item).unwrap();
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
