//! Super groups on cut sockets.
use anyhow::Result;
use std::time::Duration;
use wigwag_client::{Client, ConnectOptions, Conversation, Start};
use wigwag_cluster::sdk::{Received, received_in_super_group, texts_from};
use wigwag_cluster::{Account, Cluster};

/// Messages of a super group are in no inbox. Sockets live for a second, and frames overtake each
/// other. Two members talk; a third comes and goes, and continues from the cursor that it kept. All
/// three have every message once, in the same order.
#[tokio::test(flavor = "multi_thread")]
async fn cut_sockets_cost_no_message_of_a_super_group() -> Result<()> {
    const MESSAGES: usize = 30;
    let cluster = Cluster::with(|options| {
        options.limits.lifetime = Duration::from_secs(1);
        options.faults.seed = 11;
        options.faults.drop_disconnect = 0.5;
        options.faults.delay_frame = Duration::from_millis(20);
    })
    .await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let group = cluster.super_group(&ada, &[&bob, &eve]).await?;
    let options = |account: &Account| -> Result<ConnectOptions> {
        let mut options = cluster.connect_options(account)?;
        options.http_url = Some(cluster.stack.http_url.parse()?);
        options.timing.super_group_spread = Duration::from_millis(200);
        options.timing.heartbeat = Duration::from_secs(2);
        options.timing.super_group_poll = Duration::from_secs(1);
        Ok(options)
    };
    let talk = async |from: &Account| -> Result<Vec<Received>> {
        let (client, mut events) = Client::connect(options(from)?).await?;
        let sending = async {
            for n in 0..MESSAGES {
                let receipt = client.send(Conversation::Group(group), n.to_string()).await?;
                assert_eq!(receipt.seq, 0);
            }
            anyhow::Ok(())
        };
        let mut cursor = None;
        let (sent, got) = tokio::join!(sending, received_in_super_group(&mut events, 2 * MESSAGES, &mut cursor));
        sent?;
        client.close().await;
        got
    };
    let listen = async || -> Result<Vec<Received>> {
        let (mut got, mut inbox, mut kept) = (Vec::new(), 0, None);
        for part in [MESSAGES / 2, MESSAGES / 2, MESSAGES] {
            let mut options = options(&eve)?;
            options.start = Start::After(inbox);
            options.super_groups = kept.map(|cursor| (group, cursor)).into_iter().collect();
            let (client, mut events) = Client::connect(options).await?;
            got.extend(received_in_super_group(&mut events, part, &mut kept).await?);
            // The change that made the group came before its messages.
            inbox = 1;
            client.close().await;
        }
        Ok(got)
    };
    let (a, b, e) = tokio::join!(talk(&ada), talk(&bob), listen());
    let (a, b, e) = (a?, b?, e?);
    let wanted: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    assert!(a.is_sorted_by(|one, next| one.seq < next.seq), "each once, ascending");
    assert_eq!(
        (texts_from(ada.user_id, &a), texts_from(bob.user_id, &a)),
        (
            wanted.iter().map(String::as_str).collect(),
            wanted.iter().map(String::as_str).collect()
        )
    );
    assert_eq!((&a, &a), (&b, &e));
    cluster.stop().await;
    Ok(())
}
