//! How long functions may run, compared with leases and with the queue.
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::time::Duration;
use wigwag_cluster::stack;
use wigwag_domain::timeline::LEASE;

#[test]
fn no_function_may_run_longer_than_half_the_lease_of_a_timeline() -> Result<()> {
    for function in stack()?.functions.values() {
        assert!(
            Duration::from_secs(function.timeout_s.into()) * 2 <= LEASE,
            "{}",
            function.logical_id
        );
    }
    Ok(())
}

/// AWS asks for six times. The redrive policy of the queue must leave each task to the worker until
/// the worker itself gives the task up.
#[test]
fn a_task_is_hidden_for_six_times_as_long_as_its_worker_may_run() -> Result<()> {
    let stack = stack()?;
    let worker = &stack.functions["FanoutFunction"];
    let queue = stack.queues.iter().find(|queue| queue.logical_id == "FanoutQueue");
    let attributes = &queue.context("no such queue")?.attributes;
    let visibility_s: u32 = attributes["VisibilityTimeout"].parse()?;
    assert!(visibility_s >= 6 * worker.timeout_s);
    let policy: Value = serde_json::from_str(&attributes["RedrivePolicy"])?;
    let most = policy["maxReceiveCount"].as_u64().context("no count")?;
    // Nine more tasks may be in the batches of a task that is given up, and each of them is handed
    // out once more than the one before it.
    assert!(most >= u64::from(wigwag_fanout::GIVE_UP) + 10);
    Ok(())
}
