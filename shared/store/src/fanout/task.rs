//! Tasks: what a worker is to do, as it travels through the queue.

use crate::error::StoreError;
use crate::head::GroupSettings;
use crate::ids::{GroupId, RoomId, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use wigwag_protocol::pb;

/// Tasks that a sender enqueues itself; where there would be more, it enqueues one that enqueues the rest. Ten are one request.
const TASKS_PER_SENDER: u32 = 10;

/// Shards that one announcement is for: a super group costs a request per hundred members to look up, and little else.
const SHARDS_PER_ANNOUNCEMENT: u32 = 2;

/// A message as it stands in a group's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Identity of the message.
    pub key: Vec<u8>,
    /// The message, with its conversation seq.
    pub message: pb::Message,
}

impl Logged {
    /// Its seq in the log.
    pub fn seq(&self) -> u64 {
        self.message.conversation_seq
    }
}

/// Who gets copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The members of a shard who are entitled to the message.
    Shard(u32),
    /// These users: in a super group, those whom a change of its members is about.
    Users(Vec<UserId>),
}

/// What a worker is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Copies a message into inboxes, and pushes it.
    Deliver {
        /// The group.
        group: GroupId,
        /// Whose inboxes.
        audience: Audience,
        /// The message.
        logged: Logged,
        /// The sender, who has a copy already.
        skip: Option<UserId>,
    },
    /// Pushes a message of a super group to the members who are online.
    Announce {
        /// The group.
        group: GroupId,
        /// The shards whose members it is for.
        shards: Range<u32>,
        /// The message.
        logged: Logged,
    },
    /// Enqueues `tasks_for` the message: its sender does not wait for so many shards.
    Dispatch {
        /// The group.
        group: GroupId,
        /// As the head of its log was when the message was reserved, or later.
        shards: u32,
        /// Whether it is announced, not copied.
        super_group: bool,
        /// The message.
        logged: Logged,
        /// The sender, who has a copy already.
        skip: Option<UserId>,
    },
    /// Pushes a frame to who is in a room, a page of them at a time.
    Room {
        /// The room.
        room: RoomId,
        /// Different for every frame, so that none is taken for a repeat of another.
        id: String,
        /// The user whose device sent it, which has it already.
        sender: UserId,
        /// That device's connection.
        connection: String,
        /// What to push.
        content: RoomContent,
        /// Go on after this connection; `None`: begin.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
}

/// What is said in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomContent {
    /// A message.
    Message(#[serde(with = "protobuf")] pb::Message),
    /// A signal.
    Signal(#[serde(with = "protobuf")] pb::SignalMsg),
}

/// Why a task cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the task cannot be read: {0}")]
pub struct TaskError(#[from] serde_json::Error);

impl Task {
    /// The text that travels.
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).expect("tasks have string keys and finite numbers only")
    }

    /// Reads it.
    pub fn from_body(body: &str) -> Result<Self, TaskError> {
        Ok(serde_json::from_str(body)?)
    }

    /// The `MessageGroupId`: tasks with the same one are carried out in order, one batch at a time.
    pub fn ordering(&self) -> String {
        match self {
            Self::Deliver {
                group,
                audience: Audience::Shard(shard),
                ..
            } => format!("g{group}.{shard}"),
            Self::Deliver {
                group,
                audience: Audience::Users(_),
                ..
            } => format!("g{group}.users"),
            Self::Announce { group, shards, .. } => format!("g{group}.a{}", shards.start),
            Self::Dispatch { group, .. } => format!("g{group}"),
            Self::Room { room, after: None, .. } => format!("r{room}"),
            Self::Room {
                room,
                after: Some(after),
                ..
            } => format!("r{room}.{after}"),
        }
    }

    /// The `MessageDeduplicationId`: of two tasks with the same one, within five minutes, the queue drops the second.
    pub fn deduplication(&self) -> String {
        match self {
            Self::Deliver { logged, .. } | Self::Announce { logged, .. } | Self::Dispatch { logged, .. } => {
                format!("{}.{}", self.ordering(), logged.seq())
            }
            Self::Room { id, .. } => format!("{}.{id}", self.ordering()),
        }
    }
}

/// The tasks that bring a message of a group to its members.
pub fn tasks_for(group: GroupId, settings: &GroupSettings, logged: &Logged, skip: Option<UserId>) -> Vec<Task> {
    let (shards, super_group) = (settings.shards, settings.is_super(logged.seq()));
    let per_task = if super_group { SHARDS_PER_ANNOUNCEMENT } else { 1 };
    if shards.div_ceil(per_task) > TASKS_PER_SENDER {
        let logged = logged.clone();
        return vec![Task::Dispatch {
            group,
            shards,
            super_group,
            logged,
            skip,
        }];
    }
    per_shard(group, shards, super_group, logged, skip)
}

/// One task for each shard, or for each few.
pub fn per_shard(group: GroupId, shards: u32, super_group: bool, logged: &Logged, skip: Option<UserId>) -> Vec<Task> {
    let logged = || logged.clone();
    if super_group {
        let starts = (0..shards).step_by(SHARDS_PER_ANNOUNCEMENT as usize);
        let range = |start| start..shards.min(start + SHARDS_PER_ANNOUNCEMENT);
        starts
            .map(|start| Task::Announce {
                group,
                shards: range(start),
                logged: logged(),
            })
            .collect()
    } else {
        let deliver = |shard| Task::Deliver {
            group,
            audience: Audience::Shard(shard),
            logged: logged(),
            skip,
        };
        (0..shards).map(deliver).collect()
    }
}

/// Where tasks go: the FIFO queue.
pub trait TaskQueue: Sync {
    /// Enqueues all of them, or fails. After a failure any of them may be enqueued: the caller enqueues them again, or reports
    /// that it could not.
    fn enqueue(&self, tasks: &[Task]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A logged message in JSON: its key and its protobuf in base64.
#[derive(Serialize, Deserialize)]
struct JsonLogged {
    key: String,
    #[serde(with = "protobuf")]
    message: pb::Message,
}

impl Serialize for Logged {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, message) = (STANDARD.encode(&self.key), self.message.clone());
        JsonLogged { key, message }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Logged {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let JsonLogged { key, message } = JsonLogged::deserialize(deserializer)?;
        let key = STANDARD
            .decode(key)
            .map_err(|_| serde::de::Error::custom("the key is not base64"))?;
        Ok(Self { key, message })
    }
}

/// A protobuf message in JSON, as base64.
mod protobuf {
    use super::STANDARD;
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(message: &impl prost::Message, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(message.encode_to_vec()))
    }

    pub(super) fn deserialize<'de, M: prost::Message + Default, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<M, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("not base64"))?;
        M::decode(bytes.as_slice()).map_err(|_| D::Error::custom("not the message that belongs here"))
    }
}
