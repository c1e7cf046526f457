//! The `wigwag` command. See [`wigwag_cli`].

use clap::Parser as _;
use std::io::stderr;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    let cli = wigwag_cli::Cli::parse();
    // Logs only what RUST_LOG asks for. The WebSocket library traces the handshake with the token,
    // so its level is at least info.
    let filter = EnvFilter::from_default_env().add_directive("tungstenite=info".parse()?);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new()?;
    let code = runtime.block_on(wigwag_cli::run(cli));
    // Do not return: a thread that waits for standard input would keep the process alive.
    std::process::exit(code);
}
