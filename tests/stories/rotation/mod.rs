//! The key of the tokens is rotated, or cannot be read.

mod calls;
mod rotating;
mod unreadable;

use anyhow::Result;
use std::time::Duration;
use wigwag_cluster::{Account, Cluster};
use wigwag_protocol::http::Me;

/// How long a story waits for a process to look at the keys before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A fault plan: Secrets Manager does not answer.
const NO_SECRETS: &str = "[secretsmanager.all]\nfail_before = 1";

async fn me(cluster: &Cluster, who: &Account) -> Result<Me> {
    cluster.get("/me", Some(&who.token)).await
}
