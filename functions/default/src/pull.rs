//! PULL: a range of one conversation.

use crate::Call;
use crate::reply::Reply;
use crate::sync::limit;
use wigwag_edge::{Caller, Error};
use wigwag_protocol::limits::MAX_INTEGER;
use wigwag_protocol::pb::{CmdType, PullInputMsg, PullOutputMsg, SessionType};
use wigwag_protocol::{Code, Payload};
use wigwag_store::messages::HistoryRange;

/// Answered with a page; one that is asked for newest first leaves out what is still being written.
pub(crate) async fn pull(call: &Call<'_>, caller: &Caller, pull: PullInputMsg) -> Result<Reply, Error> {
    let refused = |code| Ok(Reply::refused(CmdType::Pull, code));
    if pull.session_type != i32::from(SessionType::Single) {
        return refused(Code::SESSION_TYPE_UNSUPPORTED);
    }
    if !(1..=MAX_INTEGER).contains(&pull.target_id) || pull.begin_seq > MAX_INTEGER || pull.end_seq > MAX_INTEGER {
        return refused(Code::INVALID_FIELD);
    }
    let range = HistoryRange {
        begin_seq: pull.begin_seq,
        end_seq: pull.end_seq,
        limit: limit(pull.limit),
        descending: pull.descending,
    };
    if !range.is_valid() {
        return refused(Code::INVALID_RANGE);
    }
    let page = call
        .state
        .store
        .history(caller.user, pull.target_id, range, call.encoding, call.now_ms)
        .await?;
    Ok(Reply::ok(
        CmdType::Pull,
        Payload::Pull(PullOutputMsg {
            messages: page.messages,
            has_more: page.has_more,
            next_seq: page.next_seq,
            max_seq: page.max_seq,
        }),
    ))
}
