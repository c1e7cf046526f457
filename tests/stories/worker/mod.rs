//! The worker that delivers to groups, on bad days.

mod bad_tasks;
mod batches;
mod dispatch;
#[cfg(target_os = "linux")]
mod killed;
mod unreachable;

use wigwag_protocol::pb::SessionType;

const GROUP: SessionType = SessionType::Group;
