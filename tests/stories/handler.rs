//! The handler of the fan-out worker, given batches by hand: what a batch holds is not left to the queue.

use crate::groups::{inbox, pushed_texts, texts};
use anyhow::{Context as _, Result};
use aws_sdk_apigatewaymanagement::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wigwag_cluster::{Account, Kept, World};
use wigwag_edge::{Pusher, clock};
use wigwag_fanout::{Deadlines, GIVE_UP, State, handle};
use wigwag_store::fanout::Task;
use wigwag_store::send::Draft;
use wigwag_store::{DeviceKey, GroupId, MessageKey};

/// A worker on the stack's tables and queues.
fn worker(world: &World) -> Result<State> {
    let credentials = Credentials::new("local", "local", None, None, "stories");
    let config = aws_sdk_apigatewaymanagement::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(wigwag_https::client())
        .endpoint_url(format!("{}/prod", world.stack.aws_endpoint_url));
    Ok(State {
        store: world.store(),
        pusher: Pusher::new(config),
        queue: world.fanout_queue()?,
        dead_letters: world.fanout_dead_letter_queue()?,
    })
}

/// A record of the line `ordering`, as a mapping gives it.
fn record(id: &str, ordering: &str, receives: u32, body: &str) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("receipt of {id}"),
        "body": body,
        "attributes": {
            "MessageGroupId": ordering,
            "ApproximateReceiveCount": receives.to_string(),
            "ApproximateFirstReceiveTimestamp": "1",
        },
    })
}

/// Gives a worker a batch; answers with the ids of what is to come again.
async fn batch(worker: &State, records: &[Value]) -> Result<Vec<String>> {
    let event = serde_json::from_value(json!({ "Records": records }))?;
    let begun = Instant::now();
    let deadlines = Deadlines {
        work: begun + Duration::from_mins(1),
        pushes: begun + Duration::from_secs(61),
    };
    let response = handle(worker, event, deadlines, clock::now_ms()).await;
    let response = response.map_err(anyhow::Error::from_boxed)?;
    let failures = response.batch_item_failures.into_iter();
    Ok(failures.map(|failure| failure.item_identifier).collect())
}

/// Puts messages that say this into the group's log, from the sender's own device; their tasks are kept from the queue.
async fn logged(world: &World, sender: &Account, group: GroupId, said: &[&str]) -> Result<Vec<Task>> {
    let kept = Kept::default();
    for (client_id, text) in (1..).zip(said) {
        let draft = Draft {
            key: MessageKey {
                sender: sender.user_id,
                device: DeviceKey::of(1, &format!("by hand, in {group}")),
                session: 1,
                client_id,
            },
            message_type: 1,
            content: text.as_bytes().to_vec(),
        };
        world
            .store()
            .send_to_group(&kept, &draft, group, clock::now_ms())
            .await?;
    }
    Ok(kept.take())
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_between_tasks_goes_to_the_dead_letters_and_all_tasks_are_done() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob] = world.accounts(["ada", "bob"]).await?;
    let group = world.group(&ada, &[&bob]).await?;
    world.settled().await?;
    let tasks = logged(&world, &ada, group, &["one", "two", "three"]).await?;
    let line = tasks[0].ordering();
    // The error quotes this.
    let junk = json!({ "task": "é".repeat(50_000) }).to_string();
    let bodies = [tasks[0].to_body(), junk.clone(), tasks[1].to_body(), tasks[2].to_body()];
    let records: Vec<Value> = (1..)
        .zip(&bodies)
        .map(|(n, body)| record(&format!("record-{n}"), &line, 1, body))
        .collect();
    assert_eq!(batch(&worker(&world)?, &records).await?, [""; 0]);
    assert_eq!(texts(&inbox(&world, &bob).await?), ["one", "two", "three"]);
    let dead = world.dead_letters().await?;
    assert_eq!(dead.iter().map(|letter| &letter.body).collect::<Vec<_>>(), [&junk]);
    let reason = dead[0].attributes.get("reason").context("no reason")?;
    let reason = reason.string_value.as_deref().unwrap_or_default();
    assert!(
        reason.starts_with("the task cannot be read") && reason.len() <= 500,
        "{reason}"
    );
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_fails_keeps_no_other_from_being_done_and_its_first_task_is_given_up_in_the_end() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob] = world.accounts(["ada", "bob"]).await?;
    let (spoilt, well) = (world.group(&ada, &[&bob]).await?, world.group(&ada, &[&bob]).await?);
    world.settled().await?;
    let failing = logged(&world, &ada, spoilt, &["spoilt", "behind it"]).await?;
    let others = logged(&world, &ada, well, &["beside it"]).await?;
    let Task::Deliver { logged, .. } = &failing[0] else {
        anyhow::bail!("{failing:?}");
    };
    world.spoil_plan(spoilt, logged.conversation_seq()).await?;
    let records = |receives| {
        let of = |id: &str, task: &Task| record(id, &task.ordering(), receives, &task.to_body());
        [
            of("spoilt", &failing[0]),
            of("beside", &others[0]),
            of("behind", &failing[1]),
        ]
    };
    let worker = worker(&world)?;
    assert_eq!(batch(&worker, &records(GIVE_UP - 1)).await?, ["spoilt", "behind"]);
    assert_eq!(texts(&inbox(&world, &bob).await?), ["beside it"]);
    assert!(world.dead_letters().await?.is_empty());
    assert_eq!(batch(&worker, &records(GIVE_UP)).await?, [""; 0]);
    assert_eq!(texts(&inbox(&world, &bob).await?), ["beside it", "behind it"]);
    let dead = world.dead_letters().await?;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, failing[0].to_body());
    let reason = dead[0].attributes.get("reason").context("no reason")?;
    assert_eq!(
        reason.string_value.as_deref(),
        Some("handed out 12 times, and then: an item of timelines cannot be read: a plan cannot be read")
    );
    world.stop().await;
    Ok(())
}

/// Holds requests up that name something, until there are permits for them.
#[derive(Debug)]
struct HoldsUp {
    connector: SharedHttpConnector,
    named: String,
    permits: Arc<Semaphore>,
}

impl HttpConnector for HoldsUp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let is_held_up = body.contains(&self.named);
        let (connector, permits) = (self.connector.clone(), self.permits.clone());
        HttpConnectorFuture::new(async move {
            if is_held_up {
                let _permit = permits.acquire().await;
                return connector.call(request).await;
            }
            connector.call(request).await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_line_leaves_is_pushed_while_another_is_still_being_worked_on() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob] = world.accounts(["ada", "bob"]).await?;
    let (slow, quick) = (world.group(&ada, &[&bob]).await?, world.group(&ada, &[&bob]).await?);
    world.settled().await?;
    let mut device = world.device(&bob).await?;
    let slow = logged(&world, &ada, slow, &["slow"]).await?;
    let quick = logged(&world, &ada, quick, &["quick"]).await?;
    let of = |id: &str, task: &Task| record(id, &task.ordering(), 1, &task.to_body());
    let records = [of("slow", &slow[0]), of("quick", &quick[0])];
    let (named, permits) = (format!("\"{}\"", slow[0].ordering()), Arc::new(Semaphore::new(0)));
    let held = permits.clone();
    let client = http_client_fn(move |settings, components| {
        let connector = wigwag_https::client().http_connector(settings, components);
        let (named, permits) = (named.clone(), held.clone());
        SharedHttpConnector::new(HoldsUp {
            connector,
            named,
            permits,
        })
    });
    let mut worker = worker(&world)?;
    worker.store = world.store_by(client);
    let handled = tokio::spawn(async move { batch(&worker, &records).await });
    assert_eq!(pushed_texts(&mut device, 1).await?, ["quick"]);
    permits.add_permits(1);
    assert_eq!(handled.await??, [""; 0]);
    assert_eq!(pushed_texts(&mut device, 1).await?, ["slow"]);
    world.stop().await;
    Ok(())
}

/// Many shards, so that the sender leaves it to a worker to make their tasks.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_more_than_ten_shards_reaches_each_of_them() -> Result<()> {
    let world = World::start().await?;
    let users = world.crowd(1, 13).await?;
    let group = 5;
    world.group_of_shards(group, &users).await?;
    let ada = world.member(users[0])?;
    let mut device = world.device(&ada).await?;
    let session = wigwag_protocol::pb::SessionType::Group;
    device.tell_to(session, group, 1, "to all of you").await?;
    for &user in &users {
        let messages = inbox(&world, &world.member(user)?).await?;
        assert_eq!(texts(&messages), ["to all of you"], "user {user}");
    }
    let meter = world.meter().await?;
    let sent = meter.aws_total(|row| row.caller == "FanoutFunction" && row.operation == "SendMessageBatch");
    assert_eq!(sent.requests, 2, "thirteen tasks");
    world.stop().await;
    Ok(())
}

/// Lets the first request through, and fails the others once that has been answered.
#[derive(Debug)]
struct OnlyTheFirst {
    connector: SharedHttpConnector,
    sent: Arc<AtomicUsize>,
    is_answered: Arc<Semaphore>,
}

impl HttpConnector for OnlyTheFirst {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_first = self.sent.fetch_add(1, Ordering::SeqCst) == 0;
        let (connector, is_answered) = (self.connector.clone(), self.is_answered.clone());
        HttpConnectorFuture::new(async move {
            if is_first {
                let answer = connector.call(request).await;
                is_answered.add_permits(1);
                return answer;
            }
            let _answered = is_answered.acquire().await;
            Err(ConnectorError::user("the network is down".into()))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_that_fails_half_way_comes_again_and_adds_nothing() -> Result<()> {
    let world = World::start().await?;
    let users = world.crowd(1, 13).await?;
    let group = 5;
    world.group_of_shards(group, &users).await?;
    let ada = world.member(users[0])?;
    let tasks = logged(&world, &ada, group, &["to all of you"]).await?;
    assert!(
        matches!(tasks.as_slice(), [Task::Dispatch { shards: 13, .. }]),
        "{tasks:?}"
    );
    let record = record("dispatch", &tasks[0].ordering(), 1, &tasks[0].to_body());
    let sent = Arc::new(AtomicUsize::new(0));
    let (count, is_answered) = (sent.clone(), Arc::new(Semaphore::new(0)));
    let client = http_client_fn(move |settings, components| {
        let connector = wigwag_https::client().http_connector(settings, components);
        let (sent, is_answered) = (count.clone(), is_answered.clone());
        SharedHttpConnector::new(OnlyTheFirst {
            connector,
            sent,
            is_answered,
        })
    });
    let mut worker = worker(&world)?;
    worker.queue = world.fanout_queue_by(world.sqs_config().http_client(client))?;
    assert_eq!(batch(&worker, std::slice::from_ref(&record)).await?, ["dispatch"]);
    assert!(sent.load(Ordering::SeqCst) > 1);
    world.settled().await?;
    let mut have = 0;
    for &user in &users[1..] {
        have += inbox(&world, &world.member(user)?).await?.len();
    }
    assert!((1..12).contains(&have), "{have} of twelve have it");
    worker.queue = world.fanout_queue()?;
    assert_eq!(batch(&worker, &[record]).await?, [""; 0]);
    for &user in &users {
        let messages = inbox(&world, &world.member(user)?).await?;
        assert_eq!(texts(&messages), ["to all of you"], "user {user}");
    }
    world.stop().await;
    Ok(())
}
