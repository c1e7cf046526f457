//! The command line: its flags, its output and its exit code.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wigwag_local::build::Bootstraps;
use wigwag_local::faults::{FaultPlan, HARSH};
use wigwag_local::stack::{RunningStack, StackOptions};

/// Runs a SAM template on this machine: no Docker, no account, no network.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Flags {
    /// The template to run.
    #[arg(long, value_name = "PATH", default_value = "template.yaml")]
    template: PathBuf,

    /// Keep tables, queues and secrets in this directory; otherwise they are lost when the stack
    /// stops.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Port of the WebSocket APIs; 0 picks a free port.
    #[arg(long, value_name = "PORT", default_value_t = 3001)]
    websocket_port: u16,

    /// Port of the HTTP APIs; 0 picks a free port.
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    http_port: u16,

    /// Port of the AWS endpoint (DynamoDB, SQS, Secrets Manager, @connections, meter); 0 picks a
    /// free port.
    #[arg(long, value_name = "PORT", default_value_t = 4566)]
    aws_port: u16,

    /// Set a template parameter; can be repeated.
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = parse_parameter)]
    parameters: Vec<(String, String)>,

    /// Build the functions with optimisations.
    #[arg(long, conflicts_with = "bootstraps")]
    release: bool,

    /// Do not build; run DIR/<logical id>/bootstrap (from sam build) or DIR/<binary>/bootstrap
    /// (from cargo lambda build).
    #[arg(long, value_name = "DIR")]
    bootstraps: Option<PathBuf>,

    /// Inject the faults of this plan: a file, or `harsh` for the built-in plan.
    #[arg(long, value_name = "PLAN")]
    faults: Option<PathBuf>,

    /// Seed of the faults; the same seed injects the same faults. Without it, a random seed is used
    /// and printed.
    #[arg(long, value_name = "N", requires = "faults")]
    fault_seed: Option<u64>,

    /// Print the built-in fault plan as an example, and exit.
    #[arg(long)]
    print_faults: bool,

    /// Print one line of JSON to standard output when the stack is ready, and nothing else.
    #[arg(long)]
    json: bool,

    /// Log level of the stack on standard error, or directives as in `RUST_LOG`.
    #[arg(long, value_name = "LEVEL", env = "RUST_LOG", default_value = "info")]
    log_level: String,
}

impl Flags {
    fn options(&self) -> anyhow::Result<StackOptions> {
        let fault_plan = self.faults.as_deref().map(FaultPlan::load).transpose()?;
        let build = Bootstraps::Build { release: self.release };
        Ok(StackOptions {
            template: self.template.clone(),
            parameters: self.parameters.iter().cloned().collect::<BTreeMap<_, _>>(),
            data_dir: self.data_dir.clone(),
            websocket_port: self.websocket_port,
            http_port: self.http_port,
            aws_port: self.aws_port,
            bootstraps: self.bootstraps.clone().map_or(build, Bootstraps::Given),
            fault_seed: match (&fault_plan, self.fault_seed) {
                (None, _) => 0,
                // 32 bits are short enough to type.
                (Some(_), given) => given.unwrap_or_else(|| rand::random::<u32>().into()),
            },
            fault_plan: fault_plan.unwrap_or_default(),
            ..StackOptions::default()
        })
    }

    /// Logs to standard error. A plain level hides the database engine's warnings about refused
    /// calls, which callers see in the answers.
    fn start_logging(&self) -> anyhow::Result<()> {
        let plain = !self.log_level.contains(['=', ',']);
        let directives = if plain {
            format!("{},dynoxide=error", self.log_level)
        } else {
            self.log_level.clone()
        };
        let filter = EnvFilter::try_new(directives).context("read --log-level")?;
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .compact()
            .init();
        Ok(())
    }
}

fn parse_parameter(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs a stack until Ctrl-C or SIGTERM. A second signal stops it without waiting for running
/// functions.
pub(crate) async fn run(arguments: Flags) -> anyhow::Result<()> {
    if arguments.print_faults {
        io::stdout().write_all(HARSH.as_bytes()).context("print the plan")?;
        return Ok(());
    }
    arguments.start_logging()?;
    let options = arguments.options()?;
    let fault_seed = arguments.faults.as_ref().map(|_| options.fault_seed);
    if let Some(seed) = fault_seed {
        tracing::warn!(seed, "faults are on; to repeat them, pass --fault-seed {seed}");
    }
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let running = tokio::select! {
        started = RunningStack::start(options) => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let ready = if arguments.json {
        json_line(&running, fault_seed)
    } else {
        block(&running, fault_seed)
    };
    let mut stdout = io::stdout().lock();
    let printed = writeln!(stdout, "{ready}").and_then(|()| stdout.flush());
    drop(stdout);
    if let Err(error) = printed {
        tracing::warn!(%error, "could not print that the stack is ready");
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    tokio::select! {
        () = running.stop() => {}
        _ = interrupt.recv() => tracing::warn!("stopping immediately"),
        _ = terminate.recv() => tracing::warn!("stopping immediately"),
    }
    Ok(())
}

fn json_line(running: &RunningStack, fault_seed: Option<u64>) -> String {
    let mut line = json!({
        "websocket_url": running.websocket_url,
        "http_url": running.http_url,
        "aws_endpoint_url": running.aws_endpoint_url,
        "queue_urls": running.queue_urls(),
    });
    if let Some(seed) = fault_seed {
        line["fault_seed"] = json!(seed);
    }
    line.to_string()
}

fn block(running: &RunningStack, fault_seed: Option<u64>) -> String {
    let RunningStack {
        websocket_url,
        http_url,
        aws_endpoint_url,
        ..
    } = running;
    let mut lines = vec!["The stack is running.".to_owned(), String::new()];
    if !running.stack.websocket_apis.is_empty() {
        lines.push(format!("  WebSocket     {websocket_url}"));
    }
    if !running.stack.http_apis.is_empty() {
        lines.push(format!("  HTTP          {http_url}"));
    }
    lines.push(format!("  AWS endpoint  {aws_endpoint_url}"));
    lines.push(format!("  Meter         {aws_endpoint_url}/_local/meter"));
    lines.extend(
        running
            .queue_urls()
            .values()
            .map(|url| format!("  Queue         {url}")),
    );
    if let Some(seed) = fault_seed {
        lines.push(format!(
            "  Faults        {aws_endpoint_url}/_local/faults (seed {seed})"
        ));
    }
    if let Some(next_steps) = &running.stack.next_steps {
        let filled = next_steps
            .replace("${WebSocketUrl}", websocket_url)
            .replace("${HttpUrl}", http_url)
            .replace("${AwsEndpointUrl}", aws_endpoint_url);
        lines.push(format!("\n{}", filled.trim_end()));
    }
    lines.push("\nPress Ctrl-C to stop it.".to_owned());
    lines.join("\n")
}
