//! Limits of the wire, each with its reason. In bytes, unless the name says otherwise.

/// Longest WebSocket frame that API Gateway passes in either direction. The 32 KB cannot be raised;
/// a longer frame closes the socket with 1009. Browsers cannot fragment, so no frame is ever
/// longer.
pub const FRAME_BYTES: usize = 32 * 1024;

/// Longest content of one message. A frame is base64 once, never twice, so the content takes
/// 16,384 × 4/3 = 21,846 bytes of it. One message with its envelope always fits a frame.
pub const CONTENT_BYTES: usize = 16 * 1024;

/// The part of a frame that the messages of a page may fill. The rest is for the envelope (type,
/// codes, cursors), which takes under 300 bytes in either encoding.
pub const PAGE_BYTES: usize = FRAME_BYTES - 1024;

/// Most messages in one page of any size.
pub const PAGE_MESSAGES: u32 = 100;

/// Largest id or seq. Every JSON parser reads integers below 2^53 exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Longest device id in bytes. The server only hashes it.
pub const DEVICE_ID_BYTES: usize = 64;

/// Slots for devices in the head of an inbox. A slot has a connection and a numbering. With seven
/// of them the head stays under 1 KB, which is one write unit.
pub const DEVICES_PER_USER: usize = 7;

/// Most members of a group: each message is copied into every inbox.
pub const GROUP_MEMBERS: u32 = 10_000;

/// Most members of a super group: each message is pushed to everyone online, and not copied.
pub const SUPER_GROUP_MEMBERS: u32 = 100_000;

/// How many users may ever have been in a group, for each user who may be in it at once. Every five
/// hundred of them cost a task for each message, even after they have left.
pub const USERS_PER_MEMBER: u64 = 10;

/// Most users that one change of a group names. All their rows are written within one request.
pub const CHANGE_USERS: usize = 100;

/// Longest `request_id` of a request to make a group, in bytes.
pub const REQUEST_ID_BYTES: usize = 64;

/// Longest name of a group in characters.
pub const GROUP_NAME_CHARS: usize = 64;

/// Longest time for which one request can mute a member, in seconds: a year.
pub const MUTE_MAX_S: u64 = 365 * 24 * 60 * 60;

/// Longest nickname in characters.
pub const NICKNAME_CHARS: usize = 64;

/// Shortest password in characters.
pub const PASSWORD_MIN_CHARS: usize = 8;

/// Longest password in bytes. Otherwise an attacker could send megabytes to be hashed.
pub const PASSWORD_MAX_BYTES: usize = 128;

/// Longest token in bytes; ours are under 300.
pub const TOKEN_BYTES: usize = 2048;

/// Longest body of an HTTP request in bytes. Ours are all under 1 KB.
pub const HTTP_BODY_BYTES: usize = 8 * 1024;
