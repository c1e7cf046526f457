//! `cargo xtask size`.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use wigwag_local::build::{Bootstraps, bootstraps};
use wigwag_local::template;
use wigwag_tests::World;

/// Most that a bootstrap may take, in bytes.
const LIMIT_BYTES: u64 = 6 * 1024 * 1024;

/// Flags of `cargo xtask size`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Starts of each function.
    #[arg(long, default_value_t = 10)]
    starts: u32,
    /// One JSON object per line instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let stack = template::load(&wigwag_tests::template(), &template::Options::default())?;
    let binaries = bootstraps(&stack.functions, &Bootstraps::Build { release: true }).await?;
    let mut inits: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut memory: BTreeMap<&str, u64> = BTreeMap::new();
    for start in 0..arguments.starts {
        eprintln!("start {} of {}", start + 1, arguments.starts);
        let reading = one_of_each().await?;
        for function in stack.functions.keys() {
            let row = reading
                .functions
                .get(function)
                .with_context(|| format!("{function} was not invoked"))?;
            inits.entry(function).or_default().push(row.init_ms.median);
            let peak = memory.entry(function).or_default();
            *peak = (*peak).max(row.peak_memory_bytes);
        }
    }
    if !arguments.json {
        println!("| function | bytes | start to first `/next`, ms: min / median / max | peak memory, MB |");
        println!("|---|---|---|---|");
    }
    let mut over = Vec::new();
    for (function, path) in &binaries {
        let bytes = std::fs::metadata(path)
            .with_context(|| format!("read the size of {}", path.display()))?
            .len();
        let times = inits
            .get_mut(function.as_str())
            .map(|times| spread(times))
            .unwrap_or_default();
        let peak = memory.get(function.as_str()).copied().unwrap_or(0);
        if arguments.json {
            println!(
                "{}",
                json!({ "function": function, "bytes": bytes, "init_ms": times, "peak_memory_bytes": peak })
            );
        } else {
            let [min, median, max] = times;
            println!(
                "| {function} | {bytes} | {min:.1} / {median:.1} / {max:.1} | {} |",
                peak.div_ceil(1 << 20)
            );
        }
        if bytes > LIMIT_BYTES {
            over.push(function.as_str());
        }
    }
    ensure!(over.is_empty(), "over {LIMIT_BYTES} bytes: {}", over.join(", "));
    Ok(())
}

/// Starts a stack whose functions are all started anew, and invokes each of them.
async fn one_of_each() -> Result<wigwag_local::meter::Reading> {
    let world = World::with(|options| options.bootstraps = Bootstraps::Build { release: true }).await?;
    let account = world.account("one").await?;
    let mut device = world.device(&account).await?;
    device.heartbeat().await?;
    device.leave().await?;
    let reading = loop {
        let reading = world.meter().await?;
        if reading
            .functions
            .get("DisconnectFunction")
            .is_some_and(|row| row.invocations > 0)
        {
            break reading;
        }
        tokio::task::yield_now().await;
    };
    world.stop().await;
    Ok(reading)
}

/// Least, middle and most.
fn spread(times: &mut [f64]) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    match times {
        [] => [0.0; 3],
        times => [times[0], times[times.len() / 2], times[times.len() - 1]],
    }
}
