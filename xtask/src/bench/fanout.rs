//! `cargo xtask bench fanout`: the cost of a group message, and the time until the last member has
//! it, by size of the group.

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::json;
use std::time::Instant;
use wigwag_cluster::{Cluster, Device};
use wigwag_local::build::Bootstraps;
use wigwag_local::meter::{AwsRow, Reading};
use wigwag_protocol::pb::{Message, SessionType, UpMsg};
use wigwag_protocol::{Payload, Request};

/// Flags of `cargo xtask bench fanout`.
#[derive(Debug, clap::Args)]
pub(crate) struct FanoutArgs {
    /// Members of the group. Several numbers make one run each.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1000, 10_000])]
    members: Vec<u64>,
    /// Percentage of the members who are online. The sender and one other always are.
    #[arg(long, default_value = "10%", value_parser = percentage)]
    online: f64,
    /// Messages to send one at a time, each after the one before has reached everyone. As many
    /// again are sent in a row, each as soon as the one before is acknowledged.
    #[arg(long, default_value_t = 10)]
    messages: u64,
    /// Bytes of content.
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// Super groups instead of groups.
    #[arg(long = "super")]
    super_group: bool,
    /// Print one JSON object per line instead of a table.
    #[arg(long)]
    json: bool,
}

fn percentage(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>();
    number
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| percent / 100.0)
        .ok_or_else(|| format!("{text} is not a percentage; try 10%"))
}

/// When the next message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    OneAtATime,
    InARow,
}

impl Pace {
    fn name(self) -> &'static str {
        match self {
            Self::OneAtATime => "one at a time",
            Self::InARow => "in a row",
        }
    }
}

/// The result of one run.
struct FanoutRun {
    members: u64,
    online: usize,
    messages: u64,
    pace: Pace,
    /// From the send to its acknowledgement, in microseconds.
    acknowledged: Histogram<u64>,
    /// From the (last) acknowledgement until the last member online has everything, in
    /// microseconds.
    reached: Histogram<u64>,
    reading: Reading,
}

pub(crate) async fn run(arguments: &FanoutArgs) -> Result<()> {
    if !arguments.json {
        print_header();
    }
    for &members in &arguments.members {
        ensure!(
            members >= 2,
            "a group needs at least two members; --members {members} has nobody to send to"
        );
        for outcome in one_size(arguments, members).await? {
            if arguments.json {
                println!("{}", as_json(&outcome));
            } else {
                print(&outcome);
            }
        }
    }
    Ok(())
}

const GROUP: u64 = 7;

/// Members that are created between two lines of progress.
const AT_A_TIME: u64 = 5000;

async fn one_size(arguments: &FanoutArgs, members: u64) -> Result<Vec<FanoutRun>> {
    eprintln!("{members} members: creating them");
    let cluster = Cluster::with(|options| {
        options.bootstraps = Bootstraps::Build { release: true };
    })
    .await?;
    let mut users = Vec::new();
    while (users.len() as u64) < members {
        let made = users.len() as u64;
        users.extend(cluster.crowd(1 + made, AT_A_TIME.min(members - made)).await?);
        if members > AT_A_TIME {
            eprintln!("{members} members: {} of them created", users.len());
        }
    }
    cluster.group_of(GROUP, &users, arguments.super_group).await?;
    let online = online(members, arguments.online);
    eprintln!("{members} members: connecting {}", online.len() + 1);
    let mut sender = Sender {
        device: cluster.device(&cluster.member(users[0])?).await?,
        content: "x".repeat(arguments.bytes),
        next: 1,
    };
    let mut devices = Vec::with_capacity(online.len());
    for index in online {
        devices.push(cluster.device(&cluster.member(users[index])?).await?);
    }
    // Before the count begins, the pools of processes grow, and every member gets a message.
    sender.tell().await?;
    drain(&mut devices, 1).await?;
    let mut outcomes = Vec::new();
    for pace in [Pace::OneAtATime, Pace::InARow] {
        eprintln!("{members} members: {} messages, {}", arguments.messages, pace.name());
        cluster.reset_meter().await?;
        let (acknowledged, reached) = send(&mut sender, &mut devices, arguments.messages, pace).await?;
        let reading = settled(&cluster).await?;
        let (online, messages) = (devices.len(), arguments.messages);
        outcomes.push(FanoutRun {
            members,
            online,
            messages,
            pace,
            acknowledged,
            reached,
            reading,
        });
    }
    cluster.stop().await;
    Ok(outcomes)
}

/// The members who are online, besides the sender, who is the first. They are at equal distances,
/// so that every shard has its share.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "far below 2^52, and never negative"
)]
fn online(members: u64, share: f64) -> Vec<usize> {
    let count = ((members as f64 * share).round() as u64).clamp(1, members - 1);
    (0..count).map(|n| 1 + (n * (members - 1) / count) as usize).collect()
}

struct Sender {
    device: Device,
    content: String,
    next: u64,
}

impl Sender {
    /// Sends a message and waits for its acknowledgement.
    async fn tell(&mut self) -> Result<()> {
        let message = Message {
            session_type: SessionType::Group.into(),
            receiver_id: GROUP,
            message_type: 1,
            content: self.content.clone().into_bytes(),
            ..Message::default()
        };
        let up = UpMsg {
            msg: Some(message),
            client_id: self.next,
            session: 1,
        };
        let answer = self.device.ask(Request::Message(up)).await?;
        ensure!(
            answer.is_ok() && matches!(answer.payload, Payload::Ack(_)),
            "not acknowledged: {answer:?}"
        );
        self.next += 1;
        Ok(())
    }
}

/// Reads `messages` pushed messages on each device.
async fn drain(devices: &mut [Device], messages: u64) -> Result<()> {
    for (index, device) in devices.iter_mut().enumerate() {
        for _ in 0..messages {
            device
                .pushed()
                .await
                .with_context(|| format!("wait for a push on device {index}"))?;
        }
    }
    Ok(())
}

async fn send(
    sender: &mut Sender,
    devices: &mut [Device],
    messages: u64,
    pace: Pace,
) -> Result<(Histogram<u64>, Histogram<u64>)> {
    let (mut acknowledged, mut reached) = (histogram()?, histogram()?);
    let micros = |since: Instant| u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    for n in 1..=messages {
        let begun = Instant::now();
        sender.tell().await?;
        acknowledged.saturating_record(micros(begun));
        let answered = Instant::now();
        match pace {
            Pace::OneAtATime => drain(devices, 1).await?,
            Pace::InARow if n == messages => drain(devices, messages).await?,
            Pace::InARow => continue,
        }
        reached.saturating_record(micros(answered));
    }
    Ok((acknowledged, reached))
}

/// The meter's reading when it no longer changes. The last tasks are deleted after the last push.
async fn settled(cluster: &Cluster) -> Result<Reading> {
    let mut last = 0;
    loop {
        let reading = cluster.meter().await?;
        let requests = counted(&reading).requests;
        if requests == last {
            return Ok(reading);
        }
        last = requests;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 600_000_000, 3)?)
}

/// All requests to AWS by the functions and the event source mapping.
fn counted(reading: &Reading) -> AwsRow {
    reading.aws_total(|row| row.caller != "external")
}

/// The cost of one message for one member.
struct PerMember {
    requests: f64,
    write_units: f64,
    read_units: f64,
    worker_cpu_ms: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_member(outcome: &FanoutRun) -> PerMember {
    let total = counted(&outcome.reading);
    let pushes = pushes(outcome);
    let times = (outcome.members * outcome.messages) as f64;
    let worker = outcome.reading.functions.get("FanoutFunction");
    PerMember {
        requests: (total.requests - pushes) as f64 / times,
        write_units: total.write_units / times,
        read_units: total.read_units / times,
        worker_cpu_ms: worker.map_or(0.0, |row| row.cpu_ms.total) / times,
    }
}

fn pushes(outcome: &FanoutRun) -> u64 {
    outcome
        .reading
        .aws_total(|row| row.operation == "PostToConnection")
        .requests
}

#[expect(clippy::cast_precision_loss, reason = "microseconds are far below 2^52")]
fn milliseconds(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    histogram.value_at_percentile(percentile) as f64 / 1000.0
}

fn print_header() {
    println!(
        "| members | online | pace | requests per member | write units per member | read units per member | pushes | worker CPU ms per member \
         | acknowledged after ms, p50 | last member after ms, p50 / max |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
}

fn print(outcome: &FanoutRun) {
    let per = per_member(outcome);
    println!(
        "| {} | {} | {} | {:.3} | {:.3} | {:.3} | {} | {:.3} | {:.1} | {:.0} / {:.0} |",
        outcome.members,
        outcome.online,
        outcome.pace.name(),
        per.requests,
        per.write_units,
        per.read_units,
        pushes(outcome),
        per.worker_cpu_ms,
        milliseconds(&outcome.acknowledged, 50.0),
        milliseconds(&outcome.reached, 50.0),
        milliseconds(&outcome.reached, 100.0),
    );
}

fn as_json(outcome: &FanoutRun) -> String {
    let per = per_member(outcome);
    json!({
        "members": outcome.members,
        "online": outcome.online,
        "messages": outcome.messages,
        "pace": outcome.pace.name(),
        "requests_per_member": per.requests,
        "write_units_per_member": per.write_units,
        "read_units_per_member": per.read_units,
        "pushes": pushes(outcome),
        "worker_cpu_ms_per_member": per.worker_cpu_ms,
        "acknowledged_ms": milliseconds(&outcome.acknowledged, 50.0),
        "last_member_ms": milliseconds(&outcome.reached, 50.0),
        "last_member_max_ms": milliseconds(&outcome.reached, 100.0),
    })
    .to_string()
}
