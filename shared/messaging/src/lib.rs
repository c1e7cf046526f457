//! The use cases of messaging, one file per verb. A function decodes an event, calls one of them,
//! and encodes the answer.
//!
//! - [`mod@send_to_peer`], [`mod@send_to_group`]: a message, from reservation to acknowledgement
//! - [`mod@deliver`], [`mod@announce`]: a group's message to its members, as workers carry out
//!   tasks
//! - [`mod@create_group`], [`mod@change_group`], [`mod@finish_change`]: groups and their changes
//! - [`mod@sync`], [`mod@pull`]: reading an inbox, and reading a conversation
//! - [`mod@connect`], [`mod@disconnect`], [`mod@enter_room`]: connections and rooms

pub mod announce;
mod carry_out;
pub mod change_group;
pub mod connect;
pub mod create_group;
pub mod deliver;
pub mod disconnect;
pub mod enter_room;
pub mod finish_change;
mod page;
pub mod pull;
pub mod queue;
pub mod refusal;
pub mod send_to_group;
pub mod send_to_peer;
mod settle;
pub mod sync;

pub use announce::announce;
pub use change_group::change_group;
pub use connect::connect;
pub use create_group::create_group;
pub use deliver::deliver;
pub use disconnect::disconnect;
pub use enter_room::{enter_room, leave_room};
pub use finish_change::{finish_change, finish_left_change};
pub use page::Messages;
pub use pull::{pull_group, pull_peer};
pub use queue::TaskQueue;
pub use refusal::{Refusal, SendError};
pub use send_to_group::send_to_group;
pub use send_to_peer::send_to_peer;
pub use sync::sync;
