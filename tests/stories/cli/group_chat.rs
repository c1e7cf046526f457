//! `wigwag chat` in a group and in a super group.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wigwag_cluster::{Chat, Cli, Cluster, events_named};

#[tokio::test(flavor = "multi_thread")]
async fn three_terminals_talk_in_a_group_and_the_one_that_returns_has_every_message_once() -> Result<()> {
    a_group_chat_of_three(&[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_terminals_talk_in_a_super_group_and_the_one_that_returns_has_every_message_once() -> Result<()> {
    a_group_chat_of_three(&["--super"]).await
}

/// Three talk in a group. Carol leaves the chat, and returns after the others have talked on and
/// dave was added. At the end she is removed from the group.
async fn a_group_chat_of_three(kind: &[&str]) -> Result<()> {
    let cluster = Cluster::start().await?;
    let cli = Cli::new(&cluster)?;
    cli.register(&["alice", "bob", "carol", "dave"]).await?;
    let group = cli
        .create_group("alice", &[&["book club", "bob", "carol"], kind].concat())
        .await?;
    let mut bob = three_talk_until_one_is_left(&cli, &group).await?;
    dave_is_added(&cli, &group, &mut bob).await?;
    carol_returns(&cluster, &cli, &group, bob).await?;
    carol_pipes_lines_into_the_chat(&cli, &group).await?;
    everybody_reads_their_part_of_the_history(&cli, &group).await?;
    carol_is_removed(&cluster, &cli, &group).await?;
    cluster.stop().await;
    Ok(())
}

/// Alice, bob and carol talk. Carol leaves, then alice; bob stays.
async fn three_talk_until_one_is_left(cli: &Cli<'_>, group: &str) -> Result<Chat> {
    let here = ["--group", group];
    let (mut alice, mut bob) = (cli.chat_in("alice", &here)?, cli.chat_in("bob", &here)?);
    let mut carol = cli.chat_in("carol", &here)?;
    for chat in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(chat.next("ready").await?["name"], "book club");
        assert_eq!(
            chat.next("message").await?["group_change"]["type"],
            "GROUP_CHANGE_TYPE_CREATED"
        );
    }
    bob.say("hello all").await?;
    bob.next("sent").await?;
    for chat in [&mut alice, &mut carol] {
        let message = chat.next("message").await?;
        assert_eq!(
            (&message["content"], &message["own"]),
            (&json!("hello all"), &json!(false))
        );
        assert!(
            message["from"].as_str().is_some_and(|from| from.contains("bob")),
            "{message}"
        );
    }
    alice.say("hello bob").await?;
    for chat in [&mut bob, &mut carol] {
        assert_eq!(chat.next("message").await?["content"], "hello bob");
    }
    assert_eq!(carol.interrupt().await?, 0);
    for n in 1..=3 {
        bob.say(&n.to_string()).await?;
        bob.next("sent").await?;
        assert_eq!(alice.next("message").await?["content"], n.to_string());
    }
    assert_eq!(alice.interrupt().await?, 0);
    Ok(bob)
}

async fn dave_is_added(cli: &Cli<'_>, group: &str, bob: &mut Chat) -> Result<()> {
    let added = cli.json(&["group", "add", "--as", "alice", group, "dave"]).await?;
    assert_eq!(added[0]["changed"].as_array().map(Vec::len), Some(1));
    let change = bob.next("message").await?;
    assert_eq!(change["group_change"]["type"], "GROUP_CHANGE_TYPE_MEMBERS_ADDED");
    cli.json(&["send", "--as", "dave", "--group", group, "I am new"])
        .await?;
    assert_eq!(bob.next("message").await?["content"], "I am new");
    Ok(())
}

/// Carol gets everything since she left: in order, and once.
async fn carol_returns(cluster: &Cluster, cli: &Cli<'_>, group: &str, mut bob: Chat) -> Result<()> {
    let mut carol = cli.chat_in("carol", &["--group", group])?;
    let mut seqs = Vec::new();
    for content in ["1", "2", "3", "", "I am new"] {
        let message = carol.next("message").await?;
        assert_eq!(message["content"], content, "{message}");
        seqs.push(message["conversation_seq"].as_u64().context("no seq")?);
    }
    assert_eq!(seqs, (4..9).collect::<Vec<u64>>());
    bob.say("bye").await?;
    assert_eq!(carol.next("message").await?["content"], "bye");
    assert_eq!((bob.interrupt().await?, carol.interrupt().await?), (0, 0));
    cluster.settled().await?;
    nothing_is_new_for_carol(cli).await
}

/// Lines from a pipe are all sent, and are not printed again.
async fn carol_pipes_lines_into_the_chat(cli: &Cli<'_>, group: &str) -> Result<()> {
    cli.pipe_into_group("carol", group, "from\na pipe\n").await?;
    nothing_is_new_for_carol(cli).await
}

async fn nothing_is_new_for_carol(cli: &Cli<'_>) -> Result<()> {
    let again = cli.json(&["sync", "--as", "carol"]).await?;
    assert!(events_named(&again, "message").is_empty(), "{again:?}");
    Ok(())
}

async fn everybody_reads_their_part_of_the_history(cli: &Cli<'_>, group: &str) -> Result<()> {
    let contents = |lines: &[Value]| -> Vec<String> {
        let texts = events_named(lines, "message")
            .into_iter()
            .filter(|line| line["group_change"].is_null());
        texts
            .filter_map(|line| line["content"].as_str().map(str::to_owned))
            .collect()
    };
    let history = cli.json(&["history", "--as", "bob", "--group", group]).await?;
    let all = [
        "hello all",
        "hello bob",
        "1",
        "2",
        "3",
        "I am new",
        "bye",
        "from",
        "a pipe",
    ];
    assert_eq!(contents(&history), all);
    let history = cli.json(&["history", "--as", "dave", "--group", group]).await?;
    assert_eq!(
        contents(&history),
        ["I am new", "bye", "from", "a pipe"],
        "nothing from before dave was added"
    );
    let missed = cli.json(&["sync", "--as", "dave"]).await?;
    assert_eq!(contents(&missed).last().map(String::as_str), Some("a pipe"));
    Ok(())
}

async fn carol_is_removed(cluster: &Cluster, cli: &Cli<'_>, group: &str) -> Result<()> {
    cli.json(&["group", "remove", "--as", "alice", group, "carol"]).await?;
    assert_eq!(
        cli.refused(&["send", "--as", "carol", "--group", group, "hm"]).await?,
        "NOT_A_MEMBER"
    );
    cli.json(&["send", "--as", "alice", "--group", group, "she is gone"])
        .await?;
    cluster.settled().await?;
    let last = cli.json(&["sync", "--as", "carol"]).await?;
    let last = events_named(&last, "message");
    assert_eq!(last.len(), 1, "{last:?}");
    assert_eq!(last[0]["group_change"]["type"], "GROUP_CHANGE_TYPE_MEMBERS_REMOVED");
    Ok(())
}
