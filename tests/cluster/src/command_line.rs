//! The `wigwag` command as a user runs it.

use crate::{Cluster, PASSWORD};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a chat waits for an event before the story fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Builds the command once; returns its path in the target directory of this test.
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

/// The command, against a cluster, with its own directory for profiles.
#[derive(Debug)]
pub struct Cli<'a> {
    cluster: &'a Cluster,
    home: TempDir,
}

impl<'a> Cli<'a> {
    /// The command, without any profile yet.
    pub fn new(cluster: &'a Cluster) -> Result<Self> {
        Ok(Self {
            cluster,
            home: TempDir::new()?,
        })
    }

    /// The directory with the profiles.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A run of the command with these arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command
            .args(arguments)
            .env("WIGWAG_HOME", self.home())
            .env("WIGWAG_URL", &self.cluster.stack.http_url)
            .env("WIGWAG_WS_URL", &self.cluster.stack.websocket_url)
            .env("WIGWAG_PASSWORD", PASSWORD)
            .kill_on_drop(true)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs the command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments)?.output().await.context("run wigwag")
    }

    /// Runs the command; returns its exit code and what it wrote to stderr.
    pub async fn exit(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let output = self.run(arguments).await?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code(), stderr))
    }

    /// Runs a command that must succeed; returns its lines of JSON.
    pub async fn json(&self, arguments: &[&str]) -> Result<Vec<Value>> {
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

    /// Runs a command that the server must refuse; returns the name of the server's code.
    pub async fn refused(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(&[arguments, &["--json"]].concat()).await?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.code() == Some(3),
            "{arguments:?}: {:?}: {text}",
            output.status
        );
        let error: Value = serde_json::from_str(text.lines().last().context("it printed nothing")?)?;
        Ok(error["code"].as_str().context("no code")?.to_owned())
    }

    /// Registers users, each as a profile of the same name.
    pub async fn register(&self, names: &[&str]) -> Result<()> {
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

    /// Makes a group with these words after `group create`; returns its id as text.
    pub async fn create_group(&self, owner: &str, words: &[&str]) -> Result<String> {
        let made = self
            .json(&[&["group", "create", "--as", owner], words].concat())
            .await?;
        Ok(made[0]["group_id"].as_u64().context("no group")?.to_string())
    }

    /// Runs `redrive` on a queue of the cluster; returns its lines of JSON.
    pub async fn redrive(&self, queue_url: &str, more: &[&str]) -> Result<Vec<Value>> {
        self.json(&self.redrive_arguments(queue_url, more)).await
    }

    /// The arguments of `redrive` on a queue of the cluster.
    pub fn redrive_arguments<'w>(&'w self, queue_url: &'w str, more: &[&'w str]) -> Vec<&'w str> {
        let endpoint = self.cluster.stack.aws_endpoint_url.as_str();
        let redrive = ["redrive", "--queue-url", queue_url, "--endpoint-url", endpoint];
        [redrive.as_slice(), more].concat()
    }

    /// Opens a chat with another user.
    pub fn chat(&self, me: &str, other: &str) -> Result<Chat> {
        self.chat_in(me, &["--with", other])
    }

    /// Opens a chat with a user, in a group or in a room, as the options say.
    pub fn chat_in(&self, me: &str, options: &[&str]) -> Result<Chat> {
        let mut command = self.command(&[&["chat", "--json", "--stay", "--as", me], options].concat())?;
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

    /// Pipes a text into a chat in a group, and waits for the end of the chat.
    pub async fn pipe_into_group(&self, me: &str, group: &str, text: &str) -> Result<()> {
        let mut command = self.command(&["chat", "--json", "--as", me, "--group", group])?;
        let mut piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = piped.stdin.take().context("its input")?;
        input.write_all(text.as_bytes()).await?;
        drop(input);
        let ended = tokio::time::timeout(PATIENCE, piped.wait_with_output()).await;
        let ended = ended.context("wait for the end of the chat")??;
        ensure!(ended.status.success(), "the chat failed");
        Ok(())
    }
}

/// The lines that tell of an event with this name.
pub fn events_named<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

/// A running `wigwag chat`.
#[derive(Debug)]
pub struct Chat {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Chat {
    /// Types a line.
    pub async fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// The next event with this name.
    pub async fn next(&mut self, event: &str) -> Result<Value> {
        let wanted = async {
            while let Some(line) = self.output.next_line().await? {
                let value: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
                if value["event"] == event {
                    return Ok(value);
                }
            }
            bail!("the chat ended before {event}")
        };
        tokio::time::timeout(PATIENCE, wanted)
            .await
            .with_context(|| format!("wait for {event}"))?
    }

    /// Stops it with Ctrl-C; returns its exit code.
    pub async fn interrupt(mut self) -> Result<i32> {
        let pid = i32::try_from(self.child.id().context("it has ended")?)?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)?;
        self.child.wait().await?.code().context("killed by a signal")
    }
}
