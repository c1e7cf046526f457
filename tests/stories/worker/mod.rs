//! The worker that delivers to groups, when something goes wrong.

mod bad_tasks;
mod batches;
mod dispatch;
#[cfg(target_os = "linux")]
mod killed;
mod unreachable;

use wigwag_protocol::pb::SessionType;

const GROUP: SessionType = SessionType::Group;
