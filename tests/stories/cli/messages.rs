//! Messages that are sent and fetched by single commands.
use anyhow::Result;
use serde_json::Value;
use wigwag_cluster::{Cli, Cluster};

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_and_messages_sent_and_fetched_one_by_one() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    for (name, phone) in [("carol", "+15550001001"), ("dave", "+15550001002")] {
        let made = cli
            .json(&["register", "--as", name, "--phone-number", phone, "--nickname", name])
            .await?;
        assert!(made[0]["user_id"].as_u64().is_some(), "{made:?}");
    }
    cli.json(&["login", "--as", "carol", "--phone-number", "+15550001001"])
        .await?;
    let me = cli.json(&["me", "--as", "carol"]).await?;
    assert_eq!(me[0]["nickname"], "carol");
    for text in ["one", "two", "three"] {
        cli.json(&["send", "--as", "carol", "--to", "dave", text]).await?;
    }
    let contents = |lines: Vec<Value>| -> Vec<String> {
        lines
            .iter()
            .filter_map(|line| line["content"].as_str().map(str::to_owned))
            .collect()
    };
    assert_eq!(
        contents(cli.json(&["sync", "--as", "dave"]).await?),
        ["one", "two", "three"]
    );
    assert!(contents(cli.json(&["sync", "--as", "dave"]).await?).is_empty(), "once");
    assert_eq!(
        contents(cli.json(&["sync", "--as", "dave", "--from", "1"]).await?),
        ["two", "three"]
    );
    assert_eq!(
        contents(
            cli.json(&["history", "--as", "dave", "--with", "carol", "--limit", "2"])
                .await?
        ),
        ["two", "three"]
    );
    cluster.stop().await;
    Ok(())
}
