//! The `wigwag` command as a user runs it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use wigwag_cluster::World;
use wigwag_store::TimelineId;

/// Builds the command once, and finds it beside this test's own directory.
fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<bool> = OnceLock::new();
    let is_built = *BUILT.get_or_init(|| {
        let build = wigwag_local::build::cargo()
            .args(["build", "--quiet", "--bin", "wigwag"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .status();
        build.is_ok_and(|status| status.success())
    });
    ensure!(is_built, "cargo could not build wigwag");
    let deps = std::env::current_exe()?;
    let target = deps.ancestors().nth(2).context("find the target directory")?;
    Ok(target.join("wigwag"))
}

/// The command, against a stack, with profiles of its own.
pub(crate) struct Cli<'a> {
    pub(crate) world: &'a World,
    pub(crate) home: &'a Path,
}

impl Cli<'_> {
    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command
            .args(arguments)
            .env("WIGWAG_HOME", self.home)
            .env("WIGWAG_URL", &self.world.stack.http_url)
            .env("WIGWAG_WS_URL", &self.world.stack.websocket_url)
            .env("WIGWAG_PASSWORD", "correct horse battery")
            .kill_on_drop(true)
            .stdin(Stdio::null());
        Ok(command)
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments)?.output().await.context("run wigwag")
    }

    /// Runs a command that must succeed; answers with its lines of JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let output = self.run(&[arguments, &["--json"]].concat()).await?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect()
    }

    fn chat(&self, me: &str, other: &str) -> Result<Chat> {
        self.chat_in(me, &["--with", other])
    }

    /// Chats with a partner, in a group or in a room, as the options say.
    fn chat_in(&self, me: &str, place: &[&str]) -> Result<Chat> {
        let mut command = self.command(&[&["chat", "--json", "--stay", "--as", me], place].concat())?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (
            child.stdin.take().context("its input")?,
            child.stdout.take().context("its output")?,
        );
        Ok(Chat {
            child,
            input,
            output: BufReader::new(output).lines(),
        })
    }
}

impl Cli<'_> {
    /// Registers users, each as a profile of that name.
    pub(crate) async fn register(&self, names: &[&str]) -> Result<()> {
        for name in names {
            let digits = name.bytes().fold(0, |number: u64, byte| {
                (number * 100 + u64::from(byte % 100)) % 10_000_000_000
            });
            let phone = format!("+1555{digits:010}");
            let register = ["register", "--as", name, "--nickname", name, "--phone-number", &phone];
            self.json(&[register.as_slice(), &["--save-password"]].concat()).await?;
        }
        Ok(())
    }

    /// Runs a command that must be refused; answers with the server's code.
    async fn refused(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(&[arguments, &["--json"]].concat()).await?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.code() == Some(3),
            "{arguments:?}: {:?}: {text}",
            output.status
        );
        let error: Value = serde_json::from_str(text.lines().last().context("it said nothing")?)?;
        Ok(error["code"].as_str().context("no code")?.to_owned())
    }
}

/// The lines of one kind.
pub(crate) fn of_kind<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

struct Chat {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Chat {
    async fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// The next event of a kind.
    async fn next(&mut self, event: &str) -> Result<Value> {
        let deadline = std::time::Duration::from_secs(30);
        let wanted = async {
            while let Some(line) = self.output.next_line().await? {
                let value: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
                if value["event"] == event {
                    return Ok(value);
                }
            }
            anyhow::bail!("it ended before {event}")
        };
        tokio::time::timeout(deadline, wanted)
            .await
            .with_context(|| format!("wait for {event}"))?
    }

    /// Leaves as Ctrl-C does.
    async fn interrupt(mut self) -> Result<i32> {
        let pid = i32::try_from(self.child.id().context("it has ended")?)?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)?;
        self.child.wait().await?.code().context("killed by a signal")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_terminals_talk_one_leaves_comes_back_and_has_missed_nothing() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    let mut alice = cli.chat("alice", "bob")?;
    alice.next("waiting").await?;
    let mut bob = cli.chat("bob", "alice")?;
    bob.say("hello alice").await?;
    bob.next("sent").await?;
    let hello = alice.next("message").await?;
    assert_eq!(hello["content"], "hello alice");
    let inbox = TimelineId::inbox(hello["sender_id"].as_u64().context("no id")?);
    let is_protobuf = async || -> Result<Vec<bool>> {
        let head = world.store().head(&inbox, true).await?.context("no inbox")?;
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
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_and_messages_sent_and_fetched_one_by_one() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
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
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_says_why_and_ends_with_a_code_that_means_something() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    let code = |output: Output| {
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(code(cli.run(&["dance"]).await?).0, Some(2));
    let register = ["register", "--as", "erin", "--nickname", "erin", "--phone-number"];
    let (refused, why) = code(cli.run(&[register.as_slice(), &["12"]].concat()).await?);
    assert_eq!(refused, Some(3), "{why}");
    assert!(why.contains("PHONE_NUMBER_MALFORMED"), "{why}");
    cli.json(&[register.as_slice(), &["+15550001003"]].concat()).await?;
    let (refused, why) = code(cli.run(&["send", "--as", "erin", "--to", "5", "hi"]).await?);
    assert_eq!(refused, Some(3), "{why}");
    assert!(why.contains("USER_NOT_FOUND"), "{why}");
    let mut nowhere = cli.command(&["chat", "--as", "frank", "--with", "erin"])?;
    let (unreached, why) = code(nowhere.env("WIGWAG_URL", "http://127.0.0.1:9").output().await?);
    assert_eq!(unreached, Some(4), "{why}");
    assert!(why.contains("cargo local"), "{why}");
    world.stop().await;
    Ok(())
}

/// A phone joins in with an account that a laptop opened, and any other client with its token. What cannot be meant makes no account.
#[tokio::test]
async fn an_account_is_used_from_several_devices() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    cli.register(&["alice", "bob"]).await?;
    let made = cli.json(&["group", "create", "--as", "alice", "club"]).await?;
    let group = made[0]["group_id"].as_u64().context("no group")?.to_string();
    let added = cli.run(&["group", "add", "--as", "alice", &group, "bob"]).await?;
    let added = String::from_utf8(added.stdout)?;
    assert!(added.ends_with(": bob added\n"), "{added}");

    cli.json(&["login", "--as", "bob-phone", "--device-of", "bob"]).await?;
    let send = ["send", "--as", "bob-phone", "--group", &group, "from the phone"];
    cli.json(&send).await?;
    world.settled().await?;
    for (profile, from) in [("alice", "bob"), ("bob", "you"), ("bob-phone", "you")] {
        let read = cli.json(&["sync", "--as", profile]).await?;
        let said = read.iter().filter(|message| message["content"] == "from the phone");
        let said: Vec<&Value> = said.map(|message| &message["from"]).collect();
        assert_eq!(said, [from], "{profile}");
    }

    let token = String::from_utf8(cli.run(&["token", "--as", "bob-phone"]).await?.stdout)?;
    let api = wigwag_client::Api::new(world.stack.http_url.parse()?);
    let me = api.with_token(token.trim()).me().await?;
    assert_eq!(me.nickname, "bob");

    for refused in [
        ["login", "--as", "carol", "--device-of", "nobody"].as_slice(),
        &["login", "--as", "alice", "--device-of", "bob"],
        &["token", "--as", "carol"],
        &["chat", "--as", "carol", "--group", &group],
        &["group", "show", "--as", "alice", "club"],
    ] {
        let output = cli.run(refused).await?;
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{refused:?}: {why}");
    }
    let profiles = cli.json(&["profiles"]).await?;
    assert_eq!(profiles.len(), 3, "{profiles:?}");
    world.stop().await;
    Ok(())
}

/// Three talk in a group. One leaves, and comes back when the others have talked on and a fourth was added; one leaves for good.
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_group_chat_of_three(kind: &[&str]) -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    cli.register(&["alice", "bob", "carol", "dave"]).await?;
    let create = ["group", "create", "--as", "alice", "book club", "bob", "carol"];
    let made = cli.json(&[create.as_slice(), kind].concat()).await?;
    let group = made[0]["group_id"].as_u64().context("no group")?.to_string();
    let here = ["--group", group.as_str()];

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
    let added = cli.json(&["group", "add", "--as", "alice", &group, "dave"]).await?;
    assert_eq!(added[0]["changed"].as_array().map(Vec::len), Some(1));
    let change = bob.next("message").await?;
    assert_eq!(change["group_change"]["type"], "GROUP_CHANGE_TYPE_MEMBERS_ADDED");
    cli.json(&["send", "--as", "dave", "--group", &group, "I am new"])
        .await?;
    assert_eq!(bob.next("message").await?["content"], "I am new");

    // All of it, in order, once: from where she left off.
    let mut carol = cli.chat_in("carol", &here)?;
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
    world.settled().await?;
    let again = cli.json(&["sync", "--as", "carol"]).await?;
    assert!(of_kind(&again, "message").is_empty(), "{again:?}");

    // What comes from a pipe is sent to its end, and is not printed again.
    let mut piped = cli.command(&["chat", "--json", "--as", "carol", "--group", &group])?;
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = piped.stdin.take().context("its input")?;
    input.write_all(b"from\na pipe\n").await?;
    drop(input);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), piped.wait_with_output()).await;
    ensure!(
        ended.context("wait for the pipe's end")??.status.success(),
        "the chat failed"
    );
    let again = cli.json(&["sync", "--as", "carol"]).await?;
    assert!(of_kind(&again, "message").is_empty(), "{again:?}");

    let contents = |lines: &[Value]| -> Vec<String> {
        let texts = of_kind(lines, "message")
            .into_iter()
            .filter(|line| line["group_change"].is_null());
        texts
            .filter_map(|line| line["content"].as_str().map(str::to_owned))
            .collect()
    };
    let history = cli.json(&["history", "--as", "bob", "--group", &group]).await?;
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
    let history = cli.json(&["history", "--as", "dave", "--group", &group]).await?;
    assert_eq!(
        contents(&history),
        ["I am new", "bye", "from", "a pipe"],
        "not what was said before"
    );
    let missed = cli.json(&["sync", "--as", "dave"]).await?;
    assert_eq!(contents(&missed).last().map(String::as_str), Some("a pipe"));

    cli.json(&["group", "remove", "--as", "alice", &group, "carol"]).await?;
    assert_eq!(
        cli.refused(&["send", "--as", "carol", "--group", &group, "hm"]).await?,
        "NOT_A_MEMBER"
    );
    cli.json(&["send", "--as", "alice", "--group", &group, "she is gone"])
        .await?;
    world.settled().await?;
    let last = cli.json(&["sync", "--as", "carol"]).await?;
    let last = of_kind(&last, "message");
    assert_eq!(last.len(), 1, "{last:?}");
    assert_eq!(last[0]["group_change"]["type"], "GROUP_CHANGE_TYPE_MEMBERS_REMOVED");
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_terminals_talk_in_a_group_one_leaves_comes_back_and_has_all_of_it_once() -> Result<()> {
    a_group_chat_of_three(&[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_terminals_talk_in_a_super_group_one_leaves_comes_back_and_has_all_of_it_once() -> Result<()> {
    a_group_chat_of_three(&["--super"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_run_from_the_command_line() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
    cli.register(&["alice", "bob", "carol"]).await?;
    let made = cli
        .json(&["group", "create", "--as", "alice", "club", "bob", "carol"])
        .await?;
    let group = made[0]["group_id"].as_u64().context("no group")?.to_string();
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

    // What happened, as people read it.
    world.settled().await?;
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
    cli.json(&["group", "dissolve", "--as", "bob", group]).await?;
    assert_eq!(cli.refused(&send).await?, "GROUP_DISSOLVED");
    let nobody = ["group", "add", "--as", "bob", "77", "alice"];
    assert_eq!(cli.refused(&nobody).await?, "GROUP_NOT_FOUND");
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_terminals_talk_in_a_room_and_a_third_signals_there() -> Result<()> {
    let (world, home) = (World::start().await?, TempDir::new()?);
    let cli = Cli {
        world: &world,
        home: home.path(),
    };
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
    // What was said in a room is nowhere.
    assert!(of_kind(&cli.json(&["sync", "--as", "bob"]).await?, "message").is_empty());
    assert_eq!(alice.interrupt().await?, 0);
    world.stop().await;
    Ok(())
}
