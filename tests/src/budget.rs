//! What operations may cost, and what they do cost: counted by the stack's meter, not timed.

use crate::{Account, Device, World};
use anyhow::Result;
use wigwag_local::meter::{AwsRow, Reading};

/// Repetitions of each operation; the counts are divided by it.
const TIMES: u64 = 20;

/// Small enough for fifty of them to fit a frame.
const SMALL_BYTES: usize = 100;

/// Content that the budget of a message is stated for.
const CONTENT_BYTES: usize = 500;

/// Too large for an inbox entry, so that it refers to the log.
const REFERRED_BYTES: usize = 1000;

/// Cost of one operation, or the most that it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// DynamoDB write units.
    pub write_units: f64,
    /// DynamoDB read units.
    pub read_units: f64,
    /// Calls to AWS, pushes among them.
    pub requests: f64,
    /// Pushes.
    pub pushes: f64,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The operation.
    pub operation: &'static str,
    /// What it costs.
    pub measured: Cost,
    /// What it may cost.
    pub limit: Cost,
}

impl Row {
    /// Whether it stays within its limit.
    pub fn is_within(&self) -> bool {
        let pairs = [
            (self.measured.write_units, self.limit.write_units),
            (self.measured.read_units, self.limit.read_units),
            (self.measured.requests, self.limit.requests),
            (self.measured.pushes, self.limit.pushes),
        ];
        pairs.into_iter().all(|(measured, limit)| measured <= limit)
    }
}

const fn cost(write_units: f64, read_units: f64, requests: f64, pushes: f64) -> Cost {
    Cost {
        write_units,
        read_units,
        requests,
        pushes,
    }
}

/// Measures every operation that has a budget.
pub async fn measure(world: &World) -> Result<Vec<Row>> {
    Ok(vec![
        message(world).await?,
        heartbeat(world).await?,
        sync(world, "sync, 50 small messages", SMALL_BYTES, cost(0.0, 10.0, 4.0, 0.0)).await?,
        sync(
            world,
            "sync, 50 messages by reference",
            REFERRED_BYTES,
            cost(0.0, 60.0, 4.0, 0.0),
        )
        .await?,
        connect(world).await?,
        disconnect(world).await?,
    ])
}

async fn message(world: &World) -> Result<Row> {
    let (mut sender, mut receiver, to) = pair(world).await?;
    sender.tell(to.user_id, 1, "the log comes to be").await?;
    receiver.pushed().await?;
    world.reset_meter().await?;
    let content = "x".repeat(CONTENT_BYTES);
    for client_id in 2..2 + TIMES {
        sender.tell(to.user_id, client_id, &content).await?;
        receiver.pushed().await?;
    }
    row(world, "one-to-one message, both online", cost(6.0, 1.0, 9.0, 1.0)).await
}

async fn heartbeat(world: &World) -> Result<Row> {
    let mut device = world.device(&world.account("heartbeat").await?).await?;
    world.reset_meter().await?;
    for _ in 0..TIMES {
        device.heartbeat().await?;
    }
    row(world, "heartbeat", cost(0.0, 0.5, 1.0, 0.0)).await
}

async fn sync(world: &World, operation: &'static str, bytes: usize, limit: Cost) -> Result<Row> {
    let (mut sender, mut receiver, to) = pair(world).await?;
    for client_id in 1..=50 {
        sender.tell(to.user_id, client_id, &"x".repeat(bytes)).await?;
    }
    world.reset_meter().await?;
    for _ in 0..TIMES {
        receiver.sync(0, 50).await?;
    }
    row(world, operation, limit).await
}

async fn connect(world: &World) -> Result<Row> {
    let account = world.account("connect").await?;
    world.reset_meter().await?;
    for _ in 0..TIMES {
        world.device(&account).await?.leave().await?;
        disconnected(world).await?;
    }
    let reading = world.meter().await?;
    Ok(Row {
        operation: "connect",
        measured: per_time(&reading, |row| row.caller == "ConnectFunction"),
        limit: cost(1.0, 0.0, 2.0, 0.0),
    })
}

/// Reads the counts that [`connect`] left.
async fn disconnect(world: &World) -> Result<Row> {
    let reading = world.meter().await?;
    let measured = per_time(&reading, |row| row.caller == "DisconnectFunction");
    Ok(Row {
        operation: "disconnect",
        measured,
        limit: cost(1.0, 0.0, 2.0, 0.0),
    })
}

/// Waits until every `$disconnect` has run: the next connection is not to replace one that is still there.
async fn disconnected(world: &World) -> Result<()> {
    loop {
        let functions = world.meter().await?.functions;
        let invocations = |function: &str| functions.get(function).map_or(0, |row| row.invocations);
        if invocations("DisconnectFunction") == invocations("ConnectFunction") {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Two users, each on one device that is connected.
async fn pair(world: &World) -> Result<(Device, Device, Account)> {
    let (from, to) = (world.account("from").await?, world.account("to").await?);
    Ok((world.device(&from).await?, world.device(&to).await?, to))
}

async fn row(world: &World, operation: &'static str, limit: Cost) -> Result<Row> {
    Ok(Row {
        operation,
        measured: per_time(&world.meter().await?, |_| true),
        limit,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_time(reading: &Reading, wanted: impl Fn(&AwsRow) -> bool) -> Cost {
    let total = reading.aws_total(&wanted);
    let pushes = reading.aws_total(|row| wanted(row) && row.operation == "PostToConnection");
    let times = TIMES as f64;
    cost(
        total.write_units / times,
        total.read_units / times,
        total.requests as f64 / times,
        pushes.requests as f64 / times,
    )
}
