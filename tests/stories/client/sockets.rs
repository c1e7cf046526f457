//! Sockets that are cut, and frames that overtake each other.
use anyhow::Result;
use std::time::Duration;
use wigwag_client::Client;
use wigwag_cluster::sdk::{Received, received, texts_from};
use wigwag_cluster::{Account, Cluster};

/// Sockets live for a second, frames overtake each other, and every second `$disconnect` is lost.
/// Both sides end with the same list: each message once, in the order in which it was sent. So does
/// a device that connects only then.
#[tokio::test(flavor = "multi_thread")]
async fn cut_sockets_and_frames_out_of_order_cost_no_message() -> Result<()> {
    const MESSAGES: usize = 60;
    let cluster = Cluster::with(|options| {
        options.limits.lifetime = Duration::from_secs(1);
        options.faults.seed = 7;
        options.faults.drop_disconnect = 0.5;
        options.faults.delay_frame = Duration::from_millis(20);
    })
    .await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let talk = async |from: &Account, to: &Account| -> Result<Vec<Received>> {
        let (client, mut events) = Client::connect(cluster.connect_options(from)?).await?;
        let sending = async {
            for n in 0..MESSAGES {
                client.send(to.user_id, n.to_string()).await?;
            }
            anyhow::Ok(())
        };
        let (sent, got) = tokio::join!(sending, received(&mut events, 2 * MESSAGES));
        sent?;
        client.close().await;
        got
    };
    let (a, b) = tokio::join!(talk(&ada, &bob), talk(&bob, &ada));
    let late = cluster.another_device(&ada, "late").await?;
    let (client, mut events) = Client::connect(cluster.connect_options(&late)?).await?;
    let c = received(&mut events, 2 * MESSAGES).await?;
    client.close().await;
    let wanted: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    for got in [&a?, &b?, &c] {
        assert!(
            got.is_sorted_by(|one, next| one.seq < next.seq),
            "each seq once, ascending"
        );
        assert_eq!(texts_from(ada.user_id, got), wanted);
        assert_eq!(texts_from(bob.user_id, got), wanted);
    }
    cluster.stop().await;
    Ok(())
}
