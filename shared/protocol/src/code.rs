//! Codes of refusals: one number, one meaning, and whether trying again can help.
//!
//! | range | about |
//! |---|---|
//! | 0 | success |
//! | 1000-1099 | the frame or the request itself |
//! | 1100-1199 | signing in |
//! | 1200-1299 | sending |
//! | 1300-1399 | reading |
//! | 1400-1499 | accounts and relations |
//! | 1500-1599 | groups |
//! | 1900-1999 | the server |

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $retry:ident, $status:literal, $text:literal;)+) => {
        /// Outcome of a request, as in `Output.code` and in the failures of the HTTP API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The number on the wire.
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $number),+ }
            }

            /// Its name in upper case with underscores, as in the documentation.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// Whether the same request can succeed later.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$name => codes!(@retry $retry)),+ }
            }

            /// The status of an HTTP answer with this code.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// What went wrong and what to do, in one sentence for users.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
    (@retry retry) => { true };
    (@retry final) => { false };
}

#[allow(
    non_camel_case_types,
    reason = "one spelling in the code, the documentation and on the wire"
)]
mod definition {
    use super::fmt;

    codes! {
        /// It worked.
        OK = 0, final, 200, "";

        /// Not base64 protobuf and not JSON, or the wrong types inside.
        MALFORMED_FRAME = 1000, final, 400, "the frame is neither JSON nor base64 protobuf of this protocol";
        /// The type is not one that a client may send.
        UNKNOWN_COMMAND = 1001, final, 400, "this type of frame is unknown";
        /// A field is missing or out of range.
        INVALID_FIELD = 1002, final, 400, "a field is missing or out of range";
        /// The HTTP API has no such path or method.
        UNKNOWN_ROUTE = 1003, final, 404, "there is nothing at this path";
        /// The body of an HTTP request is over its limit.
        BODY_TOO_LARGE = 1004, final, 413, "the request's body is too large";

        /// The connection has not signed in.
        NOT_SIGNED_IN = 1100, final, 401, "sign in first";
        /// The token's signature, form, key or claims are not valid.
        TOKEN_INVALID = 1101, final, 401, "the token is not valid; log in again";
        /// The token was valid once.
        TOKEN_EXPIRED = 1102, final, 401, "the token has expired; log in again";
        /// The token belongs to another platform or device than the request names.
        TOKEN_ELSEWHERE = 1103, final, 403, "the token was given to another platform or device";
        /// The deployment accepts tokens at `$connect` only.
        LOGIN_FRAME_DISABLED = 1104, final, 403, "this deployment takes the token when the connection opens, not in a LOGIN frame";
        /// LOGIN on a connection that is signed in.
        ALREADY_SIGNED_IN = 1105, final, 409, "this connection is signed in already";
        /// The password does not belong to the phone number, or the number is unknown.
        WRONG_CREDENTIALS = 1106, final, 401, "phone number or password is wrong";
        /// Too many log-ins for this phone number.
        TOO_MANY_ATTEMPTS = 1107, retry, 429, "too many attempts; wait before trying again";
        /// All slots for devices of this user are in use.
        TOO_MANY_DEVICES = 1108, final, 409, "too many devices are in use; disconnect one of them";

        /// The message names another sender than the signed-in user.
        SENDER_MISMATCH = 1200, final, 403, "the sender is not the signed-in user";
        /// The receiver is the sender.
        SEND_TO_SELF = 1201, final, 400, "you cannot send a message to yourself";
        /// No such user.
        USER_NOT_FOUND = 1202, final, 404, "there is no such user";
        /// The receiver has blocked the sender.
        BLOCKED = 1203, final, 403, "the receiver does not take messages from this sender";
        /// The deployment lets only friends write to each other, and these two are not friends.
        NOT_FRIENDS = 1204, final, 403, "sender and receiver are not friends";
        /// Content over 16 KB.
        CONTENT_TOO_LARGE = 1205, final, 413, "the content is over 16 KB";
        /// No content at all.
        CONTENT_EMPTY = 1206, final, 400, "the content is empty";
        /// The `client_id` is beyond the next one, which is in `expected_client_id`.
        CLIENT_ID_AHEAD = 1207, final, 409, "client_id is ahead of the next one; send from expected_client_id on";
        /// The `client_id` is before the last one. It was answered before the next one was sent, or
        /// the sender had more than one frame in flight.
        CLIENT_ID_PASSED = 1208, final, 409, "a later client_id was accepted already";
        /// The session is before the stored one.
        SESSION_PASSED = 1209, final, 409, "a newer session of this device has begun; start numbering again in a higher session";
        /// The last `client_id` is used again, with another receiver or content.
        CLIENT_ID_REUSED = 1210, final, 409, "client_id was used for another message";
        /// The server has no such kind of conversation.
        SESSION_TYPE_UNSUPPORTED = 1211, final, 400, "this session_type is not supported";

        /// The caller was a member of the group, and is no longer.
        NOT_A_MEMBER = 1212, final, 403, "you are not a member of this group";
        /// There is no such group, or the caller was never in it.
        GROUP_NOT_FOUND = 1213, final, 404, "there is no such group";
        /// The group was dissolved.
        GROUP_DISSOLVED = 1214, final, 410, "this group was dissolved";
        /// The member is muted for a time.
        MEMBER_MUTED = 1215, final, 403, "you are muted in this group for now";
        /// The group is muted: members may not send for now.
        GROUP_MUTED = 1216, final, 403, "only the owner and admins may send in this group for now";
        /// Only users in a room may send there.
        NOT_IN_ROOM = 1217, final, 403, "enter the room first";

        /// SYNC or ACK names a seq that was never given to a message.
        CURSOR_BEYOND_END = 1300, final, 400, "the cursor is beyond the newest seq, which is in max_seq";
        /// PULL with a begin beyond its end.
        INVALID_RANGE = 1301, final, 400, "begin_seq is beyond end_seq";

        /// The phone number belongs to an account.
        PHONE_NUMBER_TAKEN = 1400, final, 409, "this phone number has an account";
        /// Not a phone number.
        PHONE_NUMBER_MALFORMED = 1401, final, 400, "a phone number has 7 to 15 digits, with or without a leading +";
        /// Too easy to guess, or too long.
        PASSWORD_WEAK = 1402, final, 400, "a password has 8 characters or more (128 bytes at most), is not a common one and not the phone number";
        /// Empty, too long, or with control characters.
        NICKNAME_INVALID = 1403, final, 400, "a nickname has 1 to 64 characters and no control characters";
        /// Empty, or longer than 64 bytes.
        DEVICE_ID_INVALID = 1404, final, 400, "a device_id has 1 to 64 bytes";
        /// The caller adds or blocks themselves.
        RELATION_TO_SELF = 1405, final, 400, "name another user, not yourself";

        /// The group would have more members than it may, or has had ten times as many.
        GROUP_FULL = 1500, final, 409, "the group cannot take new members: it is full (a super group takes more), or ten times as many users have been in it; former members may return, for others make another group";
        /// Empty, too long, or with control characters.
        GROUP_NAME_INVALID = 1501, final, 400, "a group's name has 1 to 64 characters and no control characters";
        /// The request takes a higher role.
        ROLE_TOO_LOW = 1502, final, 403, "your role in this group does not allow this";
        /// A group always has an owner.
        OWNER_STAYS = 1503, final, 409, "the owner cannot leave, be removed, muted or demoted; hand the group over first";
        /// The request names too many users.
        TOO_MANY_USERS = 1504, final, 400, "one request names at most 100 users";
        /// The user that the request names is not in the group.
        MEMBER_NOT_FOUND = 1505, final, 404, "this user is not a member of the group";

        /// An unexpected failure.
        INTERNAL = 1900, retry, 500, "something failed on our side; try again";
        /// Too many requests at once.
        BUSY = 1901, retry, 503, "too many requests at once; try again in a moment";
    }

    impl fmt::Display for Code {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} ({})", self.name(), self.number())
        }
    }
}

pub use definition::Code;

impl Code {
    /// The code with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_ascend() {
        assert!(Code::ALL.is_sorted_by(|a, b| a.number() < b.number()));
    }

    #[test]
    fn every_code_is_in_the_documentation() {
        let page = include_str!("../../../docs/user/errors.md");
        for code in Code::ALL {
            let retry = if code.is_retryable() { "yes" } else { "no" };
            let row = format!("| {} | `{}` | {} |", code.number(), code.name(), retry);
            assert!(page.contains(&row), "docs/user/errors.md lacks the row {row}");
        }
    }
}
