//! MESSAGE to a group: durable in its log, its tasks in the queue. Workers push it to the members;
//! this function pushes it to the sender's other devices.

use crate::accepted::{Accepted, pushes_to_own};
use crate::call::Call;
use std::sync::Arc;
use wigwag_domain::GroupId;
use wigwag_domain::outgoing::Draft;
use wigwag_edge::{Caller, groups};
use wigwag_messaging::{Refusal, SendError};

/// In a super group nobody has a copy: the sender's other devices get it from the worker, as all
/// members do.
pub(crate) async fn send(
    call: &Call<'_>,
    caller: &Caller,
    draft: &Draft,
    group: GroupId,
) -> Result<Accepted, SendError> {
    let state = call.state;
    let sent = match wigwag_messaging::send_to_group(&state.store, &state.queue, draft, group, call.now_ms).await {
        Ok(sent) => sent,
        Err(SendError::Refused(refusal)) => {
            let code = groups::shown(&state.store, group, caller.user, refusal.code).await?;
            return Err(Refusal { code, ..refusal }.into());
        }
        Err(error) => return Err(error),
    };
    let message = Arc::new(sent.message);
    if sent.own_seq > 0 {
        let pushes = pushes_to_own(caller, &sent.sender, sent.own_seq, &message, call.now_ms);
        state
            .pusher
            .push(&state.store, pushes.collect(), call.deadline, call.now_ms)
            .await;
    }
    Ok(Accepted {
        message,
        own_seq: sent.own_seq,
    })
}
