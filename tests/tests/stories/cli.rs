//! The `wigwag` command as a user runs it.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use wigwag_tests::World;

/// Builds the command once, and finds it beside this test's own directory.
fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<bool> = OnceLock::new();
    let is_built = *BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = std::process::Command::new(cargo)
            .args(["build", "--quiet", "--bin", "wigwag"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status();
        build.is_ok_and(|status| status.success())
    });
    ensure!(is_built, "cargo could not build wigwag");
    let deps = std::env::current_exe()?;
    let target = deps.ancestors().nth(2).context("find the target directory")?;
    Ok(target.join("wigwag"))
}

struct Cli<'a> {
    world: &'a World,
    home: &'a Path,
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

    async fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments)?.output().await.context("run wigwag")
    }

    /// Runs a command that must succeed; answers with its lines of JSON.
    async fn json(&self, arguments: &[&str]) -> Result<Vec<Value>> {
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
        let mut command = self.command(&["chat", "--json", "--stay", "--as", me, "--with", other])?;
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
    assert_eq!(alice.next("message").await?["content"], "hello alice");
    alice.say("hello bob").await?;
    assert_eq!(bob.next("message").await?["content"], "hello bob");
    assert_eq!(bob.interrupt().await?, 0);
    for n in 1..=3 {
        alice.say(&n.to_string()).await?;
        alice.next("sent").await?;
    }
    let mut bob = cli.chat("bob", "alice")?;
    for n in 1..=3 {
        assert_eq!(bob.next("message").await?["content"], n.to_string());
    }
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
