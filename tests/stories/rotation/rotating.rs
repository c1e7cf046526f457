//! A new key.
use super::{PATIENCE, me};
use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use std::time::{Duration, Instant};
use wigwag_cluster::tokens::key_id;
use wigwag_cluster::{Account, Cluster};

/// Log-ins at the same time: more than there are processes that have read the old key.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn tokens_outlive_one_rotation_and_not_a_second() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let mut open = cluster.device(&ada).await?;
    let old = key_id(&ada.token)?;

    cluster.rotate().await?;
    let new = key_id(&cluster.member(ada.user_id)?.token)?;
    ensure!(old != new, "the key has not changed");
    open.heartbeat().await?;
    me(&cluster, &ada)
        .await
        .context("a token of the old key still counts")?;
    cluster.device(&ada).await?.heartbeat().await?;
    let of_new = log_in_until_signed_with(&cluster, &ada, &new).await?;

    cluster.rotate().await?;
    let newest = cluster.member_on(ada.user_id, &ada.device_id)?;
    let until = Instant::now() + PATIENCE;
    while let Err(error) = cluster.device(&newest).await {
        ensure!(Instant::now() < until, "{error:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(final_status(&cluster, &ada.token).await?, 401, "signed two keys ago");
    cluster.dial().token(&of_new).connect().await?;
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_new_key_is_valid_at_once_for_processes_that_know_the_old_key() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    cluster.device(&ada).await?.leave().await?;
    me(&cluster, &ada).await?;
    cluster.rotate().await?;
    let again = cluster.member_on(ada.user_id, &ada.device_id)?;
    cluster.device(&again).await?.heartbeat().await?;
    me(&cluster, &again).await?;
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_outlives_the_stack_with_its_data() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let start = || Cluster::with(|options| options.data_dir = Some(directory.path().join("data")));
    let cluster = start().await?;
    let ada = cluster.account("ada").await?;
    cluster.stop().await;
    let mut cluster = start().await?;
    cluster.device(&ada).await?.leave().await?;
    cluster.rotate().await?;
    let new = key_id(&cluster.member(ada.user_id)?.token)?;
    cluster.stop().await;
    let cluster = start().await?;
    let again = cluster.another_device(&ada, "another").await?;
    assert_eq!(key_id(&again.token)?, new);
    cluster.device(&ada).await?.heartbeat().await?;
    cluster.stop().await;
    Ok(())
}

/// Logs in several times at once, until a process has signed that started after the rotation.
/// Connects with every token, of the old key or of the new one. Returns a token of the new key.
async fn log_in_until_signed_with(cluster: &Cluster, who: &Account, key: &str) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let device_ids: Vec<String> = (0..AT_ONCE).map(|number| format!("device {number}")).collect();
        let log_ins = device_ids.iter().map(|device_id| cluster.log_in(who, device_id));
        let log_ins = try_join_all(log_ins).await?.into_iter();
        let tokens: Vec<String> = log_ins.map(|logged_in| logged_in.token).collect();
        for token in &tokens {
            cluster.dial().token(token).connect().await?.heartbeat().await?;
        }
        let is_new = |token: &String| key_id(token).is_ok_and(|id| id == key);
        if let Some(token) = tokens.into_iter().find(is_new) {
            return Ok(token);
        }
        ensure!(Instant::now() < until, "no process signs with the new key yet");
    }
}

/// The final status for a token that is refused. A process that has just looked for another key
/// answers 500 for a while, because it does not know yet.
async fn final_status(cluster: &Cluster, token: &str) -> Result<u16> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match cluster.dial().token(token).refused().await? {
            500 => tokio::time::sleep(Duration::from_millis(100)).await,
            status => return Ok(status),
        }
    }
    bail!("no final status")
}
