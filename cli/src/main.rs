//! The `wigwag` command. See [`wigwag_cli`].

use clap::Parser as _;
use std::io::stderr;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    let cli = wigwag_cli::Cli::parse();
    // Only what is asked for by RUST_LOG. The WebSocket library traces the handshake, and with it the token: never below info.
    let filter = EnvFilter::from_default_env().add_directive("tungstenite=info".parse()?);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new()?;
    let code = runtime.block_on(wigwag_cli::run(cli));
    // Not by returning: a thread that waits for a line of standard input would hold the process up.
    std::process::exit(code);
}
