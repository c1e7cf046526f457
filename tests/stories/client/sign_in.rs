//! The ways to sign in.
use anyhow::Result;
use wigwag_client::{Client, Encoding, SignIn};
use wigwag_cluster::Cluster;
use wigwag_cluster::sdk::received;

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_sign_in_works_in_either_encoding() -> Result<()> {
    let cluster = Cluster::with_parameters(&[("AllowLoginFrame", "true")]).await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut sent = 0;
    for sign_in in [SignIn::Query, SignIn::Subprotocol, SignIn::LoginFrame] {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let mut options = cluster.connect_options(&ada)?;
            (options.sign_in, options.encoding) = (sign_in, encoding);
            let (client, mut events) = Client::connect(options).await?;
            let receipt = client.send(bob.user_id, format!("{sign_in:?} {encoding:?}")).await?;
            sent += 1;
            assert_eq!(receipt.conversation_seq, sent as u64);
            assert_eq!(received(&mut events, sent).await?.len(), sent);
            client.close().await;
        }
    }
    cluster.stop().await;
    Ok(())
}
