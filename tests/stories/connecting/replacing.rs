//! A connection replaces an older one.
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::Payload;
use wigwag_protocol::pb::KickReason;

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_of_a_device_replaces_the_older_one_and_tells_it() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut older = cluster.device(&ada).await?;
    let mut newer = cluster.device(&ada).await?;
    match older.next_push().await?.payload {
        Payload::Kick(kick) => assert_eq!((kick.reason, kick.reconnect), (KickReason::Replaced.into(), false)),
        other => panic!("{other:?}"),
    }
    older.closed().await?;
    cluster.device(&bob).await?.tell(ada.user_id, 1, "still there?").await?;
    assert_eq!(
        newer.pushed().await?.seq,
        1,
        "the late $disconnect of the older one did not remove the newer one"
    );
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_platform_policy_another_device_of_the_platform_is_replaced_too() -> Result<()> {
    let cluster = Cluster::with_parameters(&[("ConnectionPolicy", "platform")]).await?;
    let ada = cluster.account("ada").await?;
    let laptop = cluster.another_device(&ada, "laptop").await?;
    let mut first = cluster.device(&ada).await?;
    cluster.device(&laptop).await?;
    assert!(matches!(first.next_push().await?.payload, Payload::Kick(_)));
    cluster.stop().await;
    Ok(())
}
