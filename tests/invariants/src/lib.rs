//! The promises G1 to G7 of `docs/user/guarantee.md`, stated once.
//!
//! Two programs use this crate: the history checker (`tests/checker`), which plays real clients on
//! a whole stack, and the schedules (`tests/simulator`), which interleave the store's own calls.
//! Both write down a [`History`] (what was done and seen, in order) and fill [`Tables`] (what the
//! timelines table holds), and give both to [`judge`]. It is a pure function and trusts nothing
//! that the system says about itself.
//!
//! How a schedule uses it:
//!
//! 1. Give each message a [`Token`], and send [`Token::content`].
//! 2. Note [`Event::Send`] before the call, and [`Event::Acknowledged`] after it; `Change` and
//!    `Changed` around each change of a membership; `Came` and `Cursor` (or `GroupCursor`) for each
//!    page of a reader, which is a device of kind [`DeviceKind::Sdk`].
//! 3. When all calls have ended, note [`Event::Settled`], and judge with [`Stage::Settled`].
//!
//! [`stream::check_reader`] checks a reader of one timeline without users, and
//! [`rules::density::dense`] and [`rules::density::each_once`] a single timeline.
//!
//! - [`history`], [`message`], [`tables`]: the input
//! - [`violation`]: [`Promise`], [`Harm`] and [`Violation`], the output
//! - [`spans`], [`membership`], [`settings`]: who was a member when, and what a group allowed
//! - [`case`]: the input, indexed; every rule reads it
//! - [`rules`]: one file per rule, and a table of the promise that each checks
//! - [`stream`]: what one reader gets of one timeline; also of use without a history

pub mod case;
pub mod history;
pub mod membership;
pub mod message;
pub mod rules;
pub mod settings;
pub mod spans;
pub mod stream;
pub mod tables;
pub mod violation;

pub use history::{Channel, Device, DeviceIndex, DeviceKind, Event, History, Moment, Record, Setting, Turn};
pub use message::{Answer, Conversation, Observed, Token};
pub use rules::judge;
pub use tables::{Row, Tables, Timeline, TimelineKey};
pub use violation::{Harm, Promise, Stage, Violation};

/// A user.
pub type UserId = u64;

/// A group.
pub type GroupId = u64;
