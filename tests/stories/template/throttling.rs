//! How much each route takes.
use anyhow::Result;
use futures_util::future::join_all;
use wigwag_cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn log_ins_are_throttled_and_other_routes_are_not() -> Result<()> {
    let cluster = Cluster::with_parameters(&[("LoginsPerSecond", "1")]).await?;
    // Far more at once than the route takes in a second.
    let guesses = join_all((0..32).map(|_| cluster.send("POST", "/login", None, Some("{}".to_owned())))).await;
    let mut refused = 0;
    for guess in guesses {
        let guess = guess?;
        if guess.status() == 429 && guess.text().await? == r#"{"message":"Too Many Requests"}"# {
            refused += 1;
        }
    }
    assert!((1..32).contains(&refused), "{refused} of 32");
    let others = join_all((0..32).map(|_| cluster.send("GET", "/me", None, None))).await;
    for other in others {
        assert_eq!(other?.status(), 401);
    }
    cluster.stop().await;
    Ok(())
}
