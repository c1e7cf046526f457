//! `cargo xtask bench memory`: the peak memory and the processor time of each function under the
//! largest work that it gets. `MemorySize` and `Timeout` in the template rest on these figures.

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;
use wigwag_cluster::{Cluster, Device, Kept, altered_template};
use wigwag_domain::outgoing::Draft;
use wigwag_domain::task::SHARD_MEMBERS;
use wigwag_domain::{DeviceKey, GroupId, MessageKey, UserId};
use wigwag_local::build::Bootstraps;
use wigwag_local::meter::FunctionRow;
use wigwag_messaging::TaskQueue as _;
use wigwag_protocol::limits::CONTENT_BYTES;

/// Flags of `cargo xtask bench memory`.
#[derive(Debug, clap::Args)]
pub(crate) struct MemoryArgs {
    /// Members of the group, all of them online.
    #[arg(long, default_value_t = SHARD_MEMBERS, value_parser = clap::value_parser!(u64).range(2..=SHARD_MEMBERS))]
    members: u64,
    /// Number of logins at the same time, each in its own process.
    #[arg(long, default_value_t = 8)]
    logins: u32,
    /// Run the bootstraps in DIR, as `sam build` leaves them, instead of building for this machine.
    #[arg(long, value_name = "DIR")]
    bootstraps: Option<PathBuf>,
    /// Print one JSON object per line instead of a table.
    #[arg(long)]
    json: bool,
}

const GROUP: u64 = 7;

/// Messages of a batch: as many as the queue delivers at once.
const BATCH: u64 = 10;

/// Messages between two users: enough for several pages.
const PAGES_OF: u64 = 20;

/// Repetitions, so that the measurement has everything that a process keeps between events.
const TIMES: u32 = 3;

/// Longer than in the template, because clients, gateway and engine share the worker's processors.
const TIMEOUT: (&str, &str) = ("    Timeout: 5 #", "    Timeout: 30 #");

pub(crate) async fn run(arguments: &MemoryArgs) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let template = altered_template(directory.path(), &[TIMEOUT])?;
    let cluster = Cluster::with(|options| {
        options.template = template;
        options.bootstraps = match &arguments.bootstraps {
            Some(directory) => Bootstraps::Given(directory.clone()),
            None => Bootstraps::Build { release: true },
        };
    })
    .await?;
    eprintln!("logging in, {} at once", arguments.logins);
    log_in(&cluster, arguments.logins).await?;
    eprintln!("sending {PAGES_OF} messages of {CONTENT_BYTES} bytes to a user, and reading them");
    talk(&cluster).await?;
    eprintln!(
        "sending {BATCH} messages of {CONTENT_BYTES} bytes to {} members who are online",
        arguments.members
    );
    tell_everyone(&cluster, arguments.members).await?;
    let functions = cluster.meter().await?.functions;
    cluster.stop().await;
    if !arguments.json {
        println!("| function | invocations | peak memory, MB | CPU ms: median / max |");
        println!("|---|---|---|---|");
    }
    for (function, row) in &functions {
        ensure!(row.errors == 0, "{function} failed {} times", row.errors);
        print(function, row, arguments.json);
    }
    Ok(())
}

/// Logs in many times. Each registration and each login hashes a password.
async fn log_in(cluster: &Cluster, logins: u32) -> Result<()> {
    let account = cluster.account("logs in").await?;
    for _ in 0..TIMES {
        let names = (0..logins).map(|n| format!("device {n}"));
        try_join_all(names.map(|name| {
            let account = &account;
            async move { cluster.another_device(account, &name).await }
        }))
        .await?;
    }
    Ok(())
}

/// Sends the largest messages between two users, then reads all pages, over the socket and over
/// HTTP.
async fn talk(cluster: &Cluster) -> Result<()> {
    let [from, to] = cluster.accounts(["from", "to"]).await?;
    let (mut sender, mut receiver) = (cluster.device(&from).await?, cluster.device(&to).await?);
    let content = "x".repeat(CONTENT_BYTES);
    for client_id in 1..=PAGES_OF {
        sender.tell(to.user_id, client_id, &content).await?;
        receiver.pushed().await?;
    }
    for _ in 0..TIMES {
        let read = receiver.catch_up(0).await?.len() as u64;
        ensure!(read == PAGES_OF, "{read} of {PAGES_OF} messages were read");
        let history: Value = cluster
            .get(&format!("/history/{}", from.user_id), Some(&to.token))
            .await?;
        ensure!(
            history["messages"].as_array().is_some_and(|page| !page.is_empty()),
            "an empty page: {history}"
        );
    }
    sender.leave().await?;
    receiver.leave().await
}

/// Sends a full batch to a full shard whose members are all online.
async fn tell_everyone(cluster: &Cluster, members: u64) -> Result<()> {
    let users = cluster.crowd(1, members).await?;
    cluster.group_of(GROUP, &users, false).await?;
    let mut devices = Vec::with_capacity(users.len());
    for &user in &users {
        devices.push(cluster.device(&cluster.member(user)?).await?);
    }
    for time in 0..u64::from(TIMES) {
        let kept = Kept::default();
        for n in 1..=BATCH {
            let draft = draft(users[0], time * BATCH + n);
            wigwag_messaging::send_to_group(&cluster.store(), &kept, &draft, GroupId(GROUP), now_ms()).await?;
        }
        cluster.fanout_queue()?.enqueue(&kept.take()).await?;
        devices = all_pushed(devices).await?;
        cluster.settled().await?;
    }
    devices[0].pull_group(GROUP).await?;
    try_join_all(devices.into_iter().map(Device::leave)).await?;
    cluster.settled().await
}

/// A message of the largest size, from a device of the sender that is not connected.
fn draft(sender: u64, client_id: u64) -> Draft {
    Draft {
        key: MessageKey {
            sender: UserId(sender),
            device: DeviceKey::derive(1, "another one"),
            session: 1,
            client_id,
        },
        message_type: 1,
        content: vec![b'x'; CONTENT_BYTES],
    }
}

/// Makes every device except the sender's receive a batch, all at the same time.
async fn all_pushed(devices: Vec<Device>) -> Result<Vec<Device>> {
    let mut taking = JoinSet::new();
    let mut devices = devices.into_iter();
    let mut back = Vec::from_iter(devices.next());
    for mut device in devices {
        taking.spawn(async move {
            for _ in 0..BATCH {
                device.pushed().await?;
            }
            anyhow::Ok(device)
        });
    }
    while let Some(device) = taking.join_next().await {
        back.push(device?.context("wait for a push")?);
    }
    Ok(back)
}

fn print(function: &str, row: &FunctionRow, as_json: bool) {
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
    let peak_mb = row.peak_memory_bytes as f64 / f64::from(1 << 20);
    let cpu = &row.cpu_ms;
    if as_json {
        let line = json!({
            "function": function,
            "invocations": row.invocations,
            "peak_memory_mb": peak_mb,
            "cpu_ms": [cpu.median, cpu.max],
        });
        println!("{line}");
    } else {
        println!(
            "| {function} | {} | {peak_mb:.1} | {:.1} / {:.1} |",
            row.invocations, cpu.median, cpu.max
        );
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
