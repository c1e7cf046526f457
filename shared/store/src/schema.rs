//! Names of keys and attributes: the only place that spells them. `docs/data-model.md` describes the items.
//!
//! Attributes of the timelines table have one letter, because heads must stay under one write unit (1 KB) and every
//! byte of a name counts with its item.

/// The table of logs and inboxes.
pub mod timelines {
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
    /// Entry, S: the log that holds the message, where it is too large for an inbox.
    pub const LOG: &str = "l";
    /// Entry, N: its seq there.
    pub const LOG_SEQ: &str = "q";
    /// Entry, N: its length there, in bytes.
    pub const BYTES: &str = "b";
    /// Seal, BOOL: nobody may write here any more.
    pub const SEAL: &str = "x";

    /// Plan of a message to a shard, B: the members who get it, each with the seq of their copy.
    pub const SHARES: &str = "p";

    /// Head of a group's log, N: the version of the change that last touched what follows. Only groups have it.
    pub const SETTINGS: &str = "g";
    /// Head of a group's log, N: how many shards its members are in.
    pub const SHARDS: &str = "h";
    /// Head of a group's log, N: messages beyond this seq are those of a super group.
    pub const SUPER_AFTER: &str = "u";
    /// Head of a group's log, N: messages beyond this seq are refused.
    pub const DISSOLVED_AFTER: &str = "d";
    /// Head of a group's log, BOOL: only the owner and admins may send.
    pub const MUTED: &str = "w";
    /// Head of a group's log, BOOL: members may read what was sent before they joined.
    pub const OPEN_HISTORY: &str = "o";

    /// Inbox head, N: the latest session of a device that had to make place.
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
}

/// The table of accounts, relations, login attempts, sockets, groups with their members, and rooms.
pub mod directory {
    /// Partition key, S.
    pub const PK: &str = "pk";
    /// Sort key, S.
    pub const SK: &str = "sk";
    /// Expiry in epoch seconds, where an item has one.
    pub const TTL: &str = "ttl";

    /// Prefix of partitions of a user.
    pub const USER: &str = "user#";
    /// Prefix of partitions of a phone number.
    pub const PHONE: &str = "phone#";
    /// Prefix of partitions of a WebSocket connection.
    pub const SOCKET: &str = "socket#";

    /// Prefix of partitions of a group, followed by its id: what it is. With `#` and a number: a shard of its members. Also of
    /// sort keys under a user: what the user is in a group, followed by its id in [`super::id_key`].
    pub const GROUP: &str = "group#";
    /// Prefix of partitions of a room.
    pub const ROOM: &str = "room#";

    /// Sort key: what everyone may know of a user.
    pub const PROFILE: &str = "profile";
    /// Sort key: the account behind a phone number.
    pub const ACCOUNT: &str = "account";
    /// Sort key: log-ins tried for a phone number.
    pub const ATTEMPTS: &str = "attempts";
    /// Sort key: who signed in on a connection.
    pub const SIGNED_IN: &str = "signed_in";
    /// Prefix of sort keys: what a user is to another, followed by the other's id in [`super::id_key`].
    pub const RELATION: &str = "relation#";

    /// Sort key: what a group is.
    pub const INFO: &str = "info";

    /// Group and membership, N: the change that wrote it.
    pub const VERSION: &str = "version";
    /// Group, S: the change that is not finished.
    pub const CHANGE: &str = "change";
    /// Group, N: the seq of its announcement.
    pub const CHANGE_SEQ: &str = "change_seq";

    /// Member of a shard, N. Their names have one letter: a shard is read for each batch of messages.
    pub const ROW_USER: &str = "u";
    /// Member of a shard, N: messages up to this seq came before.
    pub const ROW_JOINED_AFTER: &str = "j";
    /// Member of a shard, N: the last message for them, once there is one.
    pub const ROW_LEFT: &str = "l";
    /// Member of a shard, B: the ranges before that one, where there are any (pairs of varints, each the distance to the seq before).
    pub const ROW_EARLIER: &str = "e";
    /// Member of a shard, N: 1 admin, 2 owner; absent in plain members.
    pub const ROW_ROLE: &str = "r";
    /// Member of a shard, N: until when they are muted, in ms, where they are.
    pub const ROW_MUTED_UNTIL: &str = "m";
    /// Member of a shard, N: the change that wrote it.
    pub const ROW_VERSION: &str = "v";

    /// Room, N: whose connection it is.
    pub const USER_ID: &str = "user_id";
    /// Room, S: on which device.
    pub const DEVICE: &str = "device";
    /// Room, S: the connection, as it stands in the head.
    pub const CONNECTION: &str = "connection";

    /// Relation, BOOL.
    pub const FRIEND: &str = "friend";
    /// Relation, BOOL.
    pub const BLOCKED: &str = "blocked";
    /// Attempts, N: how many since the window began.
    pub const COUNT: &str = "count";
    /// Attempts, N: when the window ends, in ms.
    pub const WINDOW_ENDS: &str = "window_ends_ms";
}

/// An id in sort keys: sixteen digits, so that they sort as numbers do.
pub fn id_key(id: u64) -> String {
    format!("{id:016}")
}
