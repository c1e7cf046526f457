//! A connection ends while it is in a room.
use super::{ROOM, hears, users};
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_local::gateway::GatewayFaults;
use wigwag_protocol::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_disconnects_leaves_the_room() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    a.enter(7).await?;
    b.enter(7).await?;
    assert_eq!(users(&cluster, &ada, 7).await?.len(), 2);
    b.leave().await?;
    while users(&cluster, &ada, 7).await? != [ada.user_id] {
        tokio::task::yield_now().await;
    }
    let mut b = cluster.device(&bob).await?;
    a.tell_to(ROOM, 7, 0, "where is bob?").await?;
    cluster.settled().await?;
    let outside = b.say_to(ROOM, 7, 0, "here").await?;
    assert_eq!(
        outside.code,
        Code::NOT_IN_ROOM.number(),
        "a new connection is in no room"
    );
    b.enter(7).await?;
    a.tell_to(ROOM, 7, 0, "there").await?;
    hears(&mut b, "there").await?;
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_disconnect_costs_the_others_in_the_room_nothing() -> Result<()> {
    let cluster = Cluster::with(|options| {
        options.faults = GatewayFaults {
            drop_disconnect: 1.0,
            ..GatewayFaults::default()
        };
    })
    .await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b, mut e) = (
        cluster.device(&ada).await?,
        cluster.device(&bob).await?,
        cluster.device(&eve).await?,
    );
    for device in [&mut a, &mut b, &mut e] {
        device.enter(7).await?;
    }
    b.leave().await?;
    a.tell_to(ROOM, 7, 0, "still there?").await?;
    hears(&mut e, "still there?").await?;
    let mut b = cluster.device(&bob).await?;
    assert_eq!(b.enter(7).await?, 0, "the new connection was in no room");
    a.tell_to(ROOM, 7, 0, "back").await?;
    hears(&mut b, "back").await?;
    hears(&mut e, "back").await?;
    cluster.settled().await?;
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}
