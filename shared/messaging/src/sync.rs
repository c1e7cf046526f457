//! Reading an inbox after a cursor.

use crate::page::{Messages, messages};
use wigwag_domain::page::Range;
use wigwag_domain::{TimelineId, UserId};
use wigwag_protocol::Encoding;
use wigwag_store::{Store, StoreError, timelines};

/// Reads a user's inbox after a cursor, as much as a frame holds. `None`: no such user.
pub async fn sync(
    store: &Store,
    user: UserId,
    after: u64,
    limit: u32,
    encoding: Encoding,
    now_ms: i64,
) -> Result<Option<Messages>, StoreError> {
    let range = Range {
        after,
        through: None,
        limit,
    };
    let Some(page) = timelines::read(store, &TimelineId::inbox(user), range, now_ms).await? else {
        return Ok(None);
    };
    messages(store, page, encoding, |seq, message| message.seq = seq)
        .await
        .map(Some)
}
