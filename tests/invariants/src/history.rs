//! What was done, answered and seen, in the order in which it happened.
//!
//! All events are in one list, and the index in it is the time: an earlier event happened before a
//! later one, or at the same time. Whatever takes time has one event for its beginning and one for
//! its end. It took effect between them, if at all.

use crate::message::{Answer, Conversation, Observed, Token};
use crate::{GroupId, UserId};
use serde::Serialize;
use std::fmt;

/// A time: an index in [`History::records`].
pub type Moment = usize;

/// A device: its index in [`History::devices`].
pub type DeviceIndex = usize;

/// How a device works, and with it what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Follows its inbox and the logs of its super groups by cursors. Has everything in the end.
    Sdk,
    /// Sends and asks frame by frame. Tells what is really pushed and answered.
    Raw,
    /// Like `Sdk`, but begins with an empty disk when all is over.
    Fresh,
}

/// A device that takes part.
#[derive(Debug, Clone, Serialize)]
pub struct Device {
    /// Its user.
    pub user: UserId,
    /// A name for messages, such as `u3.a`.
    pub name: String,
    /// How it works.
    pub kind: DeviceKind,
}

/// How a message reached a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The next message of the inbox, from the SDK.
    Inbox,
    /// The next message of a super group's log, from the SDK.
    GroupLog,
    /// A frame that the device did not ask for.
    Push,
    /// A page of the inbox.
    Sync,
    /// A page of a conversation.
    Pull,
}

/// Which way a membership changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// The user becomes a member.
    Joins,
    /// The user is removed or leaves.
    Leaves,
}

/// A property of a group that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// It is a super group. This never ends.
    Super,
    /// It is dissolved. This never ends.
    Dissolved,
    /// Only its owner and admins may send.
    Muted,
    /// This user may not send.
    MemberMuted(UserId),
    /// Its members may read what was said before they joined.
    OpenHistory,
    /// This user is its owner or an admin.
    Ranks(UserId),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A device is about to send a message. From here on it may be in the tables.
    Send {
        /// Which one.
        message: Token,
        /// The conversation.
        to: Conversation,
    },
    /// A message was accepted. There is one such event for each time that the system says so.
    Acknowledged {
        /// Which one.
        message: Token,
        /// The answer.
        answer: Answer,
    },
    /// A message was refused for good, in answer to any of its transmissions.
    Refused {
        /// Which one.
        message: Token,
        /// The code.
        code: u32,
    },
    /// The device gave a message up. It may be in the tables or not.
    GivenUp {
        /// Which one.
        message: Token,
        /// Why.
        reason: String,
    },
    /// A message reached a device.
    Came {
        /// How.
        by: Channel,
        /// The message.
        #[serde(rename = "said")]
        observed: Observed,
    },
    /// The device was told that it has everything of its inbox up to this seq.
    Cursor {
        /// The seq.
        seq: u64,
    },
    /// The device has everything of a super group up to this seq, or it begins here.
    GroupCursor {
        /// The group.
        group: GroupId,
        /// The conversation seq.
        seq: u64,
    },
    /// The device begins with an empty disk. What it had is gone.
    Installed,
    /// The device starts with what is on its disk.
    Started,
    /// The device is cut off in the middle of what it does.
    Crashed,
    /// The device is closed.
    Left,
    /// The device has a connection.
    Connected,
    /// The device has no connection any more.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// A membership is about to change. From here on it may have changed.
    Change {
        /// The group.
        group: GroupId,
        /// The user.
        user: UserId,
        /// Which way.
        turn: Turn,
    },
    /// A membership has changed.
    Changed {
        /// The group.
        group: GroupId,
        /// The user.
        user: UserId,
        /// Which way.
        turn: Turn,
    },
    /// A group was created. Its first members follow, each with a `Change` and a `Changed`.
    Founded {
        /// The group.
        group: GroupId,
        /// Whether it was created as a super group.
        is_super: bool,
    },
    /// A setting of a group is about to change. From here on it may have changed.
    Set {
        /// The group.
        group: GroupId,
        /// The setting.
        setting: Setting,
        /// Whether it is turned on or off.
        is_on: bool,
    },
    /// A setting of a group has changed.
    SetDone {
        /// The group.
        group: GroupId,
        /// The setting.
        setting: Setting,
        /// Whether it was turned on or off.
        is_on: bool,
    },
    /// The device asks for a page of a group. The `Pull` messages that follow were read later.
    Asked {
        /// The group.
        group: GroupId,
    },
    /// A page of a group was refused.
    Denied {
        /// The group.
        group: GroupId,
        /// The code.
        code: u32,
    },
    /// The faults stop, and nobody begins anything new.
    Calm,
    /// From here on every device is expected to have everything.
    Settled,
    /// A last message to a user, without faults. Each of their connected devices is pushed it.
    RollCall {
        /// Which one.
        message: Token,
        /// The receiver.
        user: UserId,
    },
    /// All roll calls have had all the time they need.
    RollCalled,
}

/// An event, when it happened, and on which device.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Milliseconds since the run began.
    pub at_ms: u64,
    /// The device; `None` if it happened on none.
    pub device: Option<DeviceIndex>,
    /// The event.
    #[serde(rename = "what")]
    pub event: Event,
}

/// Everything that happened.
#[derive(Debug, Clone, Default, Serialize)]
pub struct History {
    /// The devices that take part.
    pub devices: Vec<Device>,
    /// The events, in order.
    pub records: Vec<Record>,
}

impl History {
    /// Adds a device.
    pub fn add_device(&mut self, user: UserId, name: String, kind: DeviceKind) -> DeviceIndex {
        self.devices.push(Device { user, name, kind });
        self.devices.len() - 1
    }

    /// Adds an event that happened on a device.
    pub fn on(&mut self, device: DeviceIndex, event: Event) {
        self.push(0, Some(device), event);
    }

    /// Adds an event that happened on no device.
    pub fn note(&mut self, event: Event) {
        self.push(0, None, event);
    }

    /// Adds an event with its time of the clock.
    pub fn push(&mut self, at_ms: u64, device: Option<DeviceIndex>, event: Event) {
        self.records.push(Record { at_ms, device, event });
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Super => f.write_str("being a super group"),
            Self::Dissolved => f.write_str("being dissolved"),
            Self::Muted => f.write_str("being muted"),
            Self::MemberMuted(user) => write!(f, "muting u{user}"),
            Self::OpenHistory => f.write_str("opening its history"),
            Self::Ranks(user) => write!(f, "having u{user} as its owner or an admin"),
        }
    }
}
