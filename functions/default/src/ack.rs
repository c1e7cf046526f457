//! ACK from a device: it has everything up to a seq.

use crate::call::Call;
use crate::fields::{self, Wrong};
use crate::reply::Reply;
use wigwag_edge::{Caller, Failure};
use wigwag_protocol::pb::{AckMsg, AckType, CmdType};
use wigwag_protocol::{Code, Payload};
use wigwag_store::inboxes;
use wigwag_store::inboxes::Positioned;

/// Stores the device's position, which only advances. Answered with the position.
pub(crate) async fn ack(call: &Call<'_>, caller: &Caller, ack: &AckMsg) -> Result<Reply, Failure> {
    if ack.r#type != i32::from(AckType::Push) {
        return Ok(Reply::refused(CmdType::Ack, Wrong::field("type")));
    }
    if let Err(wrong) = fields::id("seq", ack.seq) {
        return Ok(Reply::refused(CmdType::Ack, wrong));
    }
    let answer = |seq| {
        Payload::Ack(AckMsg {
            r#type: AckType::Push.into(),
            seq,
            ..AckMsg::default()
        })
    };
    match inboxes::set_position(&call.state.store, caller.user, &caller.device, ack.seq).await? {
        Positioned::Yes => Ok(Reply::ok(CmdType::Ack, answer(ack.seq))),
        Positioned::BeyondEnd { max_seq } => Ok(Reply::refused_with(
            CmdType::Ack,
            Code::CURSOR_BEYOND_END,
            answer(max_seq),
        )),
    }
}
