//! A super group that is dissolved or left.
use super::GROUP;
use anyhow::{Context as _, Result};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_client::{Client, Events};
use wigwag_cluster::sdk::until_the_group_ended;
use wigwag_cluster::{Account, Cluster};
use wigwag_domain::{GroupId, TimelineId};
use wigwag_protocol::Code;
use wigwag_store::timelines;
use wigwag_store::timelines::Missing;

/// An app that follows a group from a cursor on, and polls often.
async fn following(cluster: &Cluster, who: &Account, group: u64, cursor: u64) -> Result<(Client, Events)> {
    let mut options = cluster.connect_options(who)?;
    options.super_groups = BTreeMap::from([(group, cursor)]);
    options.timing.heartbeat = Duration::from_millis(200);
    options.timing.super_group_closing = Duration::from_millis(500);
    Ok(Client::connect(options).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dissolved_or_left_group_ends_for_an_app_that_starts_afterwards_too() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let mut a = cluster.device(&ada).await?;
    let group = cluster.super_group(&ada, &[&bob, &eve]).await?;
    a.tell_to(GROUP, group, 1, "hello").await?;
    let (client, mut events) = following(&cluster, &bob, group, 1).await?;
    let remove = json!({ "group_id": group, "user_ids": [eve.user_id] });
    assert_eq!(cluster.outcome("/group/remove", &ada, &remove).await?, Code::OK);
    let dissolve = json!({ "group_id": group });
    assert_eq!(cluster.outcome("/group/dissolve", &ada, &dissolve).await?, Code::OK);
    let refused = a.say_to(GROUP, group, 2, "anybody?").await?;
    assert_eq!(refused.code, Code::GROUP_DISSOLVED.number());
    cluster.settled().await?;
    // A repeat reserves a seq and seals it, even after the end.
    let (store, log) = (cluster.store(), TimelineId::group(GroupId(group)));
    let head = timelines::reserve(&store, &log, 1, Missing::Refuse, 0)
        .await?
        .context("no log")?;
    assert_eq!(timelines::seal(&store, &log, head.seq, 0).await?, None);
    let page = a.pull_group(group).await?;
    assert!(page.ended && page.max_seq == 5, "{page:?}");
    let (seqs, cursor) = until_the_group_ended(&mut events).await?;
    // It may have read the end before the repeat.
    assert!(seqs == [2, 3, 4] && (4..=5).contains(&cursor), "{seqs:?} {cursor}");
    client.close().await;
    let (client, mut events) = following(&cluster, &bob, group, 4).await?;
    assert_eq!(until_the_group_ended(&mut events).await?, (vec![], page.max_seq));
    client.close().await;
    let (client, mut events) = following(&cluster, &eve, group, 3).await?;
    assert_eq!(until_the_group_ended(&mut events).await?, (vec![], 3));
    client.close().await;
    cluster.stop().await;
    Ok(())
}
