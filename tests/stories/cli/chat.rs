//! `wigwag chat` between two users.
use anyhow::{Context as _, Result};
use wigwag_cluster::{Cli, Cluster};
use wigwag_domain::UserId;
use wigwag_store::inboxes;

#[tokio::test(flavor = "multi_thread")]
async fn two_terminals_talk_and_the_one_that_returns_has_missed_nothing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    let mut alice = cli.chat("alice", "bob")?;
    alice.next("waiting").await?;
    let mut bob = cli.chat("bob", "alice")?;
    bob.say("hello alice").await?;
    bob.next("sent").await?;
    let hello = alice.next("message").await?;
    assert_eq!(hello["content"], "hello alice");
    let bob_id = UserId(hello["sender_id"].as_u64().context("no id")?);
    let is_protobuf = async || -> Result<Vec<bool>> {
        let head = inboxes::head(&cluster.store(), bob_id, true)
            .await?
            .context("no inbox")?;
        let connections = head.devices.into_values().filter_map(|device| device.connection);
        Ok(connections.map(|connection| connection.protobuf).collect())
    };
    assert_eq!(is_protobuf().await?, [true]);
    alice.say("hello bob").await?;
    assert_eq!(bob.next("message").await?["content"], "hello bob");
    assert_eq!(bob.interrupt().await?, 0);
    for n in 1..=3 {
        alice.say(&n.to_string()).await?;
        alice.next("sent").await?;
    }
    let mut bob = cli.chat_in("bob", &["--with", "alice", "--frames", "json"])?;
    for n in 1..=3 {
        assert_eq!(bob.next("message").await?["content"], n.to_string());
    }
    assert_eq!(is_protobuf().await?, [false]);
    alice.say("4").await?;
    assert_eq!(bob.next("message").await?["content"], "4");
    assert_eq!((alice.interrupt().await?, bob.interrupt().await?), (0, 0));
    cluster.stop().await;
    Ok(())
}
