//! `cargo xtask budget`: what each operation costs, next to its budget.

use anyhow::{Result, ensure};
use serde_json::json;
use wigwag_cluster::budget::{BudgetRow, Cost, cluster, measure};

/// Flags of `cargo xtask budget`.
#[derive(Debug, clap::Args)]
pub(crate) struct BudgetArgs {
    /// Print one JSON object per line instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &BudgetArgs) -> Result<()> {
    let cluster = cluster().await?;
    let rows = measure(&cluster).await;
    cluster.stop().await;
    let rows = rows?;
    if !arguments.json {
        println!("| operation | write units | read units | AWS requests | of which pushes |");
        println!("|---|---|---|---|---|");
    }
    for row in &rows {
        println!("{}", if arguments.json { as_json(row) } else { as_line(row) });
    }
    let over: Vec<_> = rows
        .iter()
        .filter(|row| !row.is_within())
        .map(|row| row.operation)
        .collect();
    ensure!(over.is_empty(), "over budget: {}", over.join("; "));
    Ok(())
}

fn as_line(row: &BudgetRow) -> String {
    let figure = |field: fn(&Cost) -> f64| format!("{:.3} of {}", field(&row.measured), field(&row.limit));
    format!(
        "| {} | {} | {} | {} | {} |",
        row.operation,
        figure(|cost| cost.write_units),
        figure(|cost| cost.read_units),
        figure(|cost| cost.requests),
        figure(|cost| cost.pushes)
    )
}

fn as_json(row: &BudgetRow) -> String {
    let cost = |cost: &Cost| {
        json!({
            "write_units": cost.write_units, "read_units": cost.read_units,
            "requests": cost.requests, "pushes": cost.pushes,
        })
    };
    json!({ "operation": row.operation, "measured": cost(&row.measured), "limit": cost(&row.limit), "within": row.is_within() })
        .to_string()
}
