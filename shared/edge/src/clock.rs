//! The clock. Time is read here alone, and is a parameter everywhere else.

use lambda_runtime::Context;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, in ms since 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time at which an invocation is cut off, less `before`.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn deadline(context: &Context, before: Duration) -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(context.deadline).saturating_sub(since);
    Instant::now() + left.saturating_sub(before)
}
