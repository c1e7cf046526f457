//! What operations cost.

use anyhow::Result;
use wigwag_cluster::budget;

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_stays_within_its_budget() -> Result<()> {
    let cluster = budget::cluster().await?;
    for row in budget::measure(&cluster).await? {
        assert!(row.is_within(), "{row:?}");
    }
    cluster.stop().await;
    Ok(())
}
