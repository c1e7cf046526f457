//! `wigwag redrive` with a choice: one group, readable letters only, or one letter to discard.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use wigwag_cluster::{Account, Cli, Cluster, events_named, texts};
use wigwag_domain::GroupId;
use wigwag_domain::task::Task;

/// There are four dead letters: junk in front of a copy in the message group of one group, a copy
/// for another group, and an old announcement. The operator sends back those of one group, then all
/// that can be read, and discards the rest.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sends_back_some_letters_and_discards_another() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    let outputs = &cluster.stack.stack.outputs;
    let (live, dead) = (&outputs["FanoutQueueUrl"], &outputs["FanoutDeadLetterQueueUrl"]);
    let [ada, bob] = cluster.accounts(["ada", "bob"]).await?;
    let groups = four_dead_letters(&cluster, dead, &ada, &bob).await?;
    let lines = cli.redrive(live, &[]).await?;
    assert_eq!(
        fates(&lines),
        [
            r#""comes_back""#,
            r#""dropped""#,
            r#""stands_once""#,
            r#""stands_once""#
        ],
        "{lines:?}"
    );
    let junk = id_of_junk(&lines)?;

    let inbox = async || -> Result<Vec<String>> { Ok(texts(&cluster.inbox(&bob).await?)) };
    let lines = cli.redrive(live, &["--send-back", "--group", &groups[1]]).await?;
    assert_eq!(events_named(&lines, "dead_letter").len(), 1, "{lines:?}");
    assert_eq!(moved_and_left(&lines)?, (json!(1), json!(3)));
    assert_eq!(inbox().await?, ["two"]);

    let lines = cli.redrive(dead, &["--send-back", "--only-readable"]).await?;
    assert_eq!(moved_and_left(&lines)?, (json!(2), json!(1)));
    assert_eq!(inbox().await?, ["two", "one"]);

    discard(&cli, live, dead, &junk).await?;
    cluster.stop().await;
    Ok(())
}

/// Puts the letters into the dead-letter queue; returns the two groups.
async fn four_dead_letters(cluster: &Cluster, dead: &str, ada: &Account, bob: &Account) -> Result<Vec<String>> {
    let dead_letters = cluster.queue_at(dead);
    let mut groups = Vec::new();
    for text in ["one", "two"] {
        let group = cluster.group(ada, &[bob]).await?;
        cluster.settled().await?;
        let mut tasks = cluster.log_undelivered(ada.user_id, group, &[text], 1).await?;
        let task = tasks.pop().context("no task")?;
        let message_group = task.message_group();
        if text == "one" {
            dead_letters
                .dead_letter("not a task", &message_group, "junk", "it cannot be read")
                .await?;
            let Task::Deliver { logged, .. } = &task else {
                bail!("not copies: {task:?}");
            };
            let announce = Task::Announce {
                group: GroupId(group),
                shards: 0..1,
                logged: logged.clone(),
            };
            dead_letters
                .dead_letter(
                    &announce.to_body(),
                    &announce.message_group(),
                    "old",
                    "the table was away",
                )
                .await?;
        }
        dead_letters
            .dead_letter(&task.to_body(), &message_group, text, "the table was away")
            .await?;
        groups.push(group.to_string());
    }
    Ok(groups)
}

/// What becomes of each letter that is sent back, sorted.
fn fates(lines: &[Value]) -> Vec<String> {
    let letters = events_named(lines, "dead_letter");
    let mut fates: Vec<String> = letters.iter().map(|line| line["sent_back"].to_string()).collect();
    fates.sort_unstable();
    fates
}

fn id_of_junk(lines: &[Value]) -> Result<String> {
    let mut letters = events_named(lines, "dead_letter").into_iter();
    let junk = letters.find(|line| line["task"].is_null()).context("no junk")?;
    Ok(junk["message_id"].as_str().context("no id")?.to_owned())
}

fn moved_and_left(lines: &[Value]) -> Result<(Value, Value)> {
    let last = lines.last().context("nothing")?;
    Ok((last["moved"].clone(), last["left"].clone()))
}

/// Discarding writes a letter to a file. If that fails, the letter stays in the queue.
async fn discard(cli: &Cli<'_>, live: &str, dead: &str, junk: &str) -> Result<()> {
    let into = cli.home().display().to_string();
    for (letter, directory) in [("no-such-letter", into.as_str()), (junk, "/no/such/directory")] {
        let arguments = cli.redrive_arguments(dead, &["--discard", letter, "--into", directory]);
        let (code, why) = cli.exit(&arguments).await?;
        assert_eq!(code, Some(1), "{letter} into {directory}: {why}");
    }
    assert_eq!(cli.redrive(live, &[]).await?[0]["count"], 1, "nothing was taken out");
    let lines = cli.redrive(dead, &["--discard", junk, "--into", &into]).await?;
    let file = lines[0]["file"].as_str().context("no file")?;
    let whole: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    assert_eq!(
        (&whole["body"], &whole["message_id"]),
        (&json!("not a task"), &json!(junk))
    );
    assert_eq!(cli.redrive(live, &[]).await?[0]["count"], 0);
    Ok(())
}
