//! The time formats of API Gateway, and the ids that it gives to requests, messages and
//! connections.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const COMMON_LOG: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
const ISO_8601: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(OffsetDateTime);

impl Moment {
    pub(super) fn now() -> Self {
        Self(OffsetDateTime::now_utc())
    }

    pub(super) fn plus(self, elapsed: std::time::Duration) -> Self {
        Self(self.0 + elapsed)
    }

    /// Milliseconds since the epoch.
    pub(super) fn epoch_ms(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// Time since the epoch.
    pub(super) fn since_epoch(self) -> std::time::Duration {
        (self.0 - OffsetDateTime::UNIX_EPOCH).unsigned_abs()
    }

    /// For example `19/Feb/2024:07:11:42 +0000`.
    pub(super) fn common_log(self) -> String {
        self.0.format(COMMON_LOG).unwrap_or_default()
    }

    /// For example `2025-02-03T01:46:33.523Z`.
    pub(super) fn iso_8601(self) -> String {
        self.0.format(ISO_8601).unwrap_or_default()
    }
}

/// A new id in the form of API Gateway: 11 bytes in base64url, which are 16 characters and end in
/// `=`.
pub(super) fn identifier() -> String {
    URL_SAFE.encode(rand::random::<[u8; 11]>())
}

/// Whether the text has the form of [`identifier`].
pub(super) fn is_identifier(text: &str) -> bool {
    text.len() == 16 && URL_SAFE.decode(text).is_ok_and(|bytes| bytes.len() == 11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_formatted_as_in_events_of_aws() {
        let moment = Moment(time::macros::datetime!(2024-02-09 07:01:02.045 UTC));
        assert_eq!(moment.common_log(), "09/Feb/2024:07:01:02 +0000");
        assert_eq!(moment.iso_8601(), "2024-02-09T07:01:02.045Z");
        assert_eq!(moment.epoch_ms(), 1_707_462_062_045);
    }

    #[test]
    fn identifiers_have_sixteen_characters_and_end_in_an_equals_sign() {
        let id = identifier();
        assert_eq!(id.len(), 16);
        assert!(id.ends_with('=') && is_identifier(&id));
        for malformed in ["", "abc", "TXzPWdnOjoECGjAA", "TXzPWdnOjoECG/A=", "TXzPWdnOjoECGjA=="] {
            assert!(!is_identifier(malformed), "{malformed}");
        }
        assert!(is_identifier("JC1dgf9yoAMCI-g="));
    }
}
