//! Makes each function do everything that it can do.
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::{Account, Cluster, Device, Kept, now_ms};
use wigwag_domain::connection::Connection;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::task::{Logged, Task};
use wigwag_domain::{DeviceKey, GroupId, RoomId, UserId};
use wigwag_messaging::TaskQueue;
use wigwag_messaging::connect::ConnectionPolicy;
use wigwag_protocol::Request;
use wigwag_protocol::pb::{LoginMsg, Message, SessionType};
use wigwag_store::StoreError;

pub(super) async fn make(cluster: &Cluster) -> Result<()> {
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let _ = cluster.refused("/login", None, "{}").await?;
    for path in ["/friend/add", "/friend/remove"] {
        let _: Value = cluster
            .post(path, Some(&ada.token), &json!({ "friend_id": bob.user_id }))
            .await?;
    }
    let _: Value = cluster.get("/friend/list", Some(&ada.token)).await?;
    let _: Value = cluster.get("/me", Some(&ada.token)).await?;
    let mut first = cluster.device(&ada).await?;
    first.enter(9).await?;
    let mut a = cluster.device(&ada).await?;
    drop(first);
    let mut b = cluster.dial().connect().await?;
    b.ask(Request::Login(LoginMsg {
        token: bob.token.clone().into_bytes(),
    }))
    .await?;
    // Too large for an inbox entry, so that reading it reads the log too. It is repeated, so that
    // the seq that the repeat reserved is sealed.
    let large = "x".repeat(2000);
    a.tell(bob.user_id, 1, &large).await?;
    a.tell(bob.user_id, 1, &large).await?;
    b.sync(0, 0).await?;
    b.heartbeat().await?;
    let _: Value = cluster
        .get(&format!("/history/{}", bob.user_id), Some(&ada.token))
        .await?;
    use_groups(cluster, (&mut a, &ada), (&mut b, &bob)).await?;
    b.leave().await?;
    a.leave().await?;
    loop {
        let functions = cluster.meter().await?.functions;
        if functions
            .get("DisconnectFunction")
            .is_some_and(|row| row.invocations >= 3)
        {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Groups, rooms, and a connection that ended without a `$disconnect`.
async fn use_groups(
    cluster: &Cluster,
    (a, ada): (&mut Device, &Account),
    (b, bob): (&mut Device, &Account),
) -> Result<()> {
    let group = cluster.group(ada, &[bob]).await?;
    let _: Value = cluster.get("/group/list", Some(&ada.token)).await?;
    let _: Value = cluster
        .get(&format!("/group_user/list?group_id={group}"), Some(&ada.token))
        .await?;
    let store = cluster.store();
    let (device, opened_ms) = (DeviceKey::derive(1, "gone"), a_while_ago_ms());
    let gone = Connection {
        id: "AAAAAAAAAAAAAAA=".to_owned(),
        platform: 1,
        protobuf: true,
        connected_at_ms: opened_ms,
    };
    wigwag_messaging::connect(
        &store,
        UserId(bob.user_id),
        &device,
        &gone,
        ConnectionPolicy::Device,
        opened_ms,
    )
    .await?;
    wigwag_messaging::enter_room(
        &store,
        UserId(bob.user_id),
        &device,
        opened_ms,
        &gone.id,
        RoomId(7),
        opened_ms,
    )
    .await?;
    a.enter(7).await?;
    b.enter(7).await?;
    b.leave_room().await?;
    a.tell_to(SessionType::Room, 7, 0, "in the room").await?;
    a.tell_to(SessionType::Group, group, 2, "to the group").await?;
    let queue = cluster.fanout_queue()?;
    queue
        .dead_letter("no task", "nobody", "unreadable", "put here by hand")
        .await?;
    queue.enqueue(&[dispatched(GroupId(group))]).await?;
    queue
        .enqueue(&unfinished_change(cluster, GroupId(group), ada, bob).await?)
        .await?;
    let group = cluster.super_group(ada, &[bob]).await?;
    a.tell_to(SessionType::Group, group, 3, "announced").await?;
    cluster.settled().await
}

/// Keeps the task that finishes a change, and fails for every other.
struct FinishOnly(Kept);

impl TaskQueue for FinishOnly {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        if let [Task::Finish { .. }] = tasks {
            return self.0.enqueue(tasks).await;
        }
        Err(StoreError::Throttled {
            operation: "SendMessageBatch",
        })
    }
}

/// Begins changes of a group without finishing the last; returns the tasks that finish it.
async fn unfinished_change(cluster: &Cluster, group: GroupId, ada: &Account, bob: &Account) -> Result<Vec<Task>> {
    let (store, queue, at_ms) = (cluster.store(), FinishOnly(Kept::default()), a_while_ago_ms());
    for wanted in [
        Wanted::Remove(vec![UserId(bob.user_id)]),
        Wanted::Add(vec![UserId(bob.user_id)]),
    ] {
        let left = wigwag_messaging::change_group(
            &store,
            &queue,
            group,
            UserId(ada.user_id),
            &wanted,
            MessagesFrom::Anyone,
            at_ms,
        )
        .await;
        anyhow::ensure!(left.is_err(), "the change was finished");
        if matches!(wanted, Wanted::Remove(_)) {
            wigwag_messaging::finish_change(&store, &Kept::default(), group, at_ms).await?;
        }
    }
    Ok(queue.0.take())
}

/// The task that a message to a group of more than ten shards becomes. Making such a group here
/// would take thousands of members.
fn dispatched(group: GroupId) -> Task {
    Task::Dispatch {
        group,
        shards: 1,
        super_group: false,
        logged: Logged {
            key: b"dispatched".to_vec(),
            message: Message {
                session_type: SessionType::Group.into(),
                receiver_id: group.0,
                conversation_seq: 1_000,
                ..Message::default()
            },
        },
        skip: None,
    }
}

/// Ten minutes ago: a connection opened then is not taken for one that is still opening.
fn a_while_ago_ms() -> i64 {
    now_ms() - 600_000
}
