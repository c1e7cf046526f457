//! Functions that die under the clients.
use anyhow::Result;
use std::time::Duration;
use wigwag_client::Client;
use wigwag_cluster::Cluster;
use wigwag_cluster::sdk::{received, texts_from};

/// The processes of the functions are killed again and again, in the middle of their work.
#[tokio::test(flavor = "multi_thread")]
async fn killed_functions_cost_no_message() -> Result<()> {
    const MESSAGES: usize = 25;
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut quick = cluster.connect_options(&ada)?;
    quick.timing.answer_timeout = Duration::from_secs(1);
    let (sender, _sent) = Client::connect(quick).await?;
    let (receiver, mut events) = Client::connect(cluster.connect_options(&bob)?).await?;
    let killer = tokio::spawn(cluster.kill_repeatedly("default"));
    for n in 0..MESSAGES {
        sender.send(bob.user_id, n.to_string()).await?;
    }
    killer.abort();
    let got = received(&mut events, MESSAGES).await?;
    assert!(got.is_sorted_by(|one, next| one.seq < next.seq));
    assert_eq!(
        texts_from(ada.user_id, &got),
        (0..MESSAGES).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    let failed = cluster.meter().await?.functions["DefaultFunction"].errors;
    assert!(failed > 0, "no invocation was hit, so this showed nothing");
    sender.close().await;
    receiver.close().await;
    cluster.stop().await;
    Ok(())
}
