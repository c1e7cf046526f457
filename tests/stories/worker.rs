//! Bad days of the worker that delivers to groups: tasks that cannot be read, come three times or are cut off half-way; members
//! and devices that nothing can be brought to.

use crate::groups::{inbox, pushed_texts, texts};
#[cfg(target_os = "linux")]
use crate::killing;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::time::Duration;
#[cfg(target_os = "linux")]
use wigwag_cluster::altered_template;
use wigwag_cluster::{Account, Kept, World};
use wigwag_local::gateway::{Faults, PostFault};
use wigwag_protocol::pb::SessionType;
use wigwag_store::send::Draft;
use wigwag_store::{DeviceKey, MessageKey, TimelineId};

const GROUP: SessionType = SessionType::Group;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_cannot_be_read_goes_to_the_dead_letters_and_the_group_goes_on() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let (mut a, mut b) = (world.device(&ada).await?, world.device(&bob).await?);
    let group = world.group(&ada, &[&bob]).await?;
    world
        .fanout_queue()?
        .bury("no task", &format!("g{group}.0"), "unreadable", "put here by hand")
        .await?;
    a.tell_to(GROUP, group, 1, "after it").await?;
    assert_eq!(pushed_texts(&mut b, 1).await?, ["after it"]);
    world.settled().await?;
    let dead = world.dead_letters().await?;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, "no task");
    let reason = dead[0]
        .attributes
        .get("reason")
        .and_then(|reason| reason.string_value.clone());
    assert!(reason.context("no reason")?.contains("cannot be read"));
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_task_three_times_adds_nothing() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let group = world.group(&ada, &[&bob]).await?;
    let draft = Draft {
        key: MessageKey {
            sender: ada.user_id,
            device: DeviceKey::of(1, "by hand"),
            session: 1,
            client_id: 1,
        },
        message_type: 1,
        content: b"once".to_vec(),
    };
    let kept = Kept::default();
    world.store().send_to_group(&kept, &draft, group, 1).await?;
    let tasks = kept.take();
    assert_eq!(tasks.len(), 1);
    let queue = world.fanout_queue()?;
    for repeat in 0..3 {
        for task in &tasks {
            // Under another id each time: the queue's own deduplication is not what is asked about.
            let id = format!("repeat {repeat}").replace(' ', "-");
            queue.bury(&task.to_body(), &task.ordering(), &id, "a repeat").await?;
        }
        if repeat == 1 {
            world.settled().await?;
        }
    }
    assert_eq!(texts(&inbox(&world, &bob).await?), ["once"]);
    assert_eq!(texts(&inbox(&world, &ada).await?), ["once"]);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_an_inbox_costs_the_others_nothing() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let group = world.group(&ada, &[&eve, &bob]).await?;
    world.settled().await?;
    world.forget_inbox(eve.user_id).await?;
    let mut a = world.device(&ada).await?;
    a.tell_to(GROUP, group, 1, "still here").await?;
    assert_eq!(texts(&inbox(&world, &bob).await?), ["still here"]);
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}

/// One device has gone without a word, one is busy, one is slow: those who are none of that get everything, and so do they when
/// they sync.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_be_pushed_to_costs_the_others_nothing() -> Result<()> {
    let world = World::with(|options| {
        options.faults = Faults {
            drop_disconnect: 1.0,
            ..Faults::default()
        };
    })
    .await?;
    let mut accounts = BTreeMap::new();
    for name in ["ada", "gone", "busy", "stuck", "slow", "well"] {
        accounts.insert(name, world.account(name).await?);
    }
    let ada = accounts["ada"].clone();
    let members: Vec<&Account> = accounts.values().filter(|who| who.user_id != ada.user_id).collect();
    let group = world.group(&ada, &members).await?;
    world.settled().await?;
    let mut a = world.device(&ada).await?;
    let mut devices = BTreeMap::new();
    for name in ["gone", "busy", "stuck", "slow", "well"] {
        let device = world.device(&accounts[name]).await?;
        devices.insert(name, device);
    }
    let harm = async |name: &str, fault: PostFault| -> Result<()> {
        let inbox = TimelineId::inbox(accounts[name].user_id);
        let head = world.store().head(&inbox, true).await?.context("no inbox")?;
        for device in head.devices.values() {
            let connection = device.connection.as_ref().context("not connected")?;
            world.stack.harm_posts(&connection.id, fault);
        }
        Ok(())
    };
    let refuse = |refuse| PostFault {
        refuse,
        ..PostFault::default()
    };
    harm("busy", refuse(2)).await?;
    harm("stuck", refuse(u32::MAX)).await?;
    let delay = Duration::from_secs(3);
    harm("slow", PostFault { refuse: 0, delay }).await?;
    devices.remove("gone").context("no such device")?.leave().await?;
    let wanted = ["one", "two", "three"];
    for (client_id, text) in (1..).zip(wanted) {
        a.tell_to(GROUP, group, client_id, text).await?;
    }
    for name in ["well", "busy"] {
        let device = devices.get_mut(name).context("no such device")?;
        assert_eq!(pushed_texts(device, 3).await?, wanted, "{name}");
    }
    world.settled().await?;
    let refused = world
        .meter()
        .await?
        .aws_total(|row| row.caller == "FanoutFunction" && row.operation == "PostToConnection")
        .client_errors;
    assert!(refused > 3, "nothing was refused, so this showed nothing");
    for name in ["stuck", "slow", "well", "busy"] {
        let device = devices.get_mut(name).context("no such device")?;
        assert_eq!(texts(&device.catch_up(0).await?), wanted, "{name}");
    }
    assert_eq!(texts(&inbox(&world, &accounts["gone"]).await?), wanted);
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}

/// Workers are killed in the middle of what they do. The queue hands their tasks out again (here as soon as a worker has surely
/// ended), and every message stands once.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_once_though_the_worker_is_killed() -> Result<()> {
    const KILLS: u64 = 2;
    let directory = tempfile::tempdir()?;
    // The shortest time after which AWS may hand out a task again: the worker's timeout.
    let template = altered_template(directory.path(), &[("VisibilityTimeout: 30", "VisibilityTimeout: 5")])?;
    let world = World::with(|options| options.template = template).await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let group = world.group(&ada, &[&bob, &eve]).await?;
    world.settled().await?;
    let mut a = world.device(&ada).await?;
    let errors = async || -> Result<u64> {
        let functions = world.meter().await?.functions;
        Ok(functions.get("FanoutFunction").map_or(0, |row| row.errors))
    };
    let mut wanted = Vec::new();
    let mut tries = 0;
    while errors().await? < KILLS {
        tries += 1;
        anyhow::ensure!(tries < 200, "no invocation was hit, so this showed nothing");
        let text = tries.to_string();
        a.tell_to(GROUP, group, tries, &text).await?;
        wanted.push(text);
        tokio::time::sleep(Duration::from_millis(tries % 9 * 3)).await;
        killing::kill(&world.stack.aws_endpoint_url, "fanout");
        if tries % 10 == 0 {
            world.settled().await?;
        }
    }
    for who in [&bob, &eve, &ada] {
        let messages = inbox(&world, who).await?;
        assert_eq!(texts(&messages), wanted);
        assert!(messages.is_sorted_by(|one, next| one.seq < next.seq));
    }
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}
