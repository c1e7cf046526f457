//! Dispatch tasks: a message to more shards than its sender makes tasks for.
use super::GROUP;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wigwag_cluster::http_faults::only_the_first;
use wigwag_cluster::{Cluster, failed_records, now_ms, record, texts};
use wigwag_domain::task::Task;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_more_than_ten_shards_reaches_each_of_them() -> Result<()> {
    let cluster = Cluster::start().await?;
    let users = cluster.crowd(1, 13).await?;
    let group = 5;
    cluster.group_of_shards(group, &users).await?;
    let ada = cluster.member(users[0])?;
    let mut device = cluster.device(&ada).await?;
    device.tell_to(GROUP, group, 1, "to all of you").await?;
    for &user in &users {
        let messages = cluster.inbox(&cluster.member(user)?).await?;
        assert_eq!(texts(&messages), ["to all of you"], "user {user}");
    }
    let meter = cluster.meter().await?;
    let sent = meter.aws_total(|row| row.caller == "FanoutFunction" && row.operation == "SendMessageBatch");
    assert_eq!(sent.requests, 2, "thirteen tasks");
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_that_failed_half_way_is_repeated_and_adds_nothing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let users = cluster.crowd(1, 13).await?;
    let group = 5;
    cluster.group_of_shards(group, &users).await?;
    let ada = cluster.member(users[0])?;
    let tasks = cluster
        .log_undelivered(ada.user_id, group, &["to all of you"], now_ms())
        .await?;
    assert!(
        matches!(tasks.as_slice(), [Task::Dispatch { shards: 13, .. }]),
        "{tasks:?}"
    );
    let record = record("dispatch", &tasks[0], 1);
    let sent = Arc::new(AtomicUsize::new(0));
    let client = only_the_first(sent.clone());
    let mut worker = cluster.worker()?;
    worker.queue = cluster.fanout_queue_by(cluster.sqs_config().http_client(client))?;
    assert_eq!(
        failed_records(&worker, std::slice::from_ref(&record)).await?,
        ["dispatch"]
    );
    assert!(sent.load(Ordering::SeqCst) > 1);
    cluster.settled().await?;
    let mut have = 0;
    for &user in &users[1..] {
        have += cluster.inbox(&cluster.member(user)?).await?.len();
    }
    assert!((1..12).contains(&have), "{have} of twelve have it");
    worker.queue = cluster.fanout_queue()?;
    assert_eq!(failed_records(&worker, &[record]).await?, [""; 0]);
    for &user in &users {
        let messages = cluster.inbox(&cluster.member(user)?).await?;
        assert_eq!(texts(&messages), ["to all of you"], "user {user}");
    }
    cluster.stop().await;
    Ok(())
}
