//! Ids in the forms that AWS gives them.

use std::time::Duration;

/// A random UUID, version 4.
pub(crate) fn request_id() -> String {
    let mut id = uuid_bits(rand::random());
    for dash in [8, 13, 18, 23] {
        id.insert(dash, '-');
    }
    id
}

fn uuid_bits(random: u128) -> String {
    let version = (random & !(0xf << 76)) | (0x4 << 76);
    let variant = (version & !(0b11 << 62)) | (0b10 << 62);
    format!("{variant:032x}")
}

/// An X-Ray trace that is not sampled. `now` is the time since the epoch.
pub(crate) fn trace_id(now: Duration) -> String {
    let parent: u64 = rand::random();
    format!("{};Parent={parent:016x};Sampled=0", trace_root(now))
}

/// The part of a trace that all its segments share. `now` is the time since the epoch.
pub(crate) fn trace_root(now: Duration) -> String {
    format!("Root=1-{:08x}-{:024x}", now.as_secs(), rand::random::<u128>() >> 32)
}

/// The log stream that the process would have in CloudWatch.
pub(super) fn log_stream_name() -> String {
    let today = time::OffsetDateTime::now_utc();
    let (year, month, day) = (today.year(), u8::from(today.month()), today.day());
    format!("{year}/{month:02}/{day:02}/[$LATEST]{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_uuid_of_version_four() {
        assert_eq!(uuid_bits(0), "00000000000040008000000000000000");
        assert_eq!(uuid_bits(u128::MAX), "ffffffffffff4fffbfffffffffffffff");
        let id = request_id();
        assert_eq!(id.len(), 36);
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
