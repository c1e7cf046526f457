//! `GET /history/{peer_id}` and `GET /group/{group_id}/history`: a conversation, as PULL gives it
//! over the WebSocket.

use crate::failure::ApiError;
use crate::request::Request;
use wigwag_domain::{GroupId, UserId};
use wigwag_messaging::pull;
use wigwag_messaging::pull::HistoryRange;
use wigwag_protocol::http::History;
use wigwag_protocol::limits::{MAX_INTEGER, PAGE_MESSAGES};
use wigwag_protocol::{Code, Encoding};

/// Messages in a page if the caller names no limit.
const DEFAULT_LIMIT: u32 = 50;

/// A page of at most 32 KB.
pub(crate) async fn history(request: &Request<'_>) -> Result<History, ApiError> {
    let caller = request.caller().await?.user;
    let peer = request.path_id("peer_id")?;
    let range = range(request)?;
    let store = &request.state.store;
    let page = wigwag_messaging::pull_peer(store, caller, UserId(peer), range, Encoding::Json, request.now_ms).await?;
    Ok(body(page))
}

/// A page of at most 32 KB of what the caller may read.
pub(crate) async fn of_group(request: &Request<'_>) -> Result<History, ApiError> {
    let caller = request.caller().await?.user;
    let group = request.path_id("group_id")?;
    let range = range(request)?;
    let store = &request.state.store;
    match wigwag_messaging::pull_group(store, caller, GroupId(group), range, Encoding::Json, request.now_ms).await {
        Ok(page) => Ok(body(page)),
        Err(error) => Err(ApiError::of_pull(store, GroupId(group), caller, error).await),
    }
}

fn range(request: &Request<'_>) -> Result<HistoryRange, ApiError> {
    let range = HistoryRange {
        begin_seq: request.query("begin_seq", 0)?,
        end_seq: request.query("end_seq", 0)?,
        limit: request.query("limit", DEFAULT_LIMIT)?.clamp(1, PAGE_MESSAGES),
        descending: request.query("descending", false)?,
    };
    if !range.is_valid() || range.begin_seq > MAX_INTEGER || range.end_seq > MAX_INTEGER {
        return Err(Code::INVALID_RANGE.into());
    }
    Ok(range)
}

fn body(page: pull::History) -> History {
    History {
        messages: page.messages,
        has_more: page.has_more,
        next_seq: page.next_seq,
        max_seq: page.max_seq,
        ended: page.ended,
    }
}
