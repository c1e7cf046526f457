//! Messages to groups. A few members are online; all others are not.

use super::counting::per_member;
use super::one_to_one::CONTENT_BYTES;
use super::table::{Cost, Operation};
use crate::{Cluster, Device, now_ms};
use anyhow::Result;
use wigwag_domain::task::SHARD_MEMBERS;
use wigwag_messaging::TaskQueue as _;
use wigwag_protocol::pb::SessionType;

/// Members who are online.
const ONLINE: u64 = 5;

/// Messages of a burst: as many as one batch of the queue takes.
const BURST: usize = 10;

/// A group with one full shard.
const GROUP: u64 = 1;

/// A super group with as many members as one announcement is for.
const SUPER_GROUP: u64 = 2;

/// Members of the super group.
const SUPER_MEMBERS: u64 = 2 * SHARD_MEMBERS;

pub(super) async fn measure(cluster: &Cluster) -> Result<[(Operation, Cost); 3]> {
    let mut accounts = Vec::new();
    for n in 0..ONLINE {
        accounts.push(cluster.account(&format!("online {n}")).await?);
    }
    let mut users: Vec<u64> = accounts.iter().map(|account| account.user_id).collect();
    users.extend(cluster.crowd(1, SUPER_MEMBERS - ONLINE).await?);
    let shard = usize::try_from(SHARD_MEMBERS)?;
    cluster.group_of(GROUP, &users[..shard], false).await?;
    cluster.group_of(SUPER_GROUP, &users, true).await?;
    let mut devices = Vec::new();
    for account in &accounts {
        devices.push(cluster.device(account).await?);
    }
    let (sender, receivers) = devices.split_at_mut(1);
    let sender = &mut sender[0];
    // The sender's own device is pushed to in a super group only.
    tell(cluster, GROUP, sender, receivers).await?;
    let alone = per_member(&cluster.meter().await?, SHARD_MEMBERS, ONLINE - 1);
    burst(cluster, accounts[0].user_id, receivers).await?;
    let times = BURST as u64;
    let in_bursts = per_member(&cluster.meter().await?, SHARD_MEMBERS * times, (ONLINE - 1) * times);
    tell(cluster, SUPER_GROUP, sender, receivers).await?;
    let announced = per_member(&cluster.meter().await?, SUPER_MEMBERS, ONLINE);
    Ok([
        (Operation::GroupMessage, alone),
        (Operation::GroupBurst, in_bursts),
        (Operation::SuperGroupMessage, announced),
    ])
}

/// Sends one message with the meter at zero, and waits until it has been delivered.
async fn tell(cluster: &Cluster, group: u64, sender: &mut Device, receivers: &mut [Device]) -> Result<()> {
    let client_id = group;
    cluster.settled().await?;
    cluster.reset_meter().await?;
    let content = "x".repeat(CONTENT_BYTES);
    sender.tell_to(SessionType::Group, group, client_id, &content).await?;
    for receiver in receivers {
        receiver.pushed().await?;
    }
    cluster.settled().await
}

/// Enqueues ten messages before a worker takes the first, as happens while workers are busy.
async fn burst(cluster: &Cluster, sender: u64, receivers: &mut [Device]) -> Result<()> {
    cluster.settled().await?;
    cluster.reset_meter().await?;
    let content = "x".repeat(CONTENT_BYTES);
    let texts = [content.as_str(); BURST];
    let tasks = cluster.log_undelivered(sender, GROUP, &texts, now_ms()).await?;
    cluster.fanout_queue()?.enqueue(&tasks).await?;
    for receiver in receivers {
        for _ in 0..BURST {
            receiver.pushed().await?;
        }
    }
    cluster.settled().await
}
