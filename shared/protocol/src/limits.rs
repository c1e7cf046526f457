//! Limits of the wire, each with its reason. Bytes, unless the name says otherwise.

/// Longest WebSocket frame that API Gateway passes: 32 KB, neither way raisable; a longer one closes the socket with
/// 1009. Browsers cannot fragment, so no frame of ours is ever longer.
pub const FRAME_BYTES: usize = 32 * 1024;

/// Longest content of one message. As base64 inside the protobuf of a push, itself base64 in the frame, it takes
/// 16,384 × 4/3 = 21,846 bytes: one message with its envelope always fits a frame, and two layers never meet.
pub const CONTENT_BYTES: usize = 16 * 1024;

/// What a batch may fill of a frame: the rest is left for the envelope around a page (type, codes, cursors), which
/// takes under 300 bytes in either encoding.
pub const PAGE_BYTES: usize = FRAME_BYTES - 1024;

/// Most messages in one page, whatever their size.
pub const PAGE_MESSAGES: u32 = 100;

/// Ids and seqs stay below 2^53, the largest integers that a JSON number carries exactly everywhere.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Longest device id in bytes. It is only ever hashed.
pub const DEVICE_ID_BYTES: usize = 64;

/// Most devices of one user that can hold a place (a connection, a numbering) at once. Seven of them keep the head of
/// an inbox under 1 KB, which is one write unit.
pub const DEVICES_PER_USER: usize = 7;

/// Most members of a group: each message is copied into every inbox.
pub const GROUP_MEMBERS: u32 = 10_000;

/// Most members of a super group: each message is pushed to everyone online, and copied nowhere.
pub const SUPER_GROUP_MEMBERS: u32 = 100_000;

/// How many users may have been in a group, those who left too, for each who may be in it at once. Each five hundred of them are a
/// task for each message, also when they are gone.
pub const USERS_PER_MEMBER: u64 = 10;

/// Most users that one change of a group names: their rows are written within one request.
pub const CHANGE_USERS: usize = 100;

/// Longest name of a request to make a group, in bytes.
pub const REQUEST_ID_BYTES: usize = 64;

/// Length of a group's name in characters.
pub const GROUP_NAME_CHARS: usize = 64;

/// Longest that a member can be muted at once, in seconds: a year.
pub const MUTE_MAX_S: u64 = 365 * 24 * 60 * 60;

/// Nickname length in characters.
pub const NICKNAME_CHARS: usize = 64;

/// Shortest password in characters.
pub const PASSWORD_MIN_CHARS: usize = 8;

/// Longest password in bytes: hashing time must not depend on an attacker's megabytes.
pub const PASSWORD_MAX_BYTES: usize = 128;

/// Longest token in bytes; ours are under 300.
pub const TOKEN_BYTES: usize = 2048;

/// Longest body of an HTTP request in bytes. Ours are all under 1 KB.
pub const HTTP_BODY_BYTES: usize = 8 * 1024;
