//! Batches that a test gives to the handler itself.
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;
use wigwag_cluster::http_faults::holding_up;
use wigwag_cluster::{Cluster, failed_records, now_ms, record, record_with_body, texts};
use wigwag_domain::task::Task;
use wigwag_fanout::GIVE_UP;

#[tokio::test(flavor = "multi_thread")]
async fn junk_between_tasks_becomes_a_dead_letter_and_all_tasks_are_done() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob] = cluster.accounts(["ada", "bob"]).await?;
    let group = cluster.group(&ada, &[&bob]).await?;
    cluster.settled().await?;
    let tasks = cluster
        .log_undelivered(ada.user_id, group, &["one", "two", "three"], now_ms())
        .await?;
    let message_group = tasks[0].message_group();
    // The error quotes the name of the task.
    let junk = json!({ "task": "é".repeat(50_000) }).to_string();
    let bodies = [tasks[0].to_body(), junk.clone(), tasks[1].to_body(), tasks[2].to_body()];
    let records: Vec<Value> = (1..)
        .zip(&bodies)
        .map(|(n, body)| record_with_body(&format!("record-{n}"), &message_group, 1, body))
        .collect();
    assert_eq!(failed_records(&cluster.worker()?, &records).await?, [""; 0]);
    assert_eq!(texts(&cluster.inbox(&bob).await?), ["one", "two", "three"]);
    let dead = cluster.dead_letters().await?;
    assert_eq!(dead.iter().map(|letter| &letter.body).collect::<Vec<_>>(), [&junk]);
    let reason = dead[0].attributes.get("reason").context("no reason")?;
    let reason = reason.string_value.as_deref().unwrap_or_default();
    assert!(
        reason.starts_with("the task cannot be read") && reason.len() <= 500,
        "{reason}"
    );
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_message_group_does_not_stop_another_and_its_first_task_is_given_up() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob] = cluster.accounts(["ada", "bob"]).await?;
    let (spoilt, well) = (cluster.group(&ada, &[&bob]).await?, cluster.group(&ada, &[&bob]).await?);
    cluster.settled().await?;
    let failing = cluster
        .log_undelivered(ada.user_id, spoilt, &["spoilt", "behind it"], now_ms())
        .await?;
    let others = cluster
        .log_undelivered(ada.user_id, well, &["another group"], now_ms())
        .await?;
    let Task::Deliver { logged, .. } = &failing[0] else {
        anyhow::bail!("{failing:?}");
    };
    cluster.spoil_plan(spoilt, logged.conversation_seq()).await?;
    let records = |receives| {
        [
            record("spoilt", &failing[0], receives),
            record("other", &others[0], receives),
            record("behind", &failing[1], receives),
        ]
    };
    let worker = cluster.worker()?;
    assert_eq!(
        failed_records(&worker, &records(GIVE_UP - 1)).await?,
        ["spoilt", "behind"]
    );
    assert_eq!(texts(&cluster.inbox(&bob).await?), ["another group"]);
    assert!(cluster.dead_letters().await?.is_empty());
    assert_eq!(failed_records(&worker, &records(GIVE_UP)).await?, [""; 0]);
    assert_eq!(texts(&cluster.inbox(&bob).await?), ["another group", "behind it"]);
    let dead = cluster.dead_letters().await?;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, failing[0].to_body());
    let reason = dead[0].attributes.get("reason").context("no reason")?;
    assert_eq!(
        reason.string_value.as_deref(),
        Some("handed out 12 times, and then: an item of timelines cannot be read: a plan cannot be read")
    );
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_group_is_pushed_while_another_is_still_being_worked_on() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob] = cluster.accounts(["ada", "bob"]).await?;
    let (slow, quick) = (cluster.group(&ada, &[&bob]).await?, cluster.group(&ada, &[&bob]).await?);
    cluster.settled().await?;
    let mut device = cluster.device(&bob).await?;
    let slow = cluster.log_undelivered(ada.user_id, slow, &["slow"], now_ms()).await?;
    let quick = cluster
        .log_undelivered(ada.user_id, quick, &["quick"], now_ms())
        .await?;
    let records = [record("slow", &slow[0], 1), record("quick", &quick[0], 1)];
    let permits = Arc::new(Semaphore::new(0));
    let client = holding_up(format!("\"{}\"", slow[0].message_group()), permits.clone());
    let mut worker = cluster.worker()?;
    worker.store = cluster.store_by(client);
    let handled = tokio::spawn(async move { failed_records(&worker, &records).await });
    assert_eq!(device.pushed_texts(1).await?, ["quick"]);
    permits.add_permits(1);
    assert_eq!(handled.await??, [""; 0]);
    assert_eq!(device.pushed_texts(1).await?, ["slow"]);
    cluster.stop().await;
    Ok(())
}
