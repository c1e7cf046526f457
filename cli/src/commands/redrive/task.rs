//! A task of the fan-out queue, as far as an operator needs to know it: what it does, and what
//! happens if it is sent back. The content of its message is not read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use wigwag_client::Message;

/// What a task does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TaskInfo {
    /// Delivers copies of a message to some members of a group.
    Deliver {
        group: u64,
        to: DeliverTo,
        message: MessageInfo,
    },
    /// Pushes a message of a super group.
    Announce {
        group: u64,
        shards: Shards,
        message: MessageInfo,
    },
    /// Creates the tasks of all shards of a large group.
    Dispatch { group: u64, message: MessageInfo },
    /// Finishes a change of a group whose function may have died.
    Finish { group: u64 },
    /// Pushes to the users in a room.
    Room { room: u64 },
}

/// The members that get copies.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeliverTo {
    Shard(u32),
    Users(Vec<u64>),
    /// Members with a pending copy, which could not be written with the others.
    Owed {
        users: Vec<u64>,
    },
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Shards {
    start: u32,
    end: u32,
}

/// Identifies the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageInfo {
    seq: u64,
    sender: u64,
    sent_at_ms: i64,
}

/// Workers push a message of a super group only if it is no older than this, in ms.
const ANNOUNCED_MS: i64 = 15 * 60_000;

/// What happens if a task is sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RedriveEffect {
    /// Work that is already done is not repeated.
    AppliedOnce,
    /// It is pushed to online users.
    Pushed,
    /// Workers drop it. Users who are online have read the message from the log.
    Dropped,
    /// It comes back, unless workers of another version can read it.
    ComesBack,
}

impl RedriveEffect {
    /// The form for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AppliedOnce => "stands_once",
            Self::Pushed => "pushed",
            Self::Dropped => "dropped",
            Self::ComesBack => "comes_back",
        }
    }

    /// The form for people: sent back, it …
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::AppliedOnce => "is applied once, even if it was already applied in part",
            Self::Pushed => "is pushed to online users",
            Self::Dropped => "is dropped, because it is too old to be pushed",
            Self::ComesBack => "comes back here, unless workers of another version can read it",
        }
    }
}

/// Why a task cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("this is not a task: {0}")]
    Form(#[from] serde_json::Error),
    #[error("its message cannot be read")]
    Message,
}

#[derive(Deserialize)]
struct JsonLogged {
    message: String,
}

impl JsonLogged {
    fn info(&self) -> Result<MessageInfo, Unreadable> {
        let bytes = STANDARD.decode(&self.message).map_err(|_| Unreadable::Message)?;
        let message = Message::decode(bytes.as_slice()).map_err(|_| Unreadable::Message)?;
        Ok(MessageInfo {
            seq: message.conversation_seq,
            sender: message.sender_id,
            sent_at_ms: message.send_time,
        })
    }
}

#[derive(Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
enum JsonTask {
    Deliver {
        group: u64,
        audience: DeliverTo,
        logged: JsonLogged,
    },
    Announce {
        group: u64,
        shards: Shards,
        logged: JsonLogged,
    },
    Dispatch {
        group: u64,
        logged: JsonLogged,
    },
    Finish {
        group: u64,
    },
    Room {
        room: u64,
    },
}

impl TaskInfo {
    /// Parses the body of a queue message.
    pub(super) fn read(body: &str) -> Result<Self, Unreadable> {
        Ok(match serde_json::from_str(body)? {
            JsonTask::Deliver {
                group,
                audience,
                logged,
            } => Self::Deliver {
                group,
                to: audience,
                message: logged.info()?,
            },
            JsonTask::Announce { group, shards, logged } => Self::Announce {
                group,
                shards,
                message: logged.info()?,
            },
            JsonTask::Dispatch { group, logged } => Self::Dispatch {
                group,
                message: logged.info()?,
            },
            JsonTask::Finish { group } => Self::Finish { group },
            JsonTask::Room { room } => Self::Room { room },
        })
    }

    /// The group that it concerns.
    pub(super) fn group(&self) -> Option<u64> {
        match self {
            Self::Deliver { group, .. }
            | Self::Announce { group, .. }
            | Self::Dispatch { group, .. }
            | Self::Finish { group } => Some(*group),
            Self::Room { .. } => None,
        }
    }

    /// What happens if it is sent back now.
    pub(super) fn redrive_effect(&self, now_ms: i64) -> RedriveEffect {
        match self {
            Self::Deliver { .. } | Self::Dispatch { .. } | Self::Finish { .. } => RedriveEffect::AppliedOnce,
            Self::Announce { message, .. } if now_ms.saturating_sub(message.sent_at_ms) <= ANNOUNCED_MS => {
                RedriveEffect::Pushed
            }
            // A room message is pushed for a minute, and workers give up a task after six.
            Self::Announce { .. } | Self::Room { .. } => RedriveEffect::Dropped,
        }
    }

    /// The form for programs.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Deliver {
                group,
                to: DeliverTo::Shard(shard),
                message,
            } => {
                json!({ "task": "deliver", "group_id": group, "shard": shard, "conversation_seq": message.seq, "sender_id": message.sender })
            }
            Self::Deliver {
                group,
                to: DeliverTo::Users(users) | DeliverTo::Owed { users },
                message,
            } => {
                json!({ "task": "deliver", "group_id": group, "user_ids": users, "conversation_seq": message.seq, "sender_id": message.sender })
            }
            Self::Announce { group, shards, message } => {
                let shards = json!({ "start": shards.start, "end": shards.end });
                json!({ "task": "announce", "group_id": group, "shards": shards, "conversation_seq": message.seq, "sender_id": message.sender })
            }
            Self::Dispatch { group, message } => {
                json!({ "task": "dispatch", "group_id": group, "conversation_seq": message.seq, "sender_id": message.sender })
            }
            Self::Finish { group } => json!({ "task": "finish", "group_id": group }),
            Self::Room { room } => json!({ "task": "room", "room_id": room }),
        }
    }
}

/// The form for people.
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver { group, to, message } => {
                let seq = message.seq;
                match to {
                    DeliverTo::Shard(shard) => write!(f, "deliver message {seq} of group {group} to its shard {shard}"),
                    DeliverTo::Users(users) => {
                        write!(f, "deliver message {seq} of group {group} to {} users", users.len())
                    }
                    DeliverTo::Owed { users } => {
                        let users = users.len();
                        write!(
                            f,
                            "deliver message {seq} of group {group} to {users} users whose copies are pending"
                        )
                    }
                }
            }
            Self::Announce { group, shards, message } => write!(
                f,
                "announce message {} of super group {group} to its shards {} to {}",
                message.seq,
                shards.start,
                shards.end.saturating_sub(1)
            ),
            Self::Dispatch { group, message } => {
                write!(f, "dispatch message {} of group {group} to all its shards", message.seq)
            }
            Self::Finish { group } => write!(f, "finish a change of group {group}"),
            Self::Room { room } => write!(f, "push to room {room}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged() -> Value {
        let message = Message {
            conversation_seq: 5,
            sender_id: 7,
            content: b"secret".to_vec(),
            ..Message::default()
        };
        json!({ "key": "a2V5", "message": STANDARD.encode(message.encode_to_vec()) })
    }

    fn said(task: &Value) -> String {
        TaskInfo::read(&task.to_string()).unwrap().to_string()
    }

    #[test]
    fn every_task_is_described_without_its_message_content() {
        let deliver =
            json!({ "task": "deliver", "group": 12, "audience": { "shard": 3 }, "logged": logged(), "skip": 7 });
        assert_eq!(said(&deliver), "deliver message 5 of group 12 to its shard 3");
        let users = json!({ "task": "deliver", "group": 12, "audience": { "users": [1, 2] }, "logged": logged(), "skip": null });
        assert_eq!(said(&users), "deliver message 5 of group 12 to 2 users");
        let announce =
            json!({ "task": "announce", "group": 12, "shards": { "start": 2, "end": 4 }, "logged": logged() });
        assert_eq!(
            said(&announce),
            "announce message 5 of super group 12 to its shards 2 to 3"
        );
        let dispatch = json!({ "task": "dispatch", "group": 12, "shards": 20, "super_group": false, "logged": logged(), "skip": 7 });
        assert_eq!(said(&dispatch), "dispatch message 5 of group 12 to all its shards");
        let room = json!({ "task": "room", "room": 4, "id": "x", "sender": 1, "connection": "c", "content": {} });
        assert_eq!(said(&room), "push to room 4");
        let data = TaskInfo::read(&deliver.to_string()).unwrap().to_json();
        assert_eq!((&data["shard"], &data["conversation_seq"]), (&json!(3), &json!(5)));
    }

    #[test]
    fn the_effect_of_sending_back_depends_on_the_kind_and_age_of_a_task() {
        let sent_ms = 1_800_000_000_000;
        let message = MessageInfo {
            seq: 5,
            sender: 7,
            sent_at_ms: sent_ms,
        };
        let copies = TaskInfo::Deliver {
            group: 12,
            to: DeliverTo::Shard(3),
            message,
        };
        let announced = TaskInfo::Announce {
            group: 12,
            shards: Shards { start: 0, end: 2 },
            message,
        };
        let room = TaskInfo::Room { room: 4 };
        let effects = |age_ms: i64| [&copies, &announced, &room].map(|task| task.redrive_effect(sent_ms + age_ms));
        assert_eq!(
            effects(900_000),
            [
                RedriveEffect::AppliedOnce,
                RedriveEffect::Pushed,
                RedriveEffect::Dropped
            ]
        );
        assert_eq!(
            effects(900_001),
            [
                RedriveEffect::AppliedOnce,
                RedriveEffect::Dropped,
                RedriveEffect::Dropped
            ]
        );
        assert_eq!([copies.group(), room.group()], [Some(12), None]);
    }

    #[test]
    fn an_unreadable_task_says_why() {
        for body in ["", "not a task", "{}", r#"{"task":"dance","group":1}"#] {
            let error = TaskInfo::read(body).unwrap_err();
            assert!(error.to_string().starts_with("this is not a task"), "{body}: {error}");
        }
        let broken = json!({ "task": "deliver", "group": 1, "audience": { "shard": 0 }, "logged": { "key": "", "message": "!" } });
        assert!(matches!(TaskInfo::read(&broken.to_string()), Err(Unreadable::Message)));
    }
}
