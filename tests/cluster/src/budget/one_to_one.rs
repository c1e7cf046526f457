//! Operations of one user, and messages between two.

use super::counting::per_time;
use super::disconnected;
use super::table::Cost;
use crate::{Account, Cluster, Device};
use anyhow::Result;

/// Repetitions of each operation; the counts are divided by it.
const TIMES: u64 = 20;

/// Small enough for fifty of them to fit a frame.
const SMALL_BYTES: usize = 100;

/// Content that the budget of a message is stated for.
pub(super) const CONTENT_BYTES: usize = 500;

/// Too large for an inbox entry, so that it refers to the log.
const REFERRED_BYTES: usize = 1000;

pub(super) async fn message(cluster: &Cluster) -> Result<Cost> {
    let (mut sender, mut receiver, to) = pair(cluster).await?;
    sender.tell(to.user_id, 1, "this creates the log").await?;
    receiver.pushed().await?;
    cluster.reset_meter().await?;
    let content = "x".repeat(CONTENT_BYTES);
    for client_id in 2..2 + TIMES {
        sender.tell(to.user_id, client_id, &content).await?;
        receiver.pushed().await?;
    }
    counted(cluster).await
}

pub(super) async fn heartbeat(cluster: &Cluster) -> Result<Cost> {
    let mut device = cluster.device(&cluster.account("heartbeat").await?).await?;
    cluster.reset_meter().await?;
    for _ in 0..TIMES {
        device.heartbeat().await?;
    }
    counted(cluster).await
}

pub(super) async fn sync_small(cluster: &Cluster) -> Result<Cost> {
    sync(cluster, SMALL_BYTES).await
}

pub(super) async fn sync_by_reference(cluster: &Cluster) -> Result<Cost> {
    sync(cluster, REFERRED_BYTES).await
}

async fn sync(cluster: &Cluster, bytes: usize) -> Result<Cost> {
    let (mut sender, mut receiver, to) = pair(cluster).await?;
    for client_id in 1..=50 {
        sender.tell(to.user_id, client_id, &"x".repeat(bytes)).await?;
    }
    cluster.reset_meter().await?;
    for _ in 0..TIMES {
        receiver.sync(0, 50).await?;
    }
    counted(cluster).await
}

pub(super) async fn connect_and_disconnect(cluster: &Cluster) -> Result<(Cost, Cost)> {
    let account = cluster.account("connect").await?;
    cluster.reset_meter().await?;
    for _ in 0..TIMES {
        cluster.device(&account).await?.leave().await?;
        disconnected(cluster).await?;
    }
    let reading = cluster.meter().await?;
    let by = |function: &str| per_time(&reading, TIMES, |row| row.caller == function);
    Ok((by("ConnectFunction"), by("DisconnectFunction")))
}

async fn counted(cluster: &Cluster) -> Result<Cost> {
    Ok(per_time(&cluster.meter().await?, TIMES, |_| true))
}

/// Two users, each with one device that is connected.
async fn pair(cluster: &Cluster) -> Result<(Device, Device, Account)> {
    let (from, to) = (cluster.account("from").await?, cluster.account("to").await?);
    Ok((cluster.device(&from).await?, cluster.device(&to).await?, to))
}
