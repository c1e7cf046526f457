use anyhow::Result;
use wigwag_cluster::budget;

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_stays_within_its_budget() -> Result<()> {
    let world = budget::world().await?;
    for row in budget::measure(&world).await? {
        assert!(row.is_within(), "{row:?}");
    }
    world.stop().await;
    Ok(())
}
