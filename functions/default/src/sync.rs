//! SYNC: the messages in the inbox after a cursor.

use crate::call::Call;
use crate::fields;
use crate::reply::Reply;
use wigwag_edge::{Caller, Failure};
use wigwag_protocol::limits::PAGE_MESSAGES;
use wigwag_protocol::pb::{CmdType, SyncInputMsg, SyncOutputMsg};
use wigwag_protocol::{Code, Payload};

/// Messages in a page if the client names no limit: of small messages, as many as a frame holds.
pub(crate) const DEFAULT_LIMIT: u32 = 50;

/// Answered with a page whose cursor never passes a message that is still being written.
pub(crate) async fn sync(call: &Call<'_>, caller: &Caller, sync: SyncInputMsg) -> Result<Reply, Failure> {
    if let Err(wrong) = fields::number("seq", sync.seq) {
        return Ok(Reply::refused(CmdType::Sync, wrong));
    }
    let read = wigwag_messaging::sync(
        &call.state.store,
        caller.user,
        sync.seq,
        limit(sync.limit),
        call.encoding,
        call.now_ms,
    );
    let Some(page) = read.await? else {
        return Ok(Reply::refused(CmdType::Sync, Code::USER_NOT_FOUND));
    };
    if sync.seq > page.max_seq {
        let end = SyncOutputMsg {
            max_seq: page.max_seq,
            cursor: page.max_seq,
            ..SyncOutputMsg::default()
        };
        return Ok(Reply::refused_with(
            CmdType::Sync,
            Code::CURSOR_BEYOND_END,
            Payload::Sync(end),
        ));
    }
    Ok(Reply::ok(
        CmdType::Sync,
        Payload::Sync(SyncOutputMsg {
            messages: page.messages,
            has_more: page.has_more,
            cursor: page.cursor,
            max_seq: page.max_seq,
        }),
    ))
}

/// The limit that a client named, within bounds.
pub(crate) fn limit(asked: u32) -> u32 {
    match asked {
        0 => DEFAULT_LIMIT,
        asked => asked.min(PAGE_MESSAGES),
    }
}
