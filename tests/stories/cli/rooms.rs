//! Rooms and signals from the command line.
use anyhow::Result;
use wigwag_cluster::{Cli, Cluster, events_named};

#[tokio::test(flavor = "multi_thread")]
async fn two_terminals_talk_in_a_room_and_a_third_signals_there() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    cli.register(&["carol"]).await?;
    let (mut alice, mut bob) = (
        cli.chat_in("alice", &["--room", "42"])?,
        cli.chat_in("bob", &["--room", "42"])?,
    );
    for chat in [&mut alice, &mut bob] {
        chat.next("ready").await?;
    }
    alice.say("anybody here?").await?;
    assert_eq!(alice.next("sent").await?["relayed"], true);
    let message = bob.next("message").await?;
    assert_eq!(
        (&message["content"], &message["receiver_id"]),
        (&"anybody here?".into(), &42.into())
    );
    assert_eq!(cli.json(&["room", "users", "42", "--as", "carol"]).await?.len(), 2);
    cli.json(&["signal", "--as", "carol", "--room", "42", "--text", "x=1"])
        .await?;
    for chat in [&mut alice, &mut bob] {
        assert_eq!(chat.next("signal").await?["signal"]["content"], "x=1");
    }
    cli.json(&["signal", "--as", "carol", "--to", "bob", "--typing"])
        .await?;
    let signal = bob.next("signal").await?;
    assert_eq!(signal["signal"]["signal_type"], "SIGNAL_TYPE_TYPING");
    assert_eq!(bob.interrupt().await?, 0);
    alice.say("still here?").await?;
    alice.next("sent").await?;
    // Messages of a room are not stored.
    assert!(events_named(&cli.json(&["sync", "--as", "bob"]).await?, "message").is_empty());
    assert_eq!(alice.interrupt().await?, 0);
    cluster.stop().await;
    Ok(())
}
