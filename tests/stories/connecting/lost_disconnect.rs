//! A `$disconnect` that never comes.
use anyhow::Result;
use wigwag_cluster::Cluster;

/// A `$disconnect` that never comes leaves a connection in the head. Pushes to it fail without
/// further effect. The first push after a minute removes it (until then 410 may mean that the
/// connection is still opening), and so does the next connection of the device.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_never_disconnected_costs_nobody_a_message() -> Result<()> {
    let cluster = Cluster::with(|options| options.faults.drop_disconnect = 1.0).await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    cluster.device(&bob).await?.leave().await?;
    let mut a = cluster.device(&ada).await?;
    a.tell(bob.user_id, 1, "1").await?;
    a.tell(bob.user_id, 2, "2").await?;
    let pushes = cluster
        .meter()
        .await?
        .aws_total(|row| row.operation == "PostToConnection");
    assert_eq!((pushes.requests, pushes.client_errors), (2, 2));
    let mut b = cluster.device(&bob).await?;
    assert_eq!(b.sync(0, 0).await?.messages.len(), 2);
    a.tell(bob.user_id, 3, "3").await?;
    assert_eq!(b.pushed().await?.seq, 3);
    cluster.stop().await;
    Ok(())
}
