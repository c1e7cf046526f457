//! Workers that are killed.
use super::GROUP;
use anyhow::Result;
use std::time::Duration;
use wigwag_cluster::{Cluster, altered_template, texts};

/// Workers are killed in the middle of their work. The queue hands their tasks out again, here as
/// soon as a worker must have ended. Every message arrives once.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_once_though_the_worker_is_killed() -> Result<()> {
    const KILLS: u64 = 2;
    let directory = tempfile::tempdir()?;
    // The worker's timeout is the shortest visibility timeout that AWS accepts.
    let template = altered_template(directory.path(), &[("VisibilityTimeout: 30", "VisibilityTimeout: 5")])?;
    let cluster = Cluster::with(|options| options.template = template).await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let group = cluster.group(&ada, &[&bob, &eve]).await?;
    cluster.settled().await?;
    let mut a = cluster.device(&ada).await?;
    let errors = async || -> Result<u64> {
        let functions = cluster.meter().await?.functions;
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
        cluster.kill("fanout");
        if tries % 10 == 0 {
            cluster.settled().await?;
        }
    }
    for who in [&bob, &eve, &ada] {
        let messages = cluster.inbox(who).await?;
        assert_eq!(texts(&messages), wanted);
        assert!(messages.is_sorted_by(|one, next| one.seq < next.seq));
    }
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}
