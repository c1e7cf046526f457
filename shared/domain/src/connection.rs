//! WebSocket connections of devices, and their text form.

use crate::ids::RoomId;

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

/// API Gateway ends every connection after two hours. An older one is left over from a lost
/// `$disconnect`.
pub const CONNECTION_MAX_AGE_S: i64 = 2 * 60 * 60 + 60;

impl Connection {
    /// Whether it can still be open.
    pub fn is_alive(&self, now_ms: i64) -> bool {
        (now_ms - self.connected_at_ms) / 1000 <= CONNECTION_MAX_AGE_S
    }

    /// The start of the text form, which no other connection has. It begins with the time in a
    /// fixed number of digits, so that texts sort by age.
    pub fn prefix(connected_at_ms: i64, id: &str) -> String {
        let time = base36(u64::try_from(connected_at_ms).unwrap_or(0));
        format!("{time:0>TIME_DIGITS$}{id} ")
    }

    /// The text form that the head stores: when it was opened, id, space, a letter for its platform
    /// (upper case: protobuf), and the room that it is in. Numbers are in base 36, because seven
    /// devices share a kilobyte.
    pub fn to_text(&self, room: Option<RoomId>) -> String {
        let letter = char::from(b'a' + self.platform.saturating_sub(1).min(25));
        let letter = if self.protobuf {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        let room = room.map(|room| base36(room.0)).unwrap_or_default();
        format!("{}{letter}{room}", Self::prefix(self.connected_at_ms, &self.id))
    }

    /// Reads the text form; `None` if a part is missing.
    pub fn from_text(text: &str) -> Option<(Self, Option<RoomId>)> {
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
            room => Some(RoomId(u64::from_str_radix(room, 36).ok()?)),
        };
        Some((connection, room))
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

#[cfg(test)]
mod tests {
    use super::*;

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
        for room in [None, Some(RoomId(1)), Some(RoomId((1 << 53) - 1))] {
            for platform in 1..=11 {
                for protobuf in [true, false] {
                    let connection = Connection {
                        platform,
                        protobuf,
                        ..connection()
                    };
                    let text = connection.to_text(room);
                    assert!(text.starts_with(&Connection::prefix(1_800_000_000_000, "TXzPWdnOjoECGjA=")));
                    assert_eq!(Connection::from_text(&text), Some((connection, room)));
                }
            }
        }
    }

    #[test]
    fn connections_sort_by_age_first() {
        let mut older = connection();
        for room in [None, Some(RoomId(77))] {
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
}
