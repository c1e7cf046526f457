//! Every kind of task, as a dead letter.
use anyhow::Result;
use wigwag_cluster::{Cli, Cluster, events_named};
use wigwag_domain::task::{Audience, Logged, RoomContent, Task};
use wigwag_domain::{GroupId, RoomId, UserId};
use wigwag_protocol::pb::Message;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_can_read_every_kind_of_task() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    let dead = &cluster.stack.queue_urls()["FanoutDeadLetterQueue"];
    let dead_letters = cluster.queue_at(dead);
    let tasks = one_of_each_kind();
    for (index, task) in tasks.iter().enumerate() {
        let id = index.to_string();
        dead_letters
            .dead_letter(&task.to_body(), &task.message_group(), &id, "by hand")
            .await?;
    }
    let lines = cli.json(&["redrive", "--queue-url", dead]).await?;
    let letters = events_named(&lines, "dead_letter");
    assert_eq!(letters.len(), tasks.len(), "{lines:?}");
    for letter in letters {
        assert!(
            letter["task"].is_string() && letter["sent_back"] != "comes_back",
            "{letter}"
        );
    }
    cluster.stop().await;
    Ok(())
}

/// One task of each kind. The compiler asks for every new kind.
fn one_of_each_kind() -> Vec<Task> {
    let logged = Logged {
        key: vec![1],
        message: Message {
            conversation_seq: 9,
            ..Message::default()
        },
    };
    let deliver = |audience| Task::Deliver {
        group: GroupId(7),
        audience,
        logged: logged.clone(),
        skip: None,
    };
    let next = |task: Option<&Task>| match task {
        None => Some(deliver(Audience::Shard(0))),
        Some(Task::Deliver { audience, .. }) => Some(match audience {
            Audience::Shard(_) => deliver(Audience::Users(vec![UserId(1)])),
            Audience::Users(users) => deliver(Audience::Pending {
                shard: Some(0),
                users: users.clone(),
            }),
            Audience::Pending { .. } => Task::Announce {
                group: GroupId(7),
                shards: 0..2,
                logged: logged.clone(),
            },
        }),
        Some(Task::Announce { .. }) => Some(Task::Dispatch {
            group: GroupId(7),
            shards: 11,
            super_group: false,
            logged: logged.clone(),
            skip: None,
        }),
        Some(Task::Dispatch { .. }) => Some(Task::Finish {
            group: GroupId(7),
            version: 1,
            at_ms: 1,
        }),
        Some(Task::Finish { .. }) => Some(Task::Room {
            room: RoomId(5),
            id: "frame".to_owned(),
            sender: UserId(1),
            connection: "a=".to_owned(),
            content: RoomContent::Message(logged.message.clone()),
            after: None,
        }),
        Some(Task::Room { .. }) => None,
    };
    std::iter::successors(next(None), |task| next(Some(task))).collect()
}
