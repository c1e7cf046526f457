//! What an operator does with the command line: see that a deployment works, and send back what workers gave up.

use crate::cli::{Cli, of_kind};
use anyhow::{Context as _, Result};
use serde_json::json;
use tempfile::TempDir;
use wigwag_cluster::{Kept, World};
use wigwag_protocol::pb::Message;
use wigwag_store::fanout::{Audience, Logged, RoomContent, Task};
use wigwag_store::send::Draft;
use wigwag_store::{DeviceKey, MessageKey};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_that_a_deployment_works() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    for frames in ["protobuf", "json"] {
        let steps = cli.json(&["smoke", "--frames", frames]).await?;
        assert_eq!(of_kind(&steps, "ok").len(), 5, "{steps:?}");
    }
    let nowhere = ["smoke", "--url", "http://127.0.0.1:9"];
    assert_eq!(cli.run(&nowhere).await?.status.code(), Some(4));
    world.stop().await;
    Ok(())
}

/// A message stands in a group's log, and no worker could deliver it: its task lies in the dead-letter queue, beside one that nobody
/// can read. The operator looks, twice, and sends them back; the message arrives.
#[expect(clippy::too_many_lines, reason = "one story")]
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_workers_gave_up_and_sends_it_back() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    let outputs = &world.stack.stack.outputs;
    let (live, dead) = (&outputs["FanoutQueueUrl"], &outputs["FanoutDeadLetterQueueUrl"]);
    let redrive = |url: &str| {
        let endpoint = ["--endpoint-url", &world.stack.aws_endpoint_url];
        let words = [&["redrive", "--queue-url", url], endpoint.as_slice()].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let look = async |url: &str, more: &[&str]| {
        let words = redrive(url);
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        cli.json(&words).await
    };
    assert_eq!(look(live, &[]).await?[0]["count"], 0);

    cli.register(&["alice", "bob"]).await?;
    let made = cli.json(&["group", "create", "--as", "alice", "club", "bob"]).await?;
    let group = made[0]["group_id"].as_u64().context("no group")?;
    let alice = cli.json(&["me", "--as", "alice"]).await?[0]["user_id"]
        .as_u64()
        .context("no id")?;
    let draft = Draft {
        key: MessageKey {
            sender: alice,
            device: DeviceKey::of(1, "by hand"),
            session: 1,
            client_id: 1,
        },
        message_type: 1,
        content: b"late, but here".to_vec(),
    };
    let kept = Kept::default();
    world.store().send_to_group(&kept, &draft, group, 1).await?;
    let task = kept.take().pop().context("no task")?;
    let dead_letters = world.queue_at(dead);
    dead_letters
        .bury(&task.to_body(), &task.ordering(), "task", "the table was away")
        .await?;
    // What the worker cannot read, it puts there by itself.
    let live_queue = world.fanout_queue()?;
    live_queue
        .bury("not a task at all", "elsewhere", "junk", "by hand")
        .await?;
    world.settled().await?;

    for url in [live, dead, live] {
        let lines = look(url, &[]).await?;
        assert_eq!(
            (&lines[0]["event"], &lines[0]["count"]),
            (&"dead_letters".into(), &2.into())
        );
        let letters = of_kind(&lines, "dead_letter");
        assert_eq!(letters.len(), 2, "{lines:?}");
        let good = letters
            .iter()
            .find(|letter| letter["task"] == "deliver")
            .context("no task")?;
        assert_eq!(
            [
                &good["group_id"],
                &good["shard"],
                &good["conversation_seq"],
                &good["why"]
            ],
            [&json!(group), &json!(0), &json!(2), &json!("the table was away")]
        );
        let bad = letters
            .iter()
            .find(|letter| letter["task"].is_null())
            .context("no junk")?;
        assert_eq!((&bad["bytes"], bad.get("body")), (&17.into(), None));
        assert!(
            bad["why"].as_str().is_some_and(|why| why.contains("cannot be read")),
            "{bad}"
        );
    }
    let in_words = redrive(live);
    let in_words: Vec<&str> = in_words.iter().map(String::as_str).collect();
    let in_words = String::from_utf8(cli.run(&in_words).await?.stdout)?;
    assert!(
        in_words.contains(&format!("deliver message 2 of group {group} to its shard 0")),
        "{in_words}"
    );
    assert!(!in_words.contains("late, but here"), "{in_words}");

    let lines = look(dead, &["--send-back"]).await?;
    assert_eq!(lines.last().map(|line| &line["moved"]), Some(&2.into()), "{lines:?}");
    assert_eq!(of_kind(&lines, "will_come_back").len(), 1);
    world.settled().await?;
    let got = cli.json(&["sync", "--as", "bob"]).await?;
    let texts = of_kind(&got, "message");
    assert_eq!(
        texts.last().map(|line| &line["content"]),
        Some(&"late, but here".into())
    );
    let left = look(live, &[]).await?;
    assert_eq!(left[0]["count"], 1, "what cannot be read has come back: {left:?}");

    let nowhere = ["redrive", "--queue-url", live, "--endpoint-url", "http://127.0.0.1:9"];
    assert_eq!(cli.run(&nowhere).await?.status.code(), Some(4));
    let absent = format!("{live}-not");
    let absent = [
        "redrive",
        "--queue-url",
        &absent,
        "--endpoint-url",
        &world.stack.aws_endpoint_url,
    ];
    assert_eq!(cli.run(&absent).await?.status.code(), Some(3));
    let without = [
        "redrive",
        "--queue-url",
        "https://sqs.eu-central-1.amazonaws.com/1/q.fifo",
    ];
    assert_eq!(cli.run(&without).await?.status.code(), Some(2));
    world.stop().await;
    Ok(())
}

/// One of each kind, so that an operator never takes for junk what workers can read.
fn one_of_each_kind() -> Vec<Task> {
    let logged = Logged {
        key: vec![1],
        message: Message {
            conversation_seq: 9,
            ..Message::default()
        },
    };
    let deliver = |audience| Task::Deliver {
        group: 7,
        audience,
        logged: logged.clone(),
        skip: None,
    };
    let next = |task: Option<&Task>| match task {
        None => Some(deliver(Audience::Shard(0))),
        Some(Task::Deliver { audience, .. }) => Some(match audience {
            Audience::Shard(_) => deliver(Audience::Users(vec![1])),
            Audience::Users(users) => deliver(Audience::Owed {
                shard: Some(0),
                users: users.clone(),
            }),
            Audience::Owed { .. } => Task::Announce {
                group: 7,
                shards: 0..2,
                logged: logged.clone(),
            },
        }),
        Some(Task::Announce { .. }) => Some(Task::Dispatch {
            group: 7,
            shards: 11,
            super_group: false,
            logged: logged.clone(),
            skip: None,
        }),
        Some(Task::Dispatch { .. }) => Some(Task::Finish {
            group: 7,
            version: 1,
            at_ms: 1,
        }),
        Some(Task::Finish { .. }) => Some(Task::Room {
            room: 5,
            id: "frame".to_owned(),
            sender: 1,
            connection: "a=".to_owned(),
            content: RoomContent::Message(logged.message.clone()),
            after: None,
        }),
        Some(Task::Room { .. }) => None,
    };
    std::iter::successors(next(None), |task| next(Some(task))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_can_read_every_kind_of_task() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    let dead = &world.stack.queue_urls()["FanoutDeadLetterQueue"];
    let dead_letters = world.queue_at(dead);
    let tasks = one_of_each_kind();
    for (index, task) in tasks.iter().enumerate() {
        let id = index.to_string();
        dead_letters
            .bury(&task.to_body(), &task.ordering(), &id, "by hand")
            .await?;
    }
    let lines = cli.json(&["redrive", "--queue-url", dead]).await?;
    let letters = of_kind(&lines, "dead_letter");
    assert_eq!(letters.len(), tasks.len(), "{lines:?}");
    for letter in letters {
        assert!(
            letter["task"].is_string() && letter["sent_back"] != "comes_back",
            "{letter}"
        );
    }
    world.stop().await;
    Ok(())
}

/// Four letters: what nobody can read stands in front of a copy of the same group; one is of another group, and one is an announcement of
/// long ago. The operator sends back one group's, then what can be read, and throws away the rest.
#[expect(clippy::too_many_lines, reason = "one story")]
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sends_back_what_is_meant_and_discards_what_nobody_needs() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    let outputs = &world.stack.stack.outputs;
    let (live, dead) = (&outputs["FanoutQueueUrl"], &outputs["FanoutDeadLetterQueueUrl"]);
    let with = |url: &str, more: &[&str]| -> Vec<String> {
        let endpoint = &world.stack.aws_endpoint_url;
        let words = ["redrive", "--queue-url", url, "--endpoint-url", endpoint];
        words.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let redrive = async |url: &str, more: &[&str]| {
        let words = with(url, more);
        cli.json(&words.iter().map(String::as_str).collect::<Vec<&str>>()).await
    };

    let [ada, bob] = world.accounts(["ada", "bob"]).await?;
    let draft = |text: &str, client_id| Draft {
        key: MessageKey {
            sender: ada.user_id,
            device: DeviceKey::of(1, "by hand"),
            session: 1,
            client_id,
        },
        message_type: 1,
        content: text.as_bytes().to_vec(),
    };
    let dead_letters = world.queue_at(dead);
    let mut groups = Vec::new();
    for (client_id, text) in (1..).zip(["one", "two"]) {
        let group = world.group(&ada, &[&bob]).await?;
        world.settled().await?;
        let kept = Kept::default();
        world
            .store()
            .send_to_group(&kept, &draft(text, client_id), group, 1)
            .await?;
        let task = kept.take().pop().context("no task")?;
        let ordering = task.ordering();
        if client_id == 1 {
            dead_letters
                .bury("not a task", &ordering, "junk", "it cannot be read")
                .await?;
            let Task::Deliver { logged, .. } = &task else {
                anyhow::bail!("not copies: {task:?}");
            };
            let announce = Task::Announce {
                group,
                shards: 0..1,
                logged: logged.clone(),
            };
            dead_letters
                .bury(&announce.to_body(), &announce.ordering(), "old", "the table was away")
                .await?;
        }
        dead_letters
            .bury(&task.to_body(), &ordering, text, "the table was away")
            .await?;
        groups.push(group.to_string());
    }
    let lines = redrive(live, &[]).await?;
    let fates = |lines: &[serde_json::Value]| {
        let letters = of_kind(lines, "dead_letter");
        let mut fates: Vec<String> = letters.iter().map(|line| line["sent_back"].to_string()).collect();
        fates.sort_unstable();
        fates
    };
    let wanted = [
        r#""comes_back""#,
        r#""dropped""#,
        r#""stands_once""#,
        r#""stands_once""#,
    ];
    assert_eq!(fates(&lines), wanted, "{lines:?}");
    let junk = of_kind(&lines, "dead_letter")
        .into_iter()
        .find(|line| line["task"].is_null())
        .context("no junk")?["message_id"]
        .as_str()
        .context("no id")?
        .to_owned();

    let texts = async || -> Result<Vec<String>> {
        world.settled().await?;
        let messages = world.device(&bob).await?.catch_up(0).await?;
        let said = messages.into_iter().filter(|message| message.group_change.is_none());
        Ok(said
            .map(|message| String::from_utf8_lossy(&message.content).into_owned())
            .collect())
    };
    let lines = redrive(live, &["--send-back", "--group", &groups[1]]).await?;
    assert_eq!(of_kind(&lines, "dead_letter").len(), 1, "{lines:?}");
    let last = lines.last().context("nothing")?;
    assert_eq!((&last["moved"], &last["left"]), (&json!(1), &json!(3)));
    assert_eq!(texts().await?, ["two"]);

    let lines = redrive(dead, &["--send-back", "--only-readable"]).await?;
    let last = lines.last().context("nothing")?;
    assert_eq!((&last["moved"], &last["left"]), (&json!(2), &json!(1)));
    assert_eq!(texts().await?, ["two", "one"]);

    let into = home.path().display().to_string();
    let unknown = with(dead, &["--discard", "no-such-letter", "--into", &into]);
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    assert_eq!(cli.run(&unknown).await?.status.code(), Some(1));
    let nowhere = with(dead, &["--discard", &junk, "--into", "/no/such/directory"]);
    let nowhere: Vec<&str> = nowhere.iter().map(String::as_str).collect();
    assert_eq!(cli.run(&nowhere).await?.status.code(), Some(1));
    assert_eq!(redrive(live, &[]).await?[0]["count"], 1, "nothing was taken out");

    let lines = redrive(dead, &["--discard", &junk, "--into", &into]).await?;
    let file = lines[0]["file"].as_str().context("no file")?;
    let whole: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    assert_eq!(
        (&whole["body"], &whole["message_id"]),
        (&json!("not a task"), &json!(junk))
    );
    assert_eq!(redrive(live, &[]).await?[0]["count"], 0);
    world.stop().await;
    Ok(())
}
