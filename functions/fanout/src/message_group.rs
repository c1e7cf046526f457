//! Records of the queue, by message group.

use aws_lambda_events::sqs::SqsMessage;
use wigwag_domain::task::{Task, TaskError};
use wigwag_edge::Error;

/// A message of the queue.
#[derive(Debug)]
pub(crate) struct Record {
    /// Its id in the queue.
    pub(crate) id: String,
    /// The receipt handle of this delivery.
    pub(crate) receipt: String,
    /// Its body.
    pub(crate) body: String,
    /// Its task, or why the body is none.
    pub(crate) task: Result<Task, TaskError>,
    /// How often the queue has handed it out, this time included; approximately.
    pub(crate) receives: u32,
    /// When it did so first, in ms since 1970; approximately.
    pub(crate) first_received_ms: i64,
}

impl Record {
    /// Whether another worker may have begun with it.
    pub(crate) fn is_redelivered(&self) -> bool {
        self.receives != 1
    }
}

/// The records of one message group, in the order of the queue.
#[derive(Debug)]
pub(crate) struct MessageGroup {
    /// The message group.
    pub(crate) id: String,
    /// At least one.
    pub(crate) records: Vec<Record>,
}

impl MessageGroup {
    /// The next records, from this index on, that are one piece of work. `None`: the group ends
    /// there.
    pub(crate) fn run(&self, from: usize) -> Option<&[Record]> {
        let mut runs = self.records[from..].chunk_by(|one, next| match (&one.task, &next.task) {
            (Ok(one), Ok(next)) => are_alike(one, next),
            _ => false,
        });
        runs.next()
    }
}

/// Whether two tasks are for the same recipients.
fn are_alike(one: &Task, other: &Task) -> bool {
    match (one, other) {
        (
            Task::Deliver { group, audience, .. },
            Task::Deliver {
                group: other_group,
                audience: other_audience,
                ..
            },
        ) => (group, audience) == (other_group, other_audience),
        (
            Task::Announce { group, shards, .. },
            Task::Announce {
                group: other_group,
                shards: other_shards,
                ..
            },
        ) => (group, shards) == (other_group, other_shards),
        (
            Task::Room { room, after, .. },
            Task::Room {
                room: other_room,
                after: other_after,
                ..
            },
        ) => (room, after) == (other_room, other_after),
        _ => false,
    }
}

/// Splits a batch into message groups. An error: it is not the batch of a FIFO queue.
pub(crate) fn split(messages: Vec<SqsMessage>) -> Result<Vec<MessageGroup>, Error> {
    let mut groups: Vec<MessageGroup> = Vec::new();
    for message in messages {
        let attribute = |name: &str| message.attributes.get(name);
        let id = attribute("MessageGroupId").ok_or("a record has no MessageGroupId")?;
        let receives = attribute("ApproximateReceiveCount").ok_or("a record has no ApproximateReceiveCount")?;
        let first_received_ms = attribute("ApproximateFirstReceiveTimestamp")
            .ok_or("a record has no ApproximateFirstReceiveTimestamp")?
            .parse()?;
        let body = message.body.unwrap_or_default();
        let record = Record {
            id: message.message_id.ok_or("a record has no messageId")?,
            receipt: message.receipt_handle.ok_or("a record has no receiptHandle")?,
            task: Task::from_body(&body),
            body,
            receives: receives.parse()?,
            first_received_ms,
        };
        match groups.iter_mut().find(|group| group.id == *id) {
            Some(group) => group.records.push(record),
            None => groups.push(MessageGroup {
                id: id.clone(),
                records: vec![record],
            }),
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wigwag_domain::task::{Audience, Logged};
    use wigwag_domain::{GroupId, UserId};
    use wigwag_protocol::pb::Message;

    fn logged(seq: u64) -> Logged {
        Logged {
            key: vec![1],
            message: Message {
                conversation_seq: seq,
                ..Message::default()
            },
        }
    }

    fn deliver(audience: Audience, seq: u64) -> String {
        let task = Task::Deliver {
            group: GroupId(7),
            audience,
            logged: logged(seq),
            skip: None,
        };
        task.to_body()
    }

    fn message(id: &str, message_group: &str, receives: &str, body: &str) -> SqsMessage {
        let record = json!({
            "messageId": id,
            "receiptHandle": format!("receipt of {id}"),
            "body": body,
            "attributes": {
                "MessageGroupId": message_group,
                "ApproximateReceiveCount": receives,
                "ApproximateFirstReceiveTimestamp": "1800000000000",
            },
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn each_message_group_keeps_its_order() {
        let shard = |seq| deliver(Audience::Shard(0), seq);
        let groups = split(vec![
            message("1", "a", "1", &shard(1)),
            message("2", "b", "2", &shard(1)),
            message("3", "a", "1", &shard(2)),
        ])
        .unwrap();
        let seen: Vec<(&str, Vec<(&str, bool)>)> = groups
            .iter()
            .map(|group| {
                let records = group
                    .records
                    .iter()
                    .map(|record| (record.id.as_str(), record.is_redelivered()));
                (group.id.as_str(), records.collect())
            })
            .collect();
        assert_eq!(
            seen,
            [("a", vec![("1", false), ("3", false)]), ("b", vec![("2", true)])]
        );
    }

    #[test]
    fn consecutive_tasks_for_the_same_recipients_are_one_run() {
        let lengths = |bodies: &[String]| -> Vec<usize> {
            let messages = bodies.iter().map(|body| message("1", "a", "1", body)).collect();
            let groups = split(messages).unwrap();
            let mut lengths = Vec::new();
            while let Some(run) = groups[0].run(lengths.iter().sum()) {
                lengths.push(run.len());
            }
            lengths
        };
        let (one, two) = (
            |seq| deliver(Audience::Shard(0), seq),
            |seq| deliver(Audience::Shard(1), seq),
        );
        let users = |ids: Vec<u64>| deliver(Audience::Users(ids.into_iter().map(UserId).collect()), 9);
        let announce = |shards| {
            let task = Task::Announce {
                group: GroupId(7),
                shards,
                logged: logged(1),
            };
            task.to_body()
        };
        assert_eq!(lengths(&[one(1), one(2), two(2), one(3)]), [2, 1, 1]);
        assert_eq!(lengths(&[users(vec![1]), users(vec![1]), users(vec![2])]), [2, 1]);
        assert_eq!(lengths(&[announce(0..2), announce(0..2), announce(0..1)]), [2, 1]);
        let unreadable = || "{}".to_owned();
        assert_eq!(lengths(&[one(1), unreadable(), unreadable(), one(2)]), [1, 1, 1, 1]);
    }
}
