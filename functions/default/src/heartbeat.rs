//! HEARTBEAT: keeps the connection open, and tells the highest seq, so that a lost push is found.

use crate::Call;
use crate::reply::Reply;
use wigwag_edge::{Caller, Error};
use wigwag_protocol::pb::{CmdType, HeartbeatMsg};
use wigwag_protocol::{Code, Payload};
use wigwag_store::TimelineId;

/// One eventually consistent read: what it misses, the next heartbeat finds.
pub(crate) async fn heartbeat(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let Some(head) = call.state.store.head(&TimelineId::inbox(caller.user), false).await? else {
        return Ok(Reply::refused(CmdType::Heartbeat, Code::USER_NOT_FOUND));
    };
    let heartbeat = HeartbeatMsg {
        max_seq: head.seq,
        server_time: call.now_ms,
    };
    Ok(Reply::ok(CmdType::Heartbeat, Payload::Heartbeat(heartbeat)))
}
