//! `GET /history/{peer_id}`: the conversation with a peer, as PULL gives it over the WebSocket.

use crate::failure::ApiError;
use crate::request::Request;
use wigwag_protocol::http::History;
use wigwag_protocol::limits::{MAX_INTEGER, PAGE_MESSAGES};
use wigwag_protocol::{Code, Encoding};
use wigwag_store::messages::HistoryRange;

/// Messages in a page where the caller names no limit.
const DEFAULT_LIMIT: u32 = 50;

/// A page of at most 32 KB.
pub(crate) async fn history(request: &Request<'_>) -> Result<History, ApiError> {
    let caller = request.caller()?.user;
    let peer = request.path_id("peer_id")?;
    let range = HistoryRange {
        begin_seq: request.query("begin_seq", 0)?,
        end_seq: request.query("end_seq", 0)?,
        limit: request.query("limit", DEFAULT_LIMIT)?.clamp(1, PAGE_MESSAGES),
        descending: request.query("descending", false)?,
    };
    if !range.is_valid() || range.begin_seq > MAX_INTEGER || range.end_seq > MAX_INTEGER {
        return Err(Code::INVALID_RANGE.into());
    }
    let page = request
        .state
        .store
        .history(caller, peer, range, Encoding::Json, request.now_ms)
        .await?;
    Ok(History {
        messages: page.messages,
        has_more: page.has_more,
        next_seq: page.next_seq,
        max_seq: page.max_seq,
    })
}
