//! `wigwag group`.
use anyhow::Result;
use serde_json::Value;
use wigwag_cluster::{Cli, Cluster};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_managed_from_the_command_line() -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    cli.register(&["alice", "bob", "carol"]).await?;
    let group = cli.create_group("alice", &["club", "bob", "carol"]).await?;
    let group = group.as_str();
    let members = cli.json(&["group", "members", "--as", "bob", group]).await?;
    let roles: Vec<&str> = members.iter().filter_map(|member| member["role"].as_str()).collect();
    assert_eq!(roles, ["owner", "member", "member"]);

    let rename = ["group", "rename", "--as", "bob", group, "book club"];
    assert_eq!(cli.refused(&rename).await?, "ROLE_TOO_LOW");
    cli.json(&["group", "role", "--as", "alice", group, "bob", "admin"])
        .await?;
    cli.json(&rename).await?;
    cli.json(&["group", "mute", "--as", "bob", group, "carol", "--for", "10m"])
        .await?;
    let send = ["send", "--as", "carol", "--group", group, "may I?"];
    assert_eq!(cli.refused(&send).await?, "MEMBER_MUTED");
    cli.json(&["group", "unmute", "--as", "bob", group, "carol"]).await?;
    cli.json(&send).await?;
    cli.json(&["group", "mute-all", "--as", "bob", group]).await?;
    assert_eq!(cli.refused(&send).await?, "GROUP_MUTED");
    cli.json(&["group", "mute-all", "--off", "--as", "bob", group]).await?;
    cli.json(&["group", "open-history", "--as", "alice", group]).await?;
    cli.json(&["group", "super", "--as", "alice", group]).await?;
    cli.json(&send).await?;
    assert_eq!(
        cli.refused(&["group", "leave", "--as", "alice", group]).await?,
        "OWNER_STAYS"
    );
    cli.json(&["group", "hand-over", "--as", "alice", group, "bob"]).await?;
    cli.json(&["group", "leave", "--as", "alice", group]).await?;
    let shown = cli.json(&["group", "show", "--as", "bob", group]).await?;
    let facts = ["name", "super_group", "open_history", "muted", "members", "role"].map(|fact| &shown[0][fact]);
    let wanted: [Value; 6] = [
        "book club".into(),
        true.into(),
        true.into(),
        false.into(),
        2.into(),
        "owner".into(),
    ];
    assert_eq!(facts, wanted.each_ref());
    assert_eq!(cli.json(&["group", "list", "--as", "bob"]).await?.len(), 1);
    assert!(cli.json(&["group", "list", "--as", "alice"]).await?.is_empty());

    carol_reads_of_every_change(&cluster, &cli).await?;
    cli.json(&["group", "dissolve", "--as", "bob", group]).await?;
    assert_eq!(cli.refused(&send).await?, "GROUP_DISSOLVED");
    let nobody = ["group", "add", "--as", "bob", "77", "alice"];
    assert_eq!(cli.refused(&nobody).await?, "GROUP_NOT_FOUND");
    cluster.stop().await;
    Ok(())
}

/// The changes in carol's inbox, written for people.
async fn carol_reads_of_every_change(cluster: &Cluster, cli: &Cli<'_>) -> Result<()> {
    cluster.settled().await?;
    let said = cli.run(&["sync", "--as", "carol"]).await?;
    let said = String::from_utf8(said.stdout)?;
    for line in [
        "named the group book club",
        "muted you for 10 min",
        "let you send again",
        "turned the group into a super group",
        "you (in group book club (",
        "left",
    ] {
        assert!(said.lines().any(|text| text.contains(line)), "{line}: {said}");
    }
    Ok(())
}
