//! `cargo xtask size`: how large each function is, and how long it takes to start.

mod glibc;

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use glibc::Needs;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use wigwag_cluster::Cluster;
use wigwag_local::build::{Bootstraps, bootstraps};
use wigwag_local::faults::Injector;
use wigwag_local::lambda::{Lambda, LambdaConfig, Usage};
use wigwag_local::meter::Meter;
use wigwag_local::stack::RunningStack;
use wigwag_local::template::{self, Stack};

/// Most bytes of a bootstrap.
const LIMIT_BYTES: u64 = 6 * 1024 * 1024;

/// Flags of `cargo xtask size`.
#[derive(Debug, clap::Args)]
pub(crate) struct SizeArgs {
    /// Starts of each function. With 0 only the files are read, which may be for another processor.
    #[arg(long, default_value_t = 10)]
    starts: u32,
    /// Measure the bootstraps in DIR, as `sam build` leaves them, instead of building for this
    /// machine.
    #[arg(long, value_name = "DIR")]
    bootstraps: Option<PathBuf>,
    /// Measure only these functions, by logical id.
    #[arg(long, value_name = "FUNCTION", value_delimiter = ',')]
    only: Vec<String>,
    /// Print one JSON object per line instead of a table.
    #[arg(long)]
    json: bool,
}

/// The facts in a bootstrap's file.
struct File {
    bytes: u64,
    gzip_bytes: u64,
    needs: Needs,
}

/// The cost of one start.
struct Start {
    ms: f64,
    usage: Usage,
}

pub(crate) async fn run(arguments: &SizeArgs) -> Result<()> {
    let source = match &arguments.bootstraps {
        Some(directory) => Bootstraps::Given(directory.clone()),
        None => Bootstraps::Build { release: true },
    };
    if arguments.starts == 0 {
        let stack = template::load(&wigwag_cluster::template(), &template::TemplateOptions::default())?;
        return measure(&stack, None, &source, arguments).await;
    }
    // A whole stack runs, because functions read the key of the tokens when they start.
    let cluster = Cluster::with(|options| options.bootstraps = source.clone()).await?;
    let result = measure(&cluster.stack.stack, Some(&cluster.stack), &source, arguments).await;
    cluster.stop().await;
    result
}

/// Reads each bootstrap, and starts it if a stack is running from which it can read its key.
async fn measure(
    stack: &Stack,
    running: Option<&RunningStack>,
    source: &Bootstraps,
    arguments: &SizeArgs,
) -> Result<()> {
    let mut functions = stack.functions.clone();
    for function in &arguments.only {
        ensure!(
            functions.contains_key(function),
            "the template has no function {function}"
        );
    }
    if !arguments.only.is_empty() {
        functions.retain(|id, _| arguments.only.contains(id));
    }
    let binaries = bootstraps(&functions, source).await?;
    if !arguments.json {
        println!(
            "| function | bytes | gzip bytes | glibc | process start to first `/next`, ms: min / median / max | CPU ms | peak memory, MB |"
        );
        println!("|---|---|---|---|---|---|---|");
    }
    let mut faults = Vec::new();
    for (function, path) in &binaries {
        let file = File::read(path)?;
        let starts = match running {
            Some(running) => starts(running, function, path, arguments.starts).await?,
            None => Vec::new(),
        };
        if arguments.json {
            println!("{}", as_json(function, &file, &starts));
        } else {
            print(function, &file, &starts);
        }
        if file.bytes > LIMIT_BYTES {
            faults.push(format!("{function} is over {LIMIT_BYTES} bytes"));
        }
        if let Some(missing) = file.needs.missing() {
            let runtime = glibc::RUNTIME;
            faults.push(format!(
                "{function} needs glibc {missing}; Lambda has {runtime}, so build with `sam build`, which links for it"
            ));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let all = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&all)?;
        Ok(Self {
            bytes: all.len() as u64,
            gzip_bytes: packed.finish()?.len() as u64,
            needs: Needs::from_elf(&all).with_context(|| format!("examine {}", path.display()))?,
        })
    }

    /// The version of glibc that it needs.
    fn glibc(&self) -> String {
        let latest = self.needs.latest();
        latest.map_or_else(|| "none".to_owned(), ToString::to_string)
    }
}

/// Starts a function's process several times, each time until it asks for its first event.
async fn starts(running: &RunningStack, function: &str, bootstrap: &Path, times: u32) -> Result<Vec<Start>> {
    let (mut all, stack) = (Vec::new(), &running.stack);
    for _ in 0..times {
        let lambda = Lambda::start(LambdaConfig {
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
        let ms = begun.elapsed().as_secs_f64() * 1000.0;
        let usage = lambda.idle_usage(function).pop().unwrap_or_default();
        all.push(Start { ms, usage });
        lambda.stop().await;
    }
    Ok(all)
}

/// The variables that an SDK needs before it is built, and the endpoint for the key of the tokens.
/// A start calls nothing else.
fn environment(running: &RunningStack) -> BTreeMap<String, String> {
    let endpoint = ("AWS_ENDPOINT_URL".to_owned(), running.aws_endpoint_url.clone());
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .map(|name| (name.to_owned(), "unused".to_owned()))
        .into_iter()
        .chain([endpoint])
        .collect()
}

fn print(function: &str, file: &File, starts: &[Start]) {
    let [min, median, max] = spread(starts.iter().map(|start| start.ms));
    println!(
        "| {function} | {} | {} | {} | {min:.1} / {median:.1} / {max:.1} | {:.1} | {:.1} |",
        file.bytes,
        file.gzip_bytes,
        file.glibc(),
        cpu_ms(starts),
        peak_memory_mb(starts),
    );
}

fn as_json(function: &str, file: &File, starts: &[Start]) -> String {
    json!({
        "function": function,
        "bytes": file.bytes,
        "gzip_bytes": file.gzip_bytes,
        "glibc": file.glibc(),
        "init_ms": spread(starts.iter().map(|start| start.ms)),
        "cpu_ms": cpu_ms(starts),
        "peak_memory_mb": peak_memory_mb(starts),
    })
    .to_string()
}

/// Processor time of the median start; 0 if the system does not tell.
fn cpu_ms(starts: &[Start]) -> f64 {
    let times = starts.iter().filter_map(|start| start.usage.cpu);
    spread(times.map(|cpu| cpu.as_secs_f64() * 1000.0))[1]
}

/// Peak memory of all starts; 0 if the system does not tell.
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn peak_memory_mb(starts: &[Start]) -> f64 {
    let peaks = starts.iter().filter_map(|start| start.usage.peak_memory_bytes);
    peaks.max().unwrap_or_default() as f64 / f64::from(1 << 20)
}

/// Minimum, median and maximum.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.as_slice() {
        [] => [0.0; 3],
        values => [values[0], values[values.len() / 2], values[values.len() - 1]],
    }
}
