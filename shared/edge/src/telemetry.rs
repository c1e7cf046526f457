//! What the functions log, and how.
//!
//! Our own crates log at the level that `RUST_LOG` names, everything else from `warn` on: the SDK's debug output would show
//! requests. Lines are text, or JSON where the function's logging is set to that; Lambda adds the time.

use crate::config::{ConfigError, parsed};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// Starts logging to standard output. To be called once, first of all.
pub fn init() -> Result<(), ConfigError> {
    let level: LevelFilter = parsed("RUST_LOG", "error, warn, info or debug")?;
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("wigwag", level);
    let lines = fmt::layer().with_ansi(false).without_time();
    let as_json = std::env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    let layer = if as_json { lines.json().boxed() } else { lines.boxed() };
    registry().with(layer.with_filter(targets)).init();
    Ok(())
}
