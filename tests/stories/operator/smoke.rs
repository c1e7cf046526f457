//! `wigwag smoke`.
use anyhow::Result;
use wigwag_cluster::{Cli, Cluster, events_named};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_that_a_deployment_works() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    for frames in ["protobuf", "json"] {
        let steps = cli.json(&["smoke", "--frames", frames]).await?;
        assert_eq!(events_named(&steps, "ok").len(), 5, "{steps:?}");
    }
    let nowhere = ["smoke", "--url", "http://127.0.0.1:9"];
    assert_eq!(cli.run(&nowhere).await?.status.code(), Some(4));
    cluster.stop().await;
    Ok(())
}
