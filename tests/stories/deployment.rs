//! What must hold between `template.yaml` and the code.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wigwag_cluster::{Account, Device, Dial, Kept, World};
use wigwag_local::meter::Permission;
use wigwag_local::template::{self, Secrets};
use wigwag_protocol::Request;
use wigwag_protocol::pb::{LoginMsg, Message, SessionType};
use wigwag_store::devices::ConnectionPolicy;
use wigwag_store::fanout::{Logged, Task, TaskQueue};
use wigwag_store::groups::Wanted;
use wigwag_store::head::Connection;
use wigwag_store::send::MessagesFrom;
use wigwag_store::timeline::LEASE;
use wigwag_store::{DeviceKey, GroupId, StoreError, schema};

/// The parameter that lets connections sign in by frame.
const SIGN_IN_BY_FRAME: &str = "AllowLoginFrame";

fn options(sign_in_by_frame: bool) -> template::Options {
    template::Options {
        parameters: BTreeMap::from([(SIGN_IN_BY_FRAME.to_owned(), sign_in_by_frame.to_string())]),
        secrets: Secrets::in_memory(),
        ..template::Options::default()
    }
}

fn stack() -> Result<template::Stack> {
    Ok(template::load(&wigwag_cluster::template(), &options(false))?)
}

#[test]
fn no_function_may_run_as_long_as_the_lease_of_a_timeline() -> Result<()> {
    for function in stack()?.functions.values() {
        assert!(
            Duration::from_secs(function.timeout_s.into()) * 2 <= LEASE,
            "{}",
            function.logical_id
        );
    }
    Ok(())
}

/// As AWS asks for; and a task that a worker gives up has not been given up by the queue before.
#[test]
fn a_task_is_its_workers_for_six_times_as_long_as_they_may_run() -> Result<()> {
    let stack = stack()?;
    let worker = &stack.functions["FanoutFunction"];
    let queue = stack.queues.iter().find(|queue| queue.logical_id == "FanoutQueue");
    let attributes = &queue.context("no such queue")?.attributes;
    let visibility_s: u32 = attributes["VisibilityTimeout"].parse()?;
    assert!(visibility_s >= 6 * worker.timeout_s);
    let policy: Value = serde_json::from_str(&attributes["RedrivePolicy"])?;
    let most = policy["maxReceiveCount"].as_u64().context("no count")?;
    // Nine more tasks may come in the batches of one that is given up, each handed out once more than the one before it.
    assert!(most >= u64::from(wigwag_fanout::GIVE_UP) + 10);
    Ok(())
}

/// Runs through every use of every function, and holds the calls that the meter saw against the roles of the template: a function may
/// do what it does, to what it does it to, and nothing else. The local stack does not enforce policies, so nothing else would tell.
#[tokio::test(flavor = "multi_thread")]
async fn every_function_is_granted_the_calls_it_makes_and_no_other() -> Result<()> {
    let world = World::with(|options| {
        options
            .parameters
            .insert(SIGN_IN_BY_FRAME.to_owned(), "true".to_owned());
    })
    .await?;
    use_everything(&world).await?;
    let mut made: BTreeMap<String, BTreeSet<Permission>> = BTreeMap::new();
    for row in world.meter().await?.aws {
        // A mapping polls with the role of its function.
        let function = match row.caller.as_str() {
            "event-source-mapping" => "FanoutFunction".to_owned(),
            "external" => continue,
            _ => row.caller,
        };
        made.entry(function).or_default().extend(row.permissions);
    }
    let queue = world.stack.stack.queues.iter();
    let queue = queue.clone().find(|queue| queue.logical_id == "FanoutQueue");
    let queue = queue.context("there is a queue")?.name.clone();
    world.stop().await;
    let unseen = [
        // Lambda's own, when it makes the mapping.
        "sqs:GetQueueAttributes",
        // Only where time runs out: groups::what_there_is_no_time_for_is_handed_back_at_once.
        "sqs:ChangeMessageVisibility",
    ];
    made.entry("FanoutFunction".to_owned())
        .or_default()
        .extend(unseen.map(|action| permission(action, &queue)));
    for (function, granted) in granted(true)? {
        let made = made.remove(&function).unwrap_or_default();
        assert_eq!(
            (beyond(&made, &granted), beyond(&granted, &made)),
            (Vec::new(), Vec::new()),
            "{function}: what it does and may not, what it may and does not"
        );
    }
    Ok(())
}

/// What parses every frame may read the key that signs tokens only where frames bring tokens (`rotation::only_who_needs_the_key_reads_it`
/// holds that it does not ask).
#[test]
fn where_no_frame_brings_a_token_the_function_of_frames_may_not_read_the_key() -> Result<()> {
    let reads_the_key = |sign_in_by_frame| -> Result<Vec<String>> {
        let granted = granted(sign_in_by_frame)?.into_iter();
        let may = granted.filter(|(_, may)| may.iter().any(|one| one.action == "secretsmanager:GetSecretValue"));
        Ok(may.map(|(function, _)| function).collect())
    };
    assert_eq!(reads_the_key(false)?, ["ApiFunction", "AuthorizerFunction"]);
    assert_eq!(
        reads_the_key(true)?,
        ["ApiFunction", "AuthorizerFunction", "DefaultFunction"]
    );
    Ok(())
}

fn permission(action: &str, resource: &str) -> Permission {
    Permission {
        action: action.to_owned(),
        resource: resource.to_owned(),
    }
}

/// Those of the first that are not among the second.
fn beyond(all: &BTreeSet<Permission>, known: &BTreeSet<Permission>) -> Vec<String> {
    let line = |one: &Permission| format!("{} on {}", one.action, one.resource);
    all.difference(known).map(line).collect()
}

/// What each function's role grants, beside what every role does; in the names that the meter has for tables, queues and
/// connections. A wildcard stands for itself, and so is never what was called.
fn granted(sign_in_by_frame: bool) -> Result<BTreeMap<String, BTreeSet<Permission>>> {
    let options = options(sign_in_by_frame);
    let resources = template::resolved(&wigwag_cluster::template(), &options)?;
    let stack = stack()?;
    let [api] = stack.websocket_apis.as_slice() else {
        bail!("not one WebSocket API");
    };
    let connections = format!("execute-api:us-east-1:000000000000:{}/{}/*", api.api_id, api.stage);
    let mut granted = BTreeMap::new();
    for function in stack.functions.keys() {
        let properties = &resources[function].properties;
        let role = properties["Role"].as_str().context("a function has a role")?;
        let (_, role) = role.rsplit_once(":local-").context("a role of this template")?;
        let role = &resources[role].properties;
        assert!(role["ManagedPolicyArns"].is_null() && properties["Policies"].is_null());
        let log = properties["LoggingConfig"]["LogGroup"]
            .as_str()
            .context("a log group")?;
        let mut permissions = BTreeSet::new();
        for (action, arn) in statements(role) {
            match action.split_once(':').map(|(service, _)| service) {
                // Its own log, and nobody else's.
                Some("logs") => assert!(arn.ends_with(&format!(":{log}")), "{function}: {action} on {arn}"),
                _ if arn.ends_with(&connections) => {
                    permissions.insert(permission(&action, "@connections"));
                }
                _ => {
                    let name = arn.rsplit([':', '/']).next().unwrap_or_default();
                    permissions.insert(permission(&action, name));
                }
            }
        }
        granted.insert(function.clone(), permissions);
    }
    Ok(granted)
}

/// Every action with every resource that a role grants it on.
fn statements(role: &Value) -> Vec<(String, String)> {
    let list = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        single => vec![single.clone()],
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for policy in list(&role["Policies"]) {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            assert_eq!(statement["Effect"], "Allow");
            for action in list(&statement["Action"]) {
                let resources = list(&statement["Resource"]);
                found.extend(resources.iter().map(|resource| (text(&action), text(resource))));
            }
        }
    }
    found
}

/// Makes each function do everything that it can do.
async fn use_everything(world: &World) -> Result<()> {
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let _ = world.refused("/login", None, "{}").await?;
    for path in ["/friend/add", "/friend/remove"] {
        let _: Value = world
            .post(path, Some(&ada.token), &json!({ "friend_id": bob.user_id }))
            .await?;
    }
    let _: Value = world.get("/friend/list", Some(&ada.token)).await?;
    let _: Value = world.get("/me", Some(&ada.token)).await?;
    let mut first = world.device(&ada).await?;
    first.enter(9).await?;
    let mut a = world.device(&ada).await?;
    drop(first);
    let mut b = Dial::new(&world.stack.websocket_url).connect().await?;
    b.ask(Request::Login(LoginMsg {
        token: bob.token.clone().into_bytes(),
    }))
    .await?;
    // Too large for an inbox entry, so that reading it takes the log too; repeated, so that what the repeat reserved is sealed.
    let large = "x".repeat(2000);
    a.tell(bob.user_id, 1, &large).await?;
    a.tell(bob.user_id, 1, &large).await?;
    b.sync(0, 0).await?;
    b.heartbeat().await?;
    let _: Value = world
        .get(&format!("/history/{}", bob.user_id), Some(&ada.token))
        .await?;
    use_groups(world, (&mut a, &ada), (&mut b, &bob)).await?;
    b.leave().await?;
    a.leave().await?;
    loop {
        let functions = world.meter().await?.functions;
        if functions
            .get("DisconnectFunction")
            .is_some_and(|row| row.invocations >= 3)
        {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Groups, rooms, and a connection that went without a word.
async fn use_groups(world: &World, (a, ada): (&mut Device, &Account), (b, bob): (&mut Device, &Account)) -> Result<()> {
    let group = world.group(ada, &[bob]).await?;
    let _: Value = world.get("/group/list", Some(&ada.token)).await?;
    let _: Value = world
        .get(&format!("/group_user/list?group_id={group}"), Some(&ada.token))
        .await?;
    let store = world.store();
    let (device, opened_ms) = (DeviceKey::of(1, "gone"), a_while_ago_ms());
    let gone = Connection {
        id: "AAAAAAAAAAAAAAA=".to_owned(),
        platform: 1,
        protobuf: true,
        connected_at_ms: opened_ms,
    };
    store
        .connect(bob.user_id, &device, &gone, ConnectionPolicy::Device, opened_ms)
        .await?;
    store
        .enter_room(bob.user_id, &device, opened_ms, &gone.id, 7, opened_ms)
        .await?;
    a.enter(7).await?;
    b.enter(7).await?;
    b.leave_room().await?;
    a.tell_to(SessionType::Room, 7, 0, "in the room").await?;
    a.tell_to(SessionType::Group, group, 2, "to the group").await?;
    let queue = world.fanout_queue()?;
    queue
        .bury("no task", "nobody", "unreadable", "put here by hand")
        .await?;
    queue.enqueue(&[dispatched(group)]).await?;
    queue.enqueue(&left_change(world, group, ada, bob).await?).await?;
    let group = world.super_group(ada, &[bob]).await?;
    a.tell_to(SessionType::Group, group, 3, "announced").await?;
    world.settled().await
}

/// Takes what finishes a change, and nothing else.
struct FinishAlone(Kept);

impl TaskQueue for FinishAlone {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        if let [Task::Finish { .. }] = tasks {
            return self.0.enqueue(tasks).await;
        }
        Err(StoreError::Throttled {
            operation: "SendMessageBatch",
        })
    }
}

/// Leaves changes of a group without their end, and answers with the tasks that finish the last.
async fn left_change(world: &World, group: GroupId, ada: &Account, bob: &Account) -> Result<Vec<Task>> {
    let (store, queue, at_ms) = (world.store(), FinishAlone(Kept::default()), a_while_ago_ms());
    for wanted in [Wanted::Remove(vec![bob.user_id]), Wanted::Add(vec![bob.user_id])] {
        let left = store
            .change_group(&queue, group, ada.user_id, &wanted, MessagesFrom::Anyone, at_ms)
            .await;
        anyhow::ensure!(left.is_err(), "it was to be left");
        if matches!(wanted, Wanted::Remove(_)) {
            store.finish_change(&Kept::default(), group, at_ms).await?;
        }
    }
    Ok(queue.0.take())
}

/// What a message to a group of more than ten shards becomes: thousands of members, whom nobody wants to make for this.
fn dispatched(group: GroupId) -> Task {
    Task::Dispatch {
        group,
        shards: 1,
        super_group: false,
        logged: Logged {
            key: b"dispatched".to_vec(),
            message: Message {
                session_type: SessionType::Group.into(),
                receiver_id: group,
                conversation_seq: 1_000,
                ..Message::default()
            },
        },
        skip: None,
    }
}

/// Long enough for a connection that is gone not to be taken for one that is just opening.
fn a_while_ago_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(0) - 600_000
}

#[test]
fn the_tables_have_the_keys_that_the_schema_names() -> Result<()> {
    let keys = |logical_id: &str| -> Result<Vec<String>> {
        let stack = stack()?;
        let table = stack
            .tables
            .iter()
            .find(|table| table.logical_id == logical_id)
            .expect("a table");
        let keys = table.create["KeySchema"].as_array().expect("a key schema");
        Ok(keys
            .iter()
            .map(|key| key["AttributeName"].as_str().unwrap_or_default().to_owned())
            .collect())
    };
    assert_eq!(
        keys("TimelinesTable")?,
        [schema::timelines::TIMELINE, schema::timelines::SEQ]
    );
    assert_eq!(keys("DirectoryTable")?, [schema::directory::PK, schema::directory::SK]);
    let stack = stack()?;
    let ttl = |logical_id: &str| {
        stack
            .tables
            .iter()
            .find(|table| table.logical_id == logical_id)
            .and_then(|table| table.ttl_attribute.clone())
    };
    assert_eq!(ttl("DirectoryTable").as_deref(), Some(schema::directory::TTL));
    assert_eq!(ttl("TimelinesTable"), None, "an expired entry would look like a hole");
    Ok(())
}
