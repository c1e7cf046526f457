//! Exit codes and messages of failures.
use anyhow::Result;
use wigwag_cluster::{Cli, Cluster};

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_why_and_has_an_exit_code_of_its_own() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    assert_eq!(cli.exit(&["dance"]).await?.0, Some(2));
    let register = ["register", "--as", "erin", "--nickname", "erin", "--phone-number"];
    let (refused, why) = cli.exit(&[register.as_slice(), &["12"]].concat()).await?;
    assert_eq!(refused, Some(3), "{why}");
    assert!(why.contains("PHONE_NUMBER_MALFORMED"), "{why}");
    cli.json(&[register.as_slice(), &["+15550001003"]].concat()).await?;
    let (refused, why) = cli.exit(&["send", "--as", "erin", "--to", "5", "hi"]).await?;
    assert_eq!(refused, Some(3), "{why}");
    assert!(why.contains("USER_NOT_FOUND"), "{why}");
    let mut nowhere = cli.command(&["chat", "--as", "frank", "--with", "erin"])?;
    let unreached = nowhere.env("WIGWAG_URL", "http://127.0.0.1:9").output().await?;
    let why = String::from_utf8_lossy(&unreached.stderr);
    assert_eq!(unreached.status.code(), Some(4), "{why}");
    assert!(why.contains("cargo local"), "{why}");
    cluster.stop().await;
    Ok(())
}
