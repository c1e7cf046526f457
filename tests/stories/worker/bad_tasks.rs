//! Tasks that cannot be read, or come three times.
use super::GROUP;
use anyhow::{Context as _, Result};
use wigwag_cluster::{Cluster, texts};

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_task_becomes_a_dead_letter_and_the_next_task_is_done() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    let group = cluster.group(&ada, &[&bob]).await?;
    cluster
        .fanout_queue()?
        .dead_letter("no task", &format!("g{group}.0"), "unreadable", "put here by hand")
        .await?;
    a.tell_to(GROUP, group, 1, "after it").await?;
    assert_eq!(b.pushed_texts(1).await?, ["after it"]);
    cluster.settled().await?;
    let dead = cluster.dead_letters().await?;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, "no task");
    let reason = dead[0]
        .attributes
        .get("reason")
        .and_then(|reason| reason.string_value.clone());
    assert!(reason.context("no reason")?.contains("cannot be read"));
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_task_three_times_adds_nothing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let group = cluster.group(&ada, &[&bob]).await?;
    let tasks = cluster.log_undelivered(ada.user_id, group, &["once"], 1).await?;
    assert_eq!(tasks.len(), 1);
    let queue = cluster.fanout_queue()?;
    for repeat in 0..3 {
        for task in &tasks {
            // Another id each time, so that the queue does not deduplicate them.
            let id = format!("repeat-{repeat}");
            queue
                .dead_letter(&task.to_body(), &task.message_group(), &id, "a repeat")
                .await?;
        }
        if repeat == 1 {
            cluster.settled().await?;
        }
    }
    assert_eq!(texts(&cluster.inbox(&bob).await?), ["once"]);
    assert_eq!(texts(&cluster.inbox(&ada).await?), ["once"]);
    cluster.stop().await;
    Ok(())
}
