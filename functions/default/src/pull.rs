//! PULL: a range of one conversation.

use crate::call::Call;
use crate::fields;
use crate::reply::Reply;
use crate::sync::limit;
use wigwag_domain::{GroupId, UserId};
use wigwag_edge::{Caller, Failure, groups};
use wigwag_messaging::pull::{HistoryRange, PullError};
use wigwag_protocol::pb::{CmdType, PullInputMsg, PullOutputMsg, SessionType};
use wigwag_protocol::{Code, Payload};

/// Answered with a page. Newest first, it leaves out messages that are still being written. Of a
/// group, it has what the caller may read.
pub(crate) async fn pull(call: &Call<'_>, caller: &Caller, pull: PullInputMsg) -> Result<Reply, Failure> {
    let refused = |code: Code| Ok(Reply::refused(CmdType::Pull, code));
    let is_group = match SessionType::try_from(pull.session_type) {
        Ok(SessionType::Single) => false,
        Ok(SessionType::Group) => true,
        _ => return refused(Code::SESSION_TYPE_UNSUPPORTED),
    };
    let target = pull.target_id;
    let checked = fields::id("target_id", target)
        .and_then(|_| fields::number("begin_seq", pull.begin_seq))
        .and_then(|_| fields::number("end_seq", pull.end_seq));
    if let Err(wrong) = checked {
        return Ok(Reply::refused(CmdType::Pull, wrong));
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
    let (store, user, now_ms) = (&call.state.store, caller.user, call.now_ms);
    let page = if is_group {
        match wigwag_messaging::pull_group(store, user, GroupId(target), range, call.encoding, now_ms).await {
            Ok(page) => page,
            Err(PullError::NotAMember) => {
                return refused(groups::shown(store, GroupId(target), user, Code::NOT_A_MEMBER).await?);
            }
            Err(PullError::Store(error)) => return Err(error.into()),
        }
    } else {
        wigwag_messaging::pull_peer(store, user, UserId(target), range, call.encoding, now_ms).await?
    };
    Ok(Reply::ok(
        CmdType::Pull,
        Payload::Pull(PullOutputMsg {
            messages: page.messages,
            has_more: page.has_more,
            next_seq: page.next_seq,
            max_seq: page.max_seq,
            ended: page.ended,
            members: page.members,
        }),
    ))
}
