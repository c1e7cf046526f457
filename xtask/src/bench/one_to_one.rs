//! `cargo xtask bench one-to-one`: throughput and latency of 1:1 messages.

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use wigwag_cluster::{Account, Cluster, Device};
use wigwag_local::build::Bootstraps;
use wigwag_local::meter::Reading;

/// Flags of `cargo xtask bench one-to-one`.
#[derive(Debug, clap::Args)]
pub(crate) struct OneToOneArgs {
    /// Number of senders. Several numbers make one run each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    senders: Vec<usize>,
    /// Length of each run, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Bytes of content.
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// Print one JSON object per run instead of tables.
    #[arg(long)]
    json: bool,
}

/// The result of one run.
struct OneToOneRun {
    senders: usize,
    seconds: f64,
    /// From the send to its acknowledgement, in microseconds.
    latency: Histogram<u64>,
    reading: Reading,
}

pub(crate) async fn run(arguments: &OneToOneArgs) -> Result<()> {
    let mut outcomes = Vec::new();
    for &senders in &arguments.senders {
        eprintln!("{senders} senders, {} s", arguments.seconds);
        outcomes.push(one_run(arguments, senders).await?);
    }
    if arguments.json {
        for outcome in &outcomes {
            println!("{}", as_json(outcome));
        }
    } else {
        print_throughput(&outcomes);
        print_functions(&outcomes);
    }
    Ok(())
}

async fn one_run(arguments: &OneToOneArgs, senders: usize) -> Result<OneToOneRun> {
    let cluster = Cluster::with(|options| options.bootstraps = Bootstraps::Build { release: true }).await?;
    let mut pairs = Vec::new();
    for _ in 0..senders {
        pairs.push(pair(&cluster).await?);
    }
    // The pools of processes grow before the count begins.
    let pairs = drive(pairs, Duration::from_secs(2), arguments.bytes).await?.0;
    cluster.reset_meter().await?;
    let begun = Instant::now();
    let (pairs, latency) = drive(pairs, Duration::from_secs(arguments.seconds), arguments.bytes).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let reading = cluster.meter().await?;
    for pair in pairs {
        pair.check().await?;
    }
    cluster.stop().await;
    Ok(OneToOneRun {
        senders,
        seconds,
        latency,
        reading,
    })
}

/// A sender and a receiver, both online.
struct Pair {
    sender: Device,
    receiver: Device,
    to: Account,
    next: u64,
}

async fn pair(cluster: &Cluster) -> Result<Pair> {
    let (from, to) = (cluster.account("from").await?, cluster.account("to").await?);
    Ok(Pair {
        sender: cluster.device(&from).await?,
        receiver: cluster.device(&to).await?,
        to,
        next: 1,
    })
}

impl Pair {
    async fn send_until(mut self, end: Instant, bytes: usize) -> Result<(Self, Histogram<u64>)> {
        let mut latency = histogram()?;
        let content = "x".repeat(bytes);
        while Instant::now() < end {
            let begun = Instant::now();
            self.sender.tell(self.to.user_id, self.next, &content).await?;
            latency.saturating_record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
            self.next += 1;
            self.receiver.pushed().await.context("wait for the push")?;
        }
        Ok((self, latency))
    }

    /// Checks that every acknowledged message is in the receiver's inbox.
    async fn check(mut self) -> Result<()> {
        let max_seq = self.receiver.heartbeat().await?;
        if max_seq + 1 != self.next {
            bail!(
                "{} messages were acknowledged, but the inbox ends at {max_seq}",
                self.next - 1
            );
        }
        Ok(())
    }
}

async fn drive(pairs: Vec<Pair>, length: Duration, bytes: usize) -> Result<(Vec<Pair>, Histogram<u64>)> {
    let end = Instant::now() + length;
    let mut running: JoinSet<_> = pairs.into_iter().map(|pair| pair.send_until(end, bytes)).collect();
    let (mut pairs, mut latency) = (Vec::new(), histogram()?);
    while let Some(done) = running.join_next().await {
        let (pair, its) = done??;
        latency.add(its)?;
        pairs.push(pair);
    }
    Ok((pairs, latency))
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

const PERCENTILES: [f64; 3] = [50.0, 95.0, 99.0];

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds are far below 2^52")]
fn per_second(outcome: &OneToOneRun) -> f64 {
    outcome.latency.len() as f64 / outcome.seconds
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds are far below 2^52")]
fn milliseconds(outcome: &OneToOneRun, percentile: f64) -> f64 {
    outcome.latency.value_at_percentile(percentile) as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds are far below 2^52")]
fn cpu_per_message(outcome: &OneToOneRun) -> Vec<(&str, f64)> {
    let messages = outcome.latency.len() as f64;
    outcome
        .reading
        .functions
        .iter()
        .map(|(function, row)| (function.as_str(), row.cpu_ms.total / messages))
        .collect()
}

fn print_throughput(outcomes: &[OneToOneRun]) {
    println!("| senders | acknowledged messages | per second | p50 ms | p95 ms | p99 ms |");
    println!("|---|---|---|---|---|---|");
    for outcome in outcomes {
        let [p50, p95, p99] = PERCENTILES.map(|percentile| milliseconds(outcome, percentile));
        println!(
            "| {} | {} | {:.0} | {p50:.1} | {p95:.1} | {p99:.1} |",
            outcome.senders,
            outcome.latency.len(),
            per_second(outcome)
        );
    }
}

fn print_functions(outcomes: &[OneToOneRun]) {
    println!("\n| senders | function | CPU ms per message | peak memory, MB |\n|---|---|---|---|");
    for outcome in outcomes {
        for (function, cpu_ms) in cpu_per_message(outcome) {
            let peak = outcome.reading.functions[function].peak_memory_bytes.div_ceil(1 << 20);
            println!("| {} | {function} | {cpu_ms:.2} | {peak} |", outcome.senders);
        }
    }
}

fn as_json(outcome: &OneToOneRun) -> String {
    let cpu: serde_json::Map<_, _> = cpu_per_message(outcome)
        .into_iter()
        .map(|(function, cpu_ms)| (function.to_owned(), json!(cpu_ms)))
        .collect();
    json!({
        "senders": outcome.senders,
        "seconds": outcome.seconds,
        "acknowledged": outcome.latency.len(),
        "per_second": per_second(outcome),
        "latency_ms": PERCENTILES.map(|percentile| milliseconds(outcome, percentile)),
        "cpu_ms_per_message": cpu,
    })
    .to_string()
}
