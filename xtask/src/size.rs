//! `cargo xtask size`.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use wigwag_local::build::{Bootstraps, bootstraps};
use wigwag_local::faults::Injector;
use wigwag_local::lambda::{Config, Lambda};
use wigwag_local::meter::Meter;
use wigwag_local::stack::Running;
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
    let build = Bootstraps::Build { release: true };
    let world = World::with(|options| options.bootstraps = build.clone()).await?;
    let binaries = bootstraps(&world.stack.stack.functions, &build).await?;
    if !arguments.json {
        println!("| function | bytes | process start to first `/next`, ms: min / median / max |");
        println!("|---|---|---|");
    }
    let mut over = Vec::new();
    for (function, path) in &binaries {
        let bytes = std::fs::metadata(path)
            .with_context(|| format!("read the size of {}", path.display()))?
            .len();
        let [min, median, max] = spread(starts(&world.stack, function, path, arguments.starts).await?);
        if arguments.json {
            println!(
                "{}",
                json!({ "function": function, "bytes": bytes, "init_ms": [min, median, max] })
            );
        } else {
            println!("| {function} | {bytes} | {min:.1} / {median:.1} / {max:.1} |");
        }
        if bytes > LIMIT_BYTES {
            over.push(function.as_str());
        }
    }
    world.stop().await;
    ensure!(over.is_empty(), "over {LIMIT_BYTES} bytes: {}", over.join(", "));
    Ok(())
}

/// Starts a function's process so many times, each time until it asks for its first event; answers with the times in ms.
async fn starts(running: &Running, function: &str, bootstrap: &Path, times: u32) -> Result<Vec<f64>> {
    let (mut all, stack) = (Vec::new(), &running.stack);
    for _ in 0..times {
        let lambda = Lambda::start(Config {
            functions: stack.functions.clone(),
            bootstraps: stack
                .functions
                .keys()
                .map(|id| (id.clone(), bootstrap.to_owned()))
                .collect(),
            environment: BTreeMap::from([(function.to_owned(), environment(running))]),
            meter: Meter::default(),
            faults: Injector::default(),
        })?;
        let begun = Instant::now();
        lambda.warm(function).await?;
        all.push(begun.elapsed().as_secs_f64() * 1000.0);
        lambda.stop().await;
    }
    Ok(all)
}

/// What an SDK wants to find before it is built, and where it finds the key of the tokens: nothing else is called at a start.
fn environment(running: &Running) -> BTreeMap<String, String> {
    let endpoint = ("AWS_ENDPOINT_URL".to_owned(), running.aws_endpoint_url.clone());
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .map(|name| (name.to_owned(), "unused".to_owned()))
        .into_iter()
        .chain([endpoint])
        .collect()
}

/// Least, middle and most.
fn spread(mut times: Vec<f64>) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    match times.as_slice() {
        [] => [0.0; 3],
        times => [times[0], times[times.len() / 2], times[times.len() - 1]],
    }
}
