//! What operations may cost and what they do cost, counted by the stack's meter.
//!
//! `table` has the budgets as data, `one_to_one` and `groups` carry the operations out, and
//! `counting` turns what the meter counted into a cost.

mod counting;
mod groups;
mod one_to_one;
mod table;

pub use table::{BUDGETS, Budget, BudgetRow, Cost, Operation};

use crate::{Cluster, altered_template};
use anyhow::Result;

/// A stack to measure on.
///
/// Its workers may run for as long as a task is theirs. On a slow machine, a full shard with a full
/// batch would otherwise be cut in two, and the count would depend on the time.
pub async fn cluster() -> Result<Cluster> {
    let directory = tempfile::tempdir()?;
    let worker = "{ Binary: fanout } }\n    Properties:\n";
    let changes = [(worker, &*format!("{worker}      Timeout: 30\n"))];
    let template = altered_template(directory.path(), &changes)?;
    Cluster::with(|options| options.template = template).await
}

/// Measures every operation that has a budget, in the order of [`BUDGETS`].
///
/// # Panics
/// If an operation of the table was not measured.
pub async fn measure(cluster: &Cluster) -> Result<Vec<BudgetRow>> {
    let mut measured = vec![
        (Operation::Message, one_to_one::message(cluster).await?),
        (Operation::Heartbeat, one_to_one::heartbeat(cluster).await?),
        (Operation::SyncSmall, one_to_one::sync_small(cluster).await?),
        (
            Operation::SyncByReference,
            one_to_one::sync_by_reference(cluster).await?,
        ),
    ];
    let (connect, disconnect) = one_to_one::connect_and_disconnect(cluster).await?;
    measured.extend([(Operation::Connect, connect), (Operation::Disconnect, disconnect)]);
    measured.extend(groups::measure(cluster).await?);
    let rows = BUDGETS.iter().map(|budget| {
        let of_budget = |(operation, _): &&(Operation, Cost)| *operation == budget.operation;
        let (_, cost) = measured.iter().find(of_budget).expect("every operation is measured");
        budget.compare(*cost)
    });
    Ok(rows.collect())
}

/// Waits until every `$disconnect` has run, so that the next connection replaces none.
pub async fn disconnected(cluster: &Cluster) -> Result<()> {
    loop {
        let functions = cluster.meter().await?.functions;
        let invocations = |function: &str| functions.get(function).map_or(0, |row| row.invocations);
        if invocations("DisconnectFunction") == invocations("ConnectFunction") {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}
