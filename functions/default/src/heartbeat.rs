//! HEARTBEAT: keeps the connection open, and tells the highest seq, so that a lost push is found.

use crate::call::Call;
use crate::reply::Reply;
use wigwag_edge::{Caller, Failure};
use wigwag_protocol::pb::{CmdType, HeartbeatMsg};
use wigwag_protocol::{Code, Payload};
use wigwag_store::inboxes;

/// One eventually consistent read. A message that it misses is found by the next heartbeat.
pub(crate) async fn heartbeat(call: &Call<'_>, caller: &Caller) -> Result<Reply, Failure> {
    let Some(head) = inboxes::head(&call.state.store, caller.user, false).await? else {
        return Ok(Reply::refused(CmdType::Heartbeat, Code::USER_NOT_FOUND));
    };
    let heartbeat = HeartbeatMsg {
        max_seq: head.seq,
        server_time: call.now_ms,
    };
    Ok(Reply::ok(CmdType::Heartbeat, Payload::Heartbeat(heartbeat)))
}
