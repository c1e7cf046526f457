//! Keys, and the attributes that expressions name: the only place that spells them. Items that are
//! stored whole are named by the fields of their structs. `docs/contributor/data-model.md` has all.
//!
//! Attributes of the timelines table have one letter, because heads must stay under one write unit
//! (1 KB) and every byte of a name counts.

/// The table of logs and inboxes.
pub mod timelines {
    use crate::item::{Item, number, string};
    use wigwag_domain::delivery_plan::PlanSet;
    use wigwag_domain::{DeviceKey, TimelineId};

    /// Partition key, S: which timeline.
    pub const TIMELINE: &str = "t";
    /// Sort key, N: the seq of an entry; 0 is the head.
    pub const SEQ: &str = "n";

    /// Head, N: the highest reserved seq.
    pub const COUNTER: &str = "c";
    /// Head and entries, N: when the newest seq (head) or this one (entry) was reserved, in ms.
    pub const RESERVED_AT: &str = "a";

    /// Entry, B: the identity of the message.
    pub const KEY: &str = "k";
    /// Entry, B: the message.
    pub const MESSAGE: &str = "m";
    /// Entry, S: the log that holds the message, if it is too large for an inbox.
    pub const LOG: &str = "l";
    /// Entry, N: its seq there.
    pub const LOG_SEQ: &str = "q";
    /// Entry, N: its length there, in bytes.
    pub const BYTES: &str = "b";
    /// Seal, BOOL: nobody may write here any more.
    pub const SEAL: &str = "x";

    /// Plan of a message to a shard, B: the members who get it, each with the seq of their copy.
    pub const SHARES: &str = "p";

    /// Head of a group's log, N: the version of the change that last touched its settings. Only
    /// groups have it.
    pub const SETTINGS: &str = "g";
    /// Head of a group's log, N: how many shards its members are in.
    pub const SHARDS: &str = "h";
    /// Head of a group's log, N: messages beyond this seq are those of a super group.
    pub const SUPER_AFTER: &str = "u";
    /// Head of a group's log, N: messages beyond this seq are refused.
    pub const DISSOLVED_AFTER: &str = "d";
    /// Head of a group's log, BOOL: only the owner and admins may send.
    pub const MUTED: &str = "w";
    /// Head of a group's log, BOOL: members may read messages from before they joined.
    pub const OPEN_HISTORY: &str = "o";

    /// Inbox head, N: the latest session of a device that had to give up its slot.
    pub const SESSION_FLOOR: &str = "f";
    /// Inbox head, S, one per device, followed by the device's key: its connection.
    pub const CONNECTION: char = 'C';
    /// Inbox head, M, one per device: the numbering of its messages and the plan of the last one.
    pub const NUMBERING: char = 'S';
    /// Inbox head, N, one per device: the seq in the sender's own inbox that belongs to that plan.
    pub const OWN_SEQ: char = 'O';
    /// Inbox head, N, one per device: the seq up to which the device has everything.
    pub const POSITION: char = 'P';

    /// Within a numbering, N: the session.
    pub const SESSION: &str = "s";
    /// Within a numbering, N: the last number.
    pub const CLIENT_ID: &str = "c";
    /// Within a numbering, B: the plan.
    pub const PLAN: &str = "p";

    /// Sort key of the head.
    pub const HEAD: u64 = 0;

    /// The partition of a timeline.
    pub fn partition(timeline: &TimelineId) -> String {
        match timeline {
            TimelineId::Inbox(user) => format!("u{user}"),
            TimelineId::PeerLog(one, other) => format!("p{one}-{other}"),
            TimelineId::GroupLog(group) => format!("g{group}"),
        }
    }

    /// The timeline of a partition; `None` if it is none, as that of delivery plans.
    pub fn timeline(partition: &str) -> Option<TimelineId> {
        let (kind, rest) = partition.split_at_checked(1)?;
        match kind {
            "u" => Some(TimelineId::Inbox(rest.parse().ok()?)),
            "p" => {
                let (one, other) = rest.split_once('-')?;
                Some(TimelineId::PeerLog(one.parse().ok()?, other.parse().ok()?))
            }
            "g" => Some(TimelineId::GroupLog(rest.parse().ok()?)),
            _ => None,
        }
    }

    /// The partition of delivery plans.
    pub fn plans_partition(plans: &PlanSet) -> String {
        match plans.shard {
            Some(shard) => format!("g{}.{shard}", plans.group),
            None => format!("g{}.users", plans.group),
        }
    }

    /// The key of a row of a timeline, or of its head.
    pub(crate) fn key(timeline: &TimelineId, seq: u64) -> Item {
        row_key(partition(timeline), seq)
    }

    /// The key of the delivery plan of a message.
    pub(crate) fn plan_key(plans: &PlanSet, conversation_seq: u64) -> Item {
        row_key(plans_partition(plans), conversation_seq)
    }

    fn row_key(partition: String, seq: u64) -> Item {
        Item::from([(TIMELINE.to_owned(), string(partition)), (SEQ.to_owned(), number(seq))])
    }

    /// The name of a device's attribute in an inbox head.
    pub(crate) fn device_attribute(kind: char, device: &DeviceKey) -> String {
        format!("{kind}{device}")
    }
}

/// The table of accounts, relations, login attempts, sockets, groups with their members, and rooms.
pub mod directory {
    use crate::item::{Item, get_string, string};
    use wigwag_domain::{GroupId, RoomId, UserId};

    /// Partition key, S.
    pub const PK: &str = "pk";
    /// Sort key, S.
    pub const SK: &str = "sk";
    /// Expiry in epoch seconds, of items that have one.
    pub const TTL: &str = "ttl";

    /// Prefix of partitions of a user.
    pub const USER: &str = "user#";
    /// Prefix of partitions of a phone number.
    pub const PHONE: &str = "phone#";
    /// Prefix of partitions of a WebSocket connection.
    pub const SOCKET: &str = "socket#";

    /// Prefix of partitions of a group, followed by its id: its record. With `#` and a number: a
    /// shard of its members. Also of sort keys under a user: their membership in a group, followed
    /// by its id in `id_key`.
    pub const GROUP: &str = "group#";
    /// Prefix of partitions of a room.
    pub const ROOM: &str = "room#";

    /// Sort key: the profile of a user.
    pub const PROFILE: &str = "profile";
    /// Sort key: the account behind a phone number.
    pub const ACCOUNT: &str = "account";
    /// Sort key: log-ins tried for a phone number.
    pub const ATTEMPTS: &str = "attempts";
    /// Sort key: who signed in on a connection.
    pub const SIGNED_IN: &str = "signed_in";
    /// Prefix of sort keys: a relation, followed by the id of the other in `id_key`.
    pub const RELATION: &str = "relation#";

    /// Sort key: the record of a group.
    pub const INFO: &str = "info";

    /// Group and membership, N: the change that wrote it.
    pub const VERSION: &str = "version";
    /// Group, S: the change that is not finished.
    pub const CHANGE: &str = "change";
    /// Group, N: the seq of its announcement.
    pub const CHANGE_SEQ: &str = "change_seq";

    /// Member of a shard, N. Their names have one letter: a shard is read for each batch of
    /// messages.
    pub const ROW_USER: &str = "u";
    /// Member of a shard, N: messages up to this seq came before.
    pub const ROW_JOINED_AFTER: &str = "j";
    /// Member of a shard, N: the last message for them, once there is one.
    pub const ROW_LEFT: &str = "l";
    /// Member of a shard, B: the intervals before the last one, if any (pairs of varints, each the
    /// distance from the seq before).
    pub const ROW_EARLIER: &str = "e";
    /// Member of a shard, N: 1 admin, 2 owner; absent in plain members.
    pub const ROW_ROLE: &str = "r";
    /// Member of a shard, N: until when they are muted, in ms; absent if they are not.
    pub const ROW_MUTED_UNTIL: &str = "m";
    /// Member of a shard, N: the change that wrote it.
    pub const ROW_VERSION: &str = "v";

    /// Room, N: the user of the connection.
    pub const USER_ID: &str = "user_id";
    /// Room, S: their device.
    pub const DEVICE: &str = "device";
    /// Room, S: the connection, in the form that the head has.
    pub const CONNECTION: &str = "connection";

    /// Relation, BOOL.
    pub const FRIEND: &str = "friend";
    /// Relation, BOOL.
    pub const BLOCKED: &str = "blocked";
    /// Attempts, N: how many since the window began.
    pub const COUNT: &str = "count";
    /// Attempts, N: when the window ends, in ms.
    pub const WINDOW_ENDS: &str = "window_ends_ms";

    /// A user's item.
    pub(crate) fn user_key(user: UserId, sk: impl Into<String>) -> Item {
        key(user_partition(user), sk)
    }

    /// The partition of a user.
    pub(crate) fn user_partition(user: UserId) -> String {
        format!("{USER}{user}")
    }

    /// The first and the last sort key with a prefix and an id after this one.
    pub(crate) fn rows_after(prefix: &str, after: u64) -> (String, String) {
        let first = id_key(after.saturating_add(1));
        (format!("{prefix}{first}"), format!("{prefix}{LAST_ID}"))
    }

    /// An item of a phone number.
    pub(crate) fn phone_key(phone_number: &str, sk: &str) -> Item {
        key(format!("{PHONE}{phone_number}"), sk)
    }

    /// Who signed in on a connection.
    pub(crate) fn socket_key(connection_id: &str) -> Item {
        key(format!("{SOCKET}{connection_id}"), SIGNED_IN)
    }

    /// The relation of a user to `other`.
    pub(crate) fn relation_key(user: UserId, other: UserId) -> Item {
        user_key(user, format!("{RELATION}{}", id_key(other.0)))
    }

    /// The record of a group.
    pub(crate) fn record_key(group: GroupId) -> Item {
        key(format!("{GROUP}{group}"), INFO)
    }

    /// The row that a user has for a group.
    pub(crate) fn membership_key(group: GroupId, user: UserId) -> Item {
        user_key(user, format!("{GROUP}{}", id_key(group.0)))
    }

    /// The partition of a shard.
    pub(crate) fn shard_partition(group: GroupId, shard: u64) -> String {
        format!("{GROUP}{group}#{shard}")
    }

    /// The row of a member's slot in its shard.
    pub(crate) fn slot_key(group: GroupId, shard: u64, slot: u64) -> Item {
        key(shard_partition(group, shard), id_key(slot))
    }

    /// The partition of a room.
    pub(crate) fn room_partition(room: RoomId) -> String {
        format!("{ROOM}{room}")
    }

    /// The row of a connection in a room.
    pub(crate) fn occupant_key(room: RoomId, connection_id: &str) -> Item {
        key(room_partition(room), connection_id)
    }

    /// The user of a partition.
    pub(crate) fn user_of(item: &Item) -> Option<UserId> {
        get_string(item, PK)?.strip_prefix(USER)?.parse().ok()
    }

    /// The other user of a relation's sort key.
    pub(crate) fn relation_of(item: &Item) -> Option<UserId> {
        get_string(item, SK)?.strip_prefix(RELATION)?.parse().ok()
    }

    /// The group of a membership's sort key.
    pub(crate) fn membership_of(item: &Item) -> Option<GroupId> {
        get_string(item, SK)?.strip_prefix(GROUP)?.parse().ok()
    }

    /// The group of a record's partition.
    pub(crate) fn group_of(item: &Item) -> Option<GroupId> {
        get_string(item, PK)?.strip_prefix(GROUP)?.parse().ok()
    }

    fn key(pk: String, sk: impl Into<String>) -> Item {
        Item::from([(PK.to_owned(), string(pk)), (SK.to_owned(), string(sk))])
    }

    /// An id in sort keys: sixteen digits, so that they sort as numbers do.
    pub(crate) fn id_key(id: u64) -> String {
        format!("{id:016}")
    }

    /// The last id in a sort key.
    const LAST_ID: &str = "9999999999999999";
}
