//! Fan-out: what becomes of a group's message after it stands in the log.
//!
//! The sender enqueues [`Task`]s, one per shard of the group's members (one in all, where there are many shards), and
//! workers carry them out:
//!
//! - [`Task::Deliver`]: a copy into the inbox of each member of a shard, and a push to the devices that are online
//! - [`Task::Announce`]: in a super group, a push alone
//! - [`Task::Dispatch`]: the tasks of all shards of a large group
//! - [`Task::Room`]: a push to who is in a room
//! - [`Task::Finish`]: what is left of a change of a group whose function died
//!
//! A task may be carried out any number of times, by several workers at once, in any order: what it leaves behind is
//! the same.

mod announce;
mod bulk;
mod deliver;
mod plan;
mod task;

pub use announce::Span;
pub use deliver::{Delivered, Delivery, Inbound};
pub use task::{Audience, Logged, RoomContent, Task, TaskError, TaskQueue, per_shard, tasks_for};

/// Most members of a shard: what one task delivers to. A member's shard is fixed when they join.
pub const SHARD_MEMBERS: u64 = 500;
