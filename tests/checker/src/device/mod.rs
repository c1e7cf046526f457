//! The devices: what an app on the SDK does and sees, and what a socket by hand does and sees.
//!
//! A device writes down what it does before it does it, and what it sees when it has seen it. What it has on its disk outlives its
//! crashes; what it had in flight then is gone on with by its next start.

pub(crate) mod connection;
pub(crate) mod raw;
pub(crate) mod sdk;

use crate::recorder::Recorder;
use anyhow::Result;
use std::time::Duration;
use wigwag_client::Url;
use wigwag_cluster::{Account, World};
use wigwag_invariants::{Conversation, DeviceIndex, DeviceKind, Event};
use wigwag_protocol::pb::SessionType;
use wigwag_store::{GroupId, UserId};

/// A request that is not answered for so long is repeated: functions run 5 s at most.
const ANSWER: Duration = Duration::from_secs(6);

/// Where devices connect to, and where they write down what happens.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// Where all is written down.
    pub(crate) recorder: Recorder,
    /// The WebSocket API.
    pub(crate) websocket_url: Url,
    /// The HTTP API.
    pub(crate) http_url: Url,
}

/// Who a device is.
#[derive(Debug, Clone)]
pub(crate) struct Participant {
    /// In the history.
    pub(crate) index: DeviceIndex,
    /// Whose it is, with a token for this device.
    pub(crate) account: Account,
    recorder: Recorder,
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Recipient {
    /// A user.
    User(UserId),
    /// A group or a super group.
    Group(GroupId),
}

/// A device of either kind.
#[derive(Debug)]
pub(crate) enum Device {
    /// The client SDK.
    Sdk(sdk::Sdk),
    /// A socket and frames by hand.
    Raw(raw::Raw),
}

impl Endpoints {
    /// Of a running stack.
    pub(crate) fn new(world: &World, recorder: &Recorder) -> Result<Self> {
        Ok(Self {
            recorder: recorder.clone(),
            websocket_url: world.stack.websocket_url.parse()?,
            http_url: world.stack.http_url.parse()?,
        })
    }

    /// Another device of a user takes part.
    pub(crate) fn participant(
        &self,
        world: &World,
        user: UserId,
        device: &str,
        kind: DeviceKind,
    ) -> Result<Participant> {
        let name = format!("u{user}.{device}");
        let account = world.member_on(user, &name)?;
        let index = self.recorder.device(user, name, kind);
        Ok(Participant {
            index,
            account,
            recorder: self.recorder.clone(),
        })
    }
}

impl Participant {
    /// Whose device it is.
    pub(crate) fn user(&self) -> UserId {
        self.account.user_id
    }

    /// Something happened on this device.
    pub(crate) fn note(&self, event: Event) {
        self.recorder.on(self.index, event);
    }
}

impl Recipient {
    /// The conversation that a message of this user to them is in.
    pub(crate) fn conversation(self, from: UserId) -> Conversation {
        match self {
            Self::User(user) => Conversation::pair(from, user),
            Self::Group(group) => Conversation::Group(group),
        }
    }

    /// As the wire has it.
    fn parts(self) -> (SessionType, u64) {
        match self {
            Self::User(user) => (SessionType::Single, user),
            Self::Group(group) => (SessionType::Group, group),
        }
    }
}

impl From<Recipient> for wigwag_client::Conversation {
    fn from(to: Recipient) -> Self {
        match to {
            Recipient::User(user) => Self::Peer(user),
            Recipient::Group(group) => Self::Group(group),
        }
    }
}

impl Device {
    /// Who it is.
    pub(crate) fn participant(&self) -> &Participant {
        match self {
            Self::Sdk(sdk) => sdk.participant(),
            Self::Raw(raw) => raw.participant(),
        }
    }
}
