//! Members and devices that nothing can be delivered to.
use super::GROUP;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_cluster::{Account, Cluster, texts};
use wigwag_local::gateway::{GatewayFaults, PostFault};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_an_inbox_costs_the_others_nothing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let group = cluster.group(&ada, &[&eve, &bob]).await?;
    cluster.settled().await?;
    cluster.forget_inbox(eve.user_id).await?;
    let mut a = cluster.device(&ada).await?;
    a.tell_to(GROUP, group, 1, "still here").await?;
    assert_eq!(texts(&cluster.inbox(&bob).await?), ["still here"]);
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}

/// One device is gone without a `$disconnect`, one is too busy for the first pushes, one refuses
/// all, and one is slow. The busy one and a healthy one are pushed everything, and all of them get
/// everything by sync.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_be_pushed_to_costs_the_others_nothing() -> Result<()> {
    let cluster = Cluster::with(|options| {
        options.faults = GatewayFaults {
            drop_disconnect: 1.0,
            ..GatewayFaults::default()
        };
    })
    .await?;
    let mut accounts = BTreeMap::new();
    for name in ["ada", "gone", "busy", "stuck", "slow", "well"] {
        accounts.insert(name, cluster.account(name).await?);
    }
    let ada = accounts["ada"].clone();
    let members: Vec<&Account> = accounts.values().filter(|who| who.user_id != ada.user_id).collect();
    let group = cluster.group(&ada, &members).await?;
    cluster.settled().await?;
    let mut a = cluster.device(&ada).await?;
    let mut devices = BTreeMap::new();
    for name in ["gone", "busy", "stuck", "slow", "well"] {
        let device = cluster.device(&accounts[name]).await?;
        devices.insert(name, device);
    }
    let harm = async |name: &str, fault: PostFault| -> Result<()> {
        for id in cluster.connection_ids(accounts[name].user_id).await? {
            cluster.stack.harm_posts(&id, fault);
        }
        Ok(())
    };
    let refuse = |refuse| PostFault {
        refuse,
        ..PostFault::default()
    };
    harm("busy", refuse(2)).await?;
    harm("stuck", refuse(u32::MAX)).await?;
    let delay = Duration::from_secs(3);
    harm("slow", PostFault { refuse: 0, delay }).await?;
    devices.remove("gone").context("no such device")?.leave().await?;
    let wanted = ["one", "two", "three"];
    for (client_id, text) in (1..).zip(wanted) {
        a.tell_to(GROUP, group, client_id, text).await?;
    }
    for name in ["well", "busy"] {
        let device = devices.get_mut(name).context("no such device")?;
        assert_eq!(device.pushed_texts(3).await?, wanted, "{name}");
    }
    cluster.settled().await?;
    let refused = cluster
        .meter()
        .await?
        .aws_total(|row| row.caller == "FanoutFunction" && row.operation == "PostToConnection")
        .client_errors;
    assert!(refused > 3, "nothing was refused, so this showed nothing");
    for name in ["stuck", "slow", "well", "busy"] {
        let device = devices.get_mut(name).context("no such device")?;
        assert_eq!(texts(&device.catch_up(0).await?), wanted, "{name}");
    }
    assert_eq!(texts(&cluster.inbox(&accounts["gone"]).await?), wanted);
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}
