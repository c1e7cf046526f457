//! One account on several devices.
use anyhow::Result;
use serde_json::Value;
use wigwag_cluster::{Cli, Cluster};

/// A phone logs in to an account that a laptop opened, and another client uses its token. Mistaken
/// commands make no account.
#[tokio::test]
async fn an_account_is_used_from_several_devices() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    cli.register(&["alice", "bob"]).await?;
    let group = cli.create_group("alice", &["club"]).await?;
    let added = cli.run(&["group", "add", "--as", "alice", &group, "bob"]).await?;
    let added = String::from_utf8(added.stdout)?;
    assert!(added.ends_with(": bob added\n"), "{added}");

    cli.json(&["login", "--as", "bob-phone", "--device-of", "bob"]).await?;
    let send = ["send", "--as", "bob-phone", "--group", &group, "from the phone"];
    cli.json(&send).await?;
    cluster.settled().await?;
    for (profile, from) in [("alice", "bob"), ("bob", "you"), ("bob-phone", "you")] {
        let read = cli.json(&["sync", "--as", profile]).await?;
        let said = read.iter().filter(|message| message["content"] == "from the phone");
        let said: Vec<&Value> = said.map(|message| &message["from"]).collect();
        assert_eq!(said, [from], "{profile}");
    }

    let token = String::from_utf8(cli.run(&["token", "--as", "bob-phone"]).await?.stdout)?;
    let api = wigwag_client::Api::new(cluster.stack.http_url.parse()?);
    let me = api.with_token(token.trim()).me().await?;
    assert_eq!(me.nickname, "bob");

    for refused in [
        ["login", "--as", "carol", "--device-of", "nobody"].as_slice(),
        &["login", "--as", "alice", "--device-of", "bob"],
        &["token", "--as", "carol"],
        &["chat", "--as", "carol", "--group", &group],
        &["group", "show", "--as", "alice", "club"],
    ] {
        let (code, why) = cli.exit(refused).await?;
        assert_eq!(code, Some(2), "{refused:?}: {why}");
    }
    let profiles = cli.json(&["profiles"]).await?;
    assert_eq!(profiles.len(), 3, "{profiles:?}");
    cluster.stop().await;
    Ok(())
}
