//! The devices of a run: apps on the client SDK, and raw sockets.
//!
//! A device records what it does before it does it, and what it sees after it has seen it. Its disk
//! survives its crashes, and its next start goes on with what was in flight.

pub(crate) mod connection;
mod disk;
pub(crate) mod raw;
pub(crate) mod sdk;

use crate::recorder::Recorder;
use anyhow::Result;
use std::time::Duration;
use wigwag_client::Url;
use wigwag_cluster::{Account, Cluster};
use wigwag_invariants::{Conversation, DeviceIndex, DeviceKind, Event, GroupId, UserId};
use wigwag_protocol::pb::SessionType;

/// A request that is not answered by then is repeated. Functions run for at most 5 s.
const ANSWER: Duration = Duration::from_secs(6);

/// Where devices connect to, and where they record what happens.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// Records everything.
    pub(crate) recorder: Recorder,
    /// The WebSocket API.
    pub(crate) websocket_url: Url,
    /// The HTTP API.
    pub(crate) http_url: Url,
}

/// Identifies a device, and records what happens on it.
#[derive(Debug, Clone)]
pub(crate) struct Participant {
    /// Its index in the history.
    pub(crate) index: DeviceIndex,
    /// Its user, with a token for this device.
    pub(crate) account: Account,
    recorder: Recorder,
}

/// The recipient of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Recipient {
    /// A user.
    User(UserId),
    /// A group or a super group.
    Group(GroupId),
}

/// A device of any kind.
#[derive(Debug)]
pub(crate) enum TestDevice {
    /// On the client SDK.
    Sdk(sdk::Sdk),
    /// On a bare socket.
    Raw(raw::Raw),
}

impl Endpoints {
    /// The endpoints of a running stack.
    pub(crate) fn new(cluster: &Cluster, recorder: &Recorder) -> Result<Self> {
        Ok(Self {
            recorder: recorder.clone(),
            websocket_url: cluster.stack.websocket_url.parse()?,
            http_url: cluster.stack.http_url.parse()?,
        })
    }

    /// Adds a device of a user.
    pub(crate) fn participant(
        &self,
        cluster: &Cluster,
        user: UserId,
        device: &str,
        kind: DeviceKind,
    ) -> Result<Participant> {
        let name = format!("u{user}.{device}");
        let account = cluster.member_on(user, &name)?;
        let index = self.recorder.device(user, name, kind);
        Ok(Participant {
            index,
            account,
            recorder: self.recorder.clone(),
        })
    }
}

impl Participant {
    /// The user of the device.
    pub(crate) fn user(&self) -> UserId {
        self.account.user_id
    }

    /// Records an event on this device.
    pub(crate) fn note(&self, event: Event) {
        self.recorder.on(self.index, event);
    }
}

impl Recipient {
    /// The conversation between this user and the recipient.
    pub(crate) fn conversation(self, from: UserId) -> Conversation {
        match self {
            Self::User(user) => Conversation::pair(from, user),
            Self::Group(group) => Conversation::Group(group),
        }
    }

    /// The session type and the receiver, as the wire has them.
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

impl TestDevice {
    /// Identifies it.
    pub(crate) fn participant(&self) -> &Participant {
        match self {
            Self::Sdk(sdk) => sdk.participant(),
            Self::Raw(raw) => raw.participant(),
        }
    }
}
