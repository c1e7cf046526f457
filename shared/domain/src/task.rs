//! Tasks: the work that travels through the queue to the workers.

use crate::head::GroupSettings;
use crate::ids::{GroupId, RoomId, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use wigwag_protocol::pb;

/// Most members of a shard: what one task delivers to. A member's shard is fixed when they join.
pub const SHARD_MEMBERS: u64 = 500;

/// The most tasks that a sender enqueues itself. If there are more, it enqueues one dispatch task,
/// which enqueues them. Ten are one request.
const TASKS_PER_SENDER: u32 = 10;

/// Shards that one announcement is for: looking up the members costs a request per hundred of them,
/// and little else.
const SHARDS_PER_ANNOUNCEMENT: u32 = 2;

/// The age in ms from which an announcement is not pushed any more. It is a hint to read the log:
/// by then every device with our SDK has looked by itself, and later announcements have told the
/// others.
pub const ANNOUNCEMENT_MAX_AGE_MS: i64 = 15 * 60_000;

/// A message as a group's log has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Identity of the message.
    pub key: Vec<u8>,
    /// The message, with its conversation seq.
    pub message: pb::Message,
}

impl Logged {
    /// Its seq in the log.
    pub fn conversation_seq(&self) -> u64 {
        self.message.conversation_seq
    }
}

/// The users who get copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The members of a shard who are entitled to the message.
    Shard(u32),
    /// These users: in a super group, the ones that a change of members is about.
    Users(Vec<UserId>),
    /// Members with a pending copy: it could not be put with those of the others, who must not wait
    /// for it.
    #[serde(rename = "owed")]
    Pending {
        /// Their shard; `None` for chosen users.
        shard: Option<u32>,
        /// The members.
        users: Vec<UserId>,
    },
}

impl Audience {
    /// The shard whose delivery plans they follow; `None` for those of chosen users.
    pub fn shard(&self) -> Option<u32> {
        match self {
            Self::Shard(shard) => Some(*shard),
            Self::Users(_) => None,
            Self::Pending { shard, .. } => *shard,
        }
    }
}

/// The work of a worker.
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
    /// Finishes a change of a group if the function that began it died. Enqueued before the change
    /// begins.
    Finish {
        /// The group.
        group: GroupId,
        /// The change's version.
        version: u64,
        /// When it was about to begin, in ms.
        at_ms: i64,
    },
    /// Pushes a frame to the devices in a room, a page of them at a time.
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

/// The content of a frame to a room.
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

impl TaskError {
    /// The kind of error and its position, for the log. The error itself may quote the content of a
    /// message.
    pub fn location(&self) -> String {
        let Self(error) = self;
        format!(
            "{:?}, line {}, column {}",
            error.classify(),
            error.line(),
            error.column()
        )
    }
}

impl Task {
    /// The text that travels.
    #[expect(clippy::missing_panics_doc, reason = "JSON takes every task")]
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).expect("tasks have string keys and finite numbers only")
    }

    /// Reads it.
    pub fn from_body(body: &str) -> Result<Self, TaskError> {
        Ok(serde_json::from_str(body)?)
    }

    /// The message group (`MessageGroupId`): its tasks are carried out in order, one batch at a
    /// time. The announcement that a group became a super group is in the one of chosen users, so
    /// that it comes before later announcements: a user who learns first that they came back would
    /// miss the messages from before they left.
    pub fn message_group(&self) -> String {
        match self {
            Self::Deliver {
                group,
                audience: Audience::Shard(_) | Audience::Users(_),
                logged,
                ..
            } if became_super(&logged.message) => plans_group(*group, None),
            _ => self.recipients(),
        }
    }

    /// The message group by the recipients.
    fn recipients(&self) -> String {
        match self {
            Self::Deliver { group, audience, .. } => {
                let plans = plans_group(*group, audience.shard());
                match audience {
                    Audience::Shard(_) | Audience::Users(_) => plans,
                    // A message group of their own, so that nobody waits behind them. The digest
                    // tells sets apart.
                    Audience::Pending { users, .. } => format!("{plans}.{}", digest(users)),
                }
            }
            Self::Announce { group, shards, .. } => format!("g{group}.a{}", shards.start),
            Self::Dispatch { group, .. } => format!("g{group}"),
            // It waits for a lease, and nothing else may wait behind it.
            Self::Finish { group, version, .. } => format!("g{group}.f{version}"),
            Self::Room { room, after: None, .. } => format!("r{room}"),
            Self::Room {
                room,
                after: Some(after),
                ..
            } => format!("r{room}.{after}"),
        }
    }

    /// The `MessageDeduplicationId`: of two tasks with the same one, within five minutes, the queue
    /// drops the second.
    pub fn deduplication_id(&self) -> String {
        match self {
            Self::Deliver { logged, .. } | Self::Announce { logged, .. } | Self::Dispatch { logged, .. } => {
                format!("{}.{}", self.recipients(), logged.conversation_seq())
            }
            // If a function died before it began the change, another one may begin a change of the
            // same version.
            Self::Finish { at_ms, .. } => format!("{}.{at_ms}", self.recipients()),
            Self::Room { id, .. } => format!("{}.{id}", self.recipients()),
        }
    }
}

/// The message group of the tasks that follow the same delivery plans. The partition of these plans
/// happens to look alike; neither depends on the other.
fn plans_group(group: GroupId, shard: Option<u32>) -> String {
    match shard {
        Some(shard) => format!("g{group}.{shard}"),
        None => format!("g{group}.users"),
    }
}

fn became_super(message: &pb::Message) -> bool {
    let change = message.group_change.as_ref();
    change.is_some_and(|change| change.r#type() == pb::GroupChangeType::BecameSuper)
}

/// Sixteen digits that no other set of users has.
fn digest(users: &[UserId]) -> String {
    let mut digest = Sha256::new();
    for user in users {
        digest.update(user.0.to_be_bytes());
    }
    let first = digest.finalize().first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

/// The tasks that bring a message of a group to its members.
pub fn tasks_for(group: GroupId, settings: &GroupSettings, logged: &Logged, skip: Option<UserId>) -> Vec<Task> {
    let (shards, super_group) = (settings.shards, settings.is_super(logged.conversation_seq()));
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

/// A logged message in JSON: its key, and its protobuf in base64.
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

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = (1 << 53) - 1;

    fn logged(conversation_seq: u64) -> Logged {
        let message = pb::Message {
            session_type: pb::SessionType::Group.into(),
            receiver_id: 7,
            sender_id: 1,
            message_type: 1,
            content: b"hi".to_vec(),
            conversation_seq,
            ..pb::Message::default()
        };
        Logged {
            key: vec![1, 2, 255],
            message,
        }
    }

    fn settings(shards: u32, super_after: Option<u64>) -> GroupSettings {
        GroupSettings {
            version: 1,
            shards,
            super_after,
            ..GroupSettings::default()
        }
    }

    fn pending(shard: Option<u32>, users: &[UserId]) -> Audience {
        let users = users.to_vec();
        Audience::Pending { shard, users }
    }

    fn room(after: Option<&str>) -> Task {
        Task::Room {
            room: RoomId(MAX),
            id: "0b5fcb29-6d63-4b5f-9e39-8f0f2f0f6a60".to_owned(),
            sender: UserId(1),
            connection: "TXzPWdnOjoECGjA=".to_owned(),
            content: RoomContent::Signal(pb::SignalMsg::default()),
            after: after.map(str::to_owned),
        }
    }

    /// One of each kind, with ids as long as they get.
    fn all() -> Vec<Task> {
        let deliver = |audience| Task::Deliver {
            group: GroupId(MAX),
            audience,
            logged: logged(MAX),
            skip: Some(UserId(MAX)),
        };
        vec![
            deliver(Audience::Shard(199)),
            deliver(Audience::Users(vec![UserId(1), UserId(MAX)])),
            deliver(pending(Some(199), &[UserId(1), UserId(MAX)])),
            deliver(pending(Some(199), &[UserId(MAX)])),
            deliver(pending(Some(0), &[UserId(MAX)])),
            deliver(pending(None, &[UserId(MAX)])),
            Task::Announce {
                group: GroupId(MAX),
                shards: 198..200,
                logged: logged(MAX),
            },
            Task::Dispatch {
                group: GroupId(MAX),
                shards: 200,
                super_group: true,
                logged: logged(MAX),
                skip: None,
            },
            Task::Finish {
                group: GroupId(MAX),
                version: MAX,
                at_ms: 1_800_000_000_000,
            },
            Task::Finish {
                group: GroupId(MAX),
                version: MAX,
                at_ms: 1_800_000_000_001,
            },
            room(None),
            room(Some("JC1dgf9yoAMCK-g=")),
            Task::Room {
                room: RoomId(1),
                id: "1".to_owned(),
                sender: UserId(1),
                connection: "c".to_owned(),
                content: RoomContent::Message(logged(0).message),
                after: None,
            },
        ]
    }

    #[test]
    fn a_task_is_read_as_it_was_written() {
        for task in all() {
            assert_eq!(Task::from_body(&task.to_body()).unwrap(), task);
        }
    }

    #[test]
    fn the_json_of_a_task_does_not_change() {
        let task = Task::Deliver {
            group: GroupId(7),
            audience: Audience::Shard(2),
            logged: logged(9),
            skip: Some(UserId(1)),
        };
        let body = r#"{"task":"deliver","group":7,"audience":{"shard":2},"logged":{"key":"AQL/","message":"CAIQBxgBIAEqAmhpQAk="},"skip":1}"#;
        assert_eq!(task.to_body(), body);
        let announce = Task::Announce {
            group: GroupId(7),
            shards: 0..2,
            logged: logged(9),
        };
        let body = r#"{"task":"announce","group":7,"shards":{"start":0,"end":2},"logged":{"key":"AQL/","message":"CAIQBxgBIAEqAmhpQAk="}}"#;
        assert_eq!(announce.to_body(), body);
    }

    /// Otherwise one set would wait behind another, and the queue would drop the task of the second
    /// as a repeat.
    #[test]
    fn pending_copies_have_a_message_group_of_their_own() {
        let message_group = |audience| {
            let task = Task::Deliver {
                group: GroupId(7),
                audience,
                logged: logged(9),
                skip: None,
            };
            task.message_group()
        };
        assert_eq!(message_group(Audience::Shard(2)), "g7.2");
        assert_eq!(message_group(pending(Some(2), &[UserId(5)])), "g7.2.5dee4dd60ff8d0ba");
        assert_ne!(
            message_group(pending(Some(2), &[UserId(5)])),
            message_group(pending(Some(2), &[UserId(5), UserId(6)]))
        );
        assert_ne!(
            message_group(pending(Some(2), &[UserId(5)])),
            message_group(pending(Some(3), &[UserId(5)]))
        );
    }

    #[test]
    fn a_body_that_is_no_task_is_refused() {
        for body in ["", "{}", r#"{"task":"sing"}"#, r#"{"task":"deliver","group":7}"#] {
            assert!(Task::from_body(body).is_err(), "{body}");
        }
        let spoilt = all()[0].to_body().replace(r#""key":"AQL/""#, r#""key":"A""#);
        assert!(Task::from_body(&spoilt).is_err());
    }

    /// SQS takes up to 128 letters, digits and punctuation.
    #[test]
    fn the_queue_accepts_the_ids_of_every_task() {
        for task in all() {
            for id in [task.message_group(), task.deduplication_id()] {
                let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || byte.is_ascii_punctuation();
                assert!((1..=128).contains(&id.len()) && id.bytes().all(is_taken), "{id}");
            }
        }
    }

    #[test]
    fn no_two_tasks_of_a_message_have_the_same_deduplication_id() {
        let mut ids: Vec<String> = all().iter().map(Task::deduplication_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all().len());
    }

    #[test]
    fn becoming_super_comes_before_later_announcements_to_single_users() {
        let mut became = logged(9);
        became.message.group_change = Some(pb::GroupChange {
            r#type: pb::GroupChangeType::BecameSuper.into(),
            ..pb::GroupChange::default()
        });
        let told = Task::Deliver {
            group: GroupId(7),
            audience: Audience::Users(vec![UserId(1)]),
            logged: logged(10),
            skip: None,
        };
        let tasks = per_shard(GroupId(7), 2, false, &became, None);
        assert!(tasks.iter().all(|task| task.message_group() == told.message_group()));
        let ids: Vec<String> = tasks.iter().map(Task::deduplication_id).collect();
        assert_eq!(ids, ["g7.0.9", "g7.1.9"]);
    }

    #[test]
    fn each_shard_has_a_task_and_many_shards_have_one_dispatch_task() {
        let tasks =
            |shards, super_after| tasks_for(GroupId(7), &settings(shards, super_after), &logged(9), Some(UserId(1)));
        assert_eq!(tasks(10, None).len(), 10);
        assert_eq!(tasks(10, Some(9)).len(), 10, "message 9 is no super group's yet");
        let announced = tasks(19, Some(8));
        let span = |task: &Task| match task {
            Task::Announce { shards, .. } => shards.clone(),
            other => panic!("{other:?}"),
        };
        let spans: Vec<Range<u32>> = announced.iter().map(span).collect();
        assert_eq!((spans.len(), &spans[0], &spans[9]), (10, &(0..2), &(18..19)));
        for (shards, super_after) in [(11, None), (21, Some(8))] {
            assert!(matches!(tasks(shards, super_after).as_slice(), [Task::Dispatch { .. }]));
        }
        assert_eq!(per_shard(GroupId(7), 11, false, &logged(9), None).len(), 11);
    }
}
