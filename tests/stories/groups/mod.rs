//! Groups: messages, members, changes.

mod catching_up;
mod concurrent_changes;
mod consent;
mod history;
mod life;
mod members;
mod muting;
mod refusals;
mod repeated_requests;
mod strangers;
mod talking;
mod unfinished_change;

use anyhow::Result;
use wigwag_cluster::Device;
use wigwag_protocol::Code;
use wigwag_protocol::pb::SessionType;

const GROUP: SessionType = SessionType::Group;

/// Sends a text to a group; returns the code of the answer.
async fn say(device: &mut Device, group: u64, client_id: u64) -> Result<Option<Code>> {
    let output = device.say_to(GROUP, group, client_id, "hello").await?;
    Ok(Code::from_number(output.code))
}
