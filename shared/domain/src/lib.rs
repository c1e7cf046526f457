//! The rules of messaging, and nothing else: no AWS, no clock, no I/O.
//!
//! - [`ids`]: users, groups, rooms, devices, and the names of timelines
//! - [`timeline`] and [`page`]: entries, seals, and how a reader walks them without passing a hole
//! - [`numbering`]: which message of a device is the next, and the send plan of the last one
//! - [`outgoing`]: a message on its way, and what is written where
//! - [`head`] and [`connection`]: what the heads of timelines hold
//! - [`relation`]: what one user is to another
//! - [`groups`]: membership, rules, changes
//! - [`task`] and [`delivery_plan`]: the work that the queue carries, and which seq each copy takes

pub mod connection;
pub mod delivery_plan;
pub mod groups;
pub mod head;
pub mod ids;
pub mod numbering;
pub mod outgoing;
pub mod page;
pub mod relation;
pub mod task;
pub mod timeline;

pub use ids::{DeviceKey, GroupId, MessageKey, Recipient, RoomId, TimelineId, UserId};
