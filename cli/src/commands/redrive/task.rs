//! A task of the fan-out queue, as far as an operator needs to know it: what it does, and what
//! happens if it is sent back. The content of its message is not shown.

use serde_json::{Value, json};
use wigwag_domain::task::{ANNOUNCEMENT_MAX_AGE_MS, Audience, Task};

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

/// Parses the body of a queue message, as workers do.
///
/// # Errors
/// Why it cannot be read. The text quotes nothing of the body, which may hold a message.
pub(super) fn read(body: &str) -> Result<Task, String> {
    Task::from_body(body).map_err(|error| format!("this is not a task: {}", error.location()))
}

/// The group that a task concerns.
pub(super) fn group(task: &Task) -> Option<u64> {
    match task {
        Task::Deliver { group, .. }
        | Task::Announce { group, .. }
        | Task::Dispatch { group, .. }
        | Task::Finish { group, .. } => Some(group.0),
        Task::Room { .. } => None,
    }
}

/// What happens if a task is sent back now.
pub(super) fn redrive_effect(task: &Task, now_ms: i64) -> RedriveEffect {
    match task {
        Task::Deliver { .. } | Task::Dispatch { .. } | Task::Finish { .. } => RedriveEffect::AppliedOnce,
        Task::Announce { logged, .. } if now_ms.saturating_sub(logged.message.send_time) <= ANNOUNCEMENT_MAX_AGE_MS => {
            RedriveEffect::Pushed
        }
        // A room message is pushed for a minute, and workers give up a task after six.
        Task::Announce { .. } | Task::Room { .. } => RedriveEffect::Dropped,
    }
}

/// The form for programs.
pub(super) fn to_json(task: &Task) -> Value {
    let (name, details) = match task {
        Task::Deliver {
            audience: Audience::Shard(shard),
            ..
        } => ("deliver", json!({ "shard": shard })),
        Task::Deliver {
            audience: Audience::Users(users) | Audience::Pending { users, .. },
            ..
        } => ("deliver", json!({ "user_ids": users })),
        Task::Announce { shards, .. } => (
            "announce",
            json!({ "shards": { "start": shards.start, "end": shards.end } }),
        ),
        Task::Dispatch { .. } => ("dispatch", json!({})),
        Task::Finish { .. } => ("finish", json!({})),
        Task::Room { room, .. } => ("room", json!({ "room_id": room })),
    };
    let mut data = json!({ "task": name });
    if let Some(group) = group(task) {
        data["group_id"] = group.into();
    }
    crate::output::merge(&mut data, &details);
    if let Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. } = task {
        data["conversation_seq"] = logged.conversation_seq().into();
        data["sender_id"] = logged.message.sender_id.into();
    }
    data
}

/// The form for people.
pub(super) fn description(task: &Task) -> String {
    match task {
        Task::Deliver {
            group,
            audience,
            logged,
            ..
        } => {
            let to = match audience {
                Audience::Shard(shard) => format!("its shard {shard}"),
                Audience::Users(users) => format!("{} users", users.len()),
                Audience::Pending { users, .. } => format!("{} users whose copies are pending", users.len()),
            };
            format!("deliver message {} of group {group} to {to}", logged.conversation_seq())
        }
        Task::Announce { group, shards, logged } => format!(
            "announce message {} of super group {group} to its shards {} to {}",
            logged.conversation_seq(),
            shards.start,
            shards.end.saturating_sub(1)
        ),
        Task::Dispatch { group, logged, .. } => {
            format!(
                "dispatch message {} of group {group} to all its shards",
                logged.conversation_seq()
            )
        }
        Task::Finish { group, .. } => format!("finish a change of group {group}"),
        Task::Room { room, .. } => format!("push to room {room}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_client::Message;
    use wigwag_domain::task::{Logged, RoomContent};
    use wigwag_domain::{GroupId, RoomId, UserId};

    const SENT_MS: i64 = 1_800_000_000_000;

    fn logged() -> Logged {
        let message = Message {
            conversation_seq: 5,
            sender_id: 7,
            send_time: SENT_MS,
            content: b"secret".to_vec(),
            ..Message::default()
        };
        Logged {
            key: b"key".to_vec(),
            message,
        }
    }

    fn deliver(audience: Audience) -> Task {
        Task::Deliver {
            group: GroupId(12),
            audience,
            logged: logged(),
            skip: Some(UserId(7)),
        }
    }

    fn announce() -> Task {
        Task::Announce {
            group: GroupId(12),
            shards: 2..4,
            logged: logged(),
        }
    }

    fn room() -> Task {
        Task::Room {
            room: RoomId(4),
            id: "x".to_owned(),
            sender: UserId(7),
            connection: "c".to_owned(),
            content: RoomContent::Message(logged().message),
            after: None,
        }
    }

    /// What is said of a task that was in the queue.
    fn said(task: &Task) -> String {
        description(&read(&task.to_body()).unwrap())
    }

    #[test]
    fn every_task_is_described_without_its_message_content() {
        let shard = deliver(Audience::Shard(3));
        assert_eq!(said(&shard), "deliver message 5 of group 12 to its shard 3");
        let users = vec![UserId(1), UserId(2)];
        assert_eq!(
            said(&deliver(Audience::Users(users.clone()))),
            "deliver message 5 of group 12 to 2 users"
        );
        let pending = deliver(Audience::Pending { shard: None, users });
        assert_eq!(
            said(&pending),
            "deliver message 5 of group 12 to 2 users whose copies are pending"
        );
        assert_eq!(
            said(&announce()),
            "announce message 5 of super group 12 to its shards 2 to 3"
        );
        let dispatch = Task::Dispatch {
            group: GroupId(12),
            shards: 20,
            super_group: false,
            logged: logged(),
            skip: None,
        };
        assert_eq!(said(&dispatch), "dispatch message 5 of group 12 to all its shards");
        assert_eq!(said(&room()), "push to room 4");
    }

    #[test]
    fn programs_get_the_same_by_name() {
        let message = json!({ "group_id": 12, "conversation_seq": 5, "sender_id": 7 });
        for (task, rest) in [
            (deliver(Audience::Shard(3)), json!({ "task": "deliver", "shard": 3 })),
            (
                deliver(Audience::Users(vec![UserId(1)])),
                json!({ "task": "deliver", "user_ids": [1] }),
            ),
            (
                announce(),
                json!({ "task": "announce", "shards": { "start": 2, "end": 4 } }),
            ),
        ] {
            let mut expected = rest;
            crate::output::merge(&mut expected, &message);
            assert_eq!(to_json(&task), expected);
        }
        let finish = Task::Finish {
            group: GroupId(12),
            version: 3,
            at_ms: SENT_MS,
        };
        assert_eq!(to_json(&finish), json!({ "task": "finish", "group_id": 12 }));
        assert_eq!(to_json(&room()), json!({ "task": "room", "room_id": 4 }));
    }

    #[test]
    fn the_effect_of_sending_back_depends_on_the_kind_and_age_of_a_task() {
        use RedriveEffect::{AppliedOnce, Dropped, Pushed};
        let tasks = [deliver(Audience::Shard(3)), announce(), room()];
        let effects = |age_ms: i64| tasks.each_ref().map(|task| redrive_effect(task, SENT_MS + age_ms));
        assert_eq!(effects(900_000), [AppliedOnce, Pushed, Dropped]);
        assert_eq!(effects(900_001), [AppliedOnce, Dropped, Dropped]);
        assert_eq!(tasks.each_ref().map(group), [Some(12), Some(12), None]);
    }

    #[test]
    fn an_unreadable_task_says_why_and_quotes_nothing() {
        let broken = deliver(Audience::Shard(0))
            .to_body()
            .replace("\"message\":\"", "\"message\":\"!");
        for body in ["", "not a task", "{}", r#"{"task":"dance","group":1}"#, &broken] {
            let error = read(body).unwrap_err();
            assert!(error.starts_with("this is not a task: "), "{body}: {error}");
            assert!(!error.contains("dance"), "{error}");
        }
    }
}
