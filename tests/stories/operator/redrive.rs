//! `wigwag redrive`: look at the dead letters, and send them back.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wigwag_cluster::{Cli, Cluster, events_named};

/// A message is in a group's log, and no worker could deliver it. Its task is in the dead-letter
/// queue, next to one that nobody can read. The operator looks at them and sends them back, and the
/// message arrives.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_the_dead_letters_and_sends_them_back() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    let outputs = &cluster.stack.stack.outputs;
    let (live, dead) = (&outputs["FanoutQueueUrl"], &outputs["FanoutDeadLetterQueueUrl"]);
    assert_eq!(cli.redrive(live, &[]).await?[0]["count"], 0);
    let group = one_task_and_junk_are_dead_letters(&cluster, &cli, dead).await?;
    for url in [live, dead, live] {
        both_are_listed(&cli.redrive(url, &[]).await?, group)?;
    }
    let in_words = cli.run(&cli.redrive_arguments(live, &[])).await?;
    let in_words = String::from_utf8(in_words.stdout)?;
    assert!(
        in_words.contains(&format!("deliver message 2 of group {group} to its shard 0")),
        "{in_words}"
    );
    assert!(!in_words.contains("late, but here"), "{in_words}");

    let lines = cli.redrive(dead, &["--send-back"]).await?;
    assert_eq!(lines.last().map(|line| &line["moved"]), Some(&2.into()), "{lines:?}");
    assert_eq!(events_named(&lines, "will_come_back").len(), 1);
    cluster.settled().await?;
    let got = cli.json(&["sync", "--as", "bob"]).await?;
    let texts = events_named(&got, "message");
    assert_eq!(
        texts.last().map(|line| &line["content"]),
        Some(&"late, but here".into())
    );
    let left = cli.redrive(live, &[]).await?;
    assert_eq!(left[0]["count"], 1, "the unreadable letter has come back: {left:?}");
    failures_have_their_exit_codes(&cluster, &cli, live).await?;
    cluster.stop().await;
    Ok(())
}

/// Alice sends to a group, and the task becomes a dead letter, as does junk; returns the group.
async fn one_task_and_junk_are_dead_letters(cluster: &Cluster, cli: &Cli<'_>, dead: &str) -> Result<u64> {
    cli.register(&["alice", "bob"]).await?;
    let group = cli.create_group("alice", &["club", "bob"]).await?.parse()?;
    let alice = cli.json(&["me", "--as", "alice"]).await?[0]["user_id"]
        .as_u64()
        .context("no id")?;
    let mut tasks = cluster.log_undelivered(alice, group, &["late, but here"], 1).await?;
    let task = tasks.pop().context("no task")?;
    cluster
        .queue_at(dead)
        .dead_letter(&task.to_body(), &task.message_group(), "task", "the table was away")
        .await?;
    // The worker itself moves an unreadable task to the dead-letter queue.
    cluster
        .fanout_queue()?
        .dead_letter("not a task at all", "elsewhere", "junk", "by hand")
        .await?;
    cluster.settled().await?;
    Ok(group)
}

fn both_are_listed(lines: &[Value], group: u64) -> Result<()> {
    assert_eq!(
        (&lines[0]["event"], &lines[0]["count"]),
        (&"dead_letters".into(), &2.into())
    );
    let letters = events_named(lines, "dead_letter");
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
    Ok(())
}

async fn failures_have_their_exit_codes(cluster: &Cluster, cli: &Cli<'_>, live: &str) -> Result<()> {
    let endpoint = &cluster.stack.aws_endpoint_url;
    let absent = format!("{live}-not");
    let elsewhere = "https://sqs.eu-central-1.amazonaws.com/1/q.fifo";
    for (arguments, code) in [
        (
            ["--queue-url", live, "--endpoint-url", "http://127.0.0.1:9"].as_slice(),
            4,
        ),
        (&["--queue-url", &absent, "--endpoint-url", endpoint], 3),
        (&["--queue-url", elsewhere], 2),
    ] {
        let (exit, why) = cli.exit(&[&["redrive"], arguments].concat()).await?;
        assert_eq!(exit, Some(code), "{arguments:?}: {why}");
    }
    Ok(())
}
