//! What operations may cost, and what they do cost: counted by the stack's meter, not timed.

use crate::{Account, Device, Kept, World, altered_template};
use anyhow::Result;
use wigwag_local::meter::{AwsRow, Reading};
use wigwag_protocol::pb::SessionType;
use wigwag_store::fanout::{SHARD_MEMBERS, TaskQueue as _};
use wigwag_store::send::Draft;
use wigwag_store::{DeviceKey, MessageKey};

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

/// Members of a group who are online; all others are not.
const ONLINE: u64 = 5;

/// Messages of a burst: as many as one batch of the queue holds.
const BURST: u64 = 10;

/// The group whose messages are counted.
const GROUP: u64 = 1;

/// The super group: as many members as one announcement is for.
const SUPER_GROUP: u64 = 2;

/// Its members.
const SUPER_MEMBERS: u64 = 2 * SHARD_MEMBERS;

/// A stack to measure on. Its workers may take as long as a task is theirs: on a machine that is busy or slow, a full shard with a
/// full batch would else be cut in two, and what is counted would depend on the time.
pub async fn world() -> Result<World> {
    let directory = tempfile::tempdir()?;
    let worker = "{ Binary: fanout } }\n    Properties:\n";
    let changes = [(worker, &*format!("{worker}      Timeout: 30\n"))];
    let template = altered_template(directory.path(), &changes)?;
    World::with(|options| options.template = template).await
}

/// Measures every operation that has a budget.
pub async fn measure(world: &World) -> Result<Vec<Row>> {
    let mut rows = vec![
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
    ];
    rows.extend(groups(world).await?);
    Ok(rows)
}

/// Messages to a group with one full shard of members, and to a super group with two; a few of them are online. Units and requests are per member, without pushes;
/// pushes are per device that is online.
async fn groups(world: &World) -> Result<Vec<Row>> {
    let mut accounts = Vec::new();
    for n in 0..ONLINE {
        accounts.push(world.account(&format!("online {n}")).await?);
    }
    let mut users: Vec<u64> = accounts.iter().map(|account| account.user_id).collect();
    users.extend(world.crowd(1, SUPER_MEMBERS - ONLINE).await?);
    let shard = usize::try_from(SHARD_MEMBERS)?;
    world.group_of(GROUP, &users[..shard], false).await?;
    world.group_of(SUPER_GROUP, &users, true).await?;
    let mut devices = Vec::new();
    for account in &accounts {
        devices.push(world.device(account).await?);
    }
    let (sender, receivers) = devices.split_at_mut(1);
    let sender = &mut sender[0];
    Ok(vec![
        alone(
            world,
            GROUP,
            sender,
            receivers,
            "group message, per member, alone",
            cost(2.1, 0.1, 0.1, 1.0),
        )
        .await?,
        burst(world, accounts[0].user_id, receivers).await?,
        alone(
            world,
            SUPER_GROUP,
            sender,
            receivers,
            "super group message, per member",
            cost(0.01, 0.55, 0.02, 1.0),
        )
        .await?,
    ])
}

async fn alone(
    world: &World,
    group: u64,
    sender: &mut Device,
    receivers: &mut [Device],
    operation: &'static str,
    limit: Cost,
) -> Result<Row> {
    // The sender's own device is not pushed to, but in a super group.
    let online = if group == SUPER_GROUP { ONLINE } else { ONLINE - 1 };
    let client_id = group;
    world.settled().await?;
    world.reset_meter().await?;
    let content = "x".repeat(CONTENT_BYTES);
    sender.tell_to(SessionType::Group, group, client_id, &content).await?;
    for receiver in receivers {
        receiver.pushed().await?;
    }
    world.settled().await?;
    let members = if group == SUPER_GROUP {
        SUPER_MEMBERS
    } else {
        SHARD_MEMBERS
    };
    per_member(world, operation, members, online, limit).await
}

/// Ten messages that are in the queue before a worker takes the first: that is how they come while it is busy.
async fn burst(world: &World, sender: u64, receivers: &mut [Device]) -> Result<Row> {
    world.settled().await?;
    world.reset_meter().await?;
    let (store, kept) = (world.store(), Kept::default());
    for client_id in 1..=BURST {
        let key = MessageKey {
            sender,
            device: DeviceKey::of(1, "another one"),
            session: 1,
            client_id,
        };
        let draft = Draft {
            key,
            message_type: 1,
            content: vec![b'x'; CONTENT_BYTES],
        };
        store.send_to_group(&kept, &draft, GROUP, crate::now_ms()).await?;
    }
    let tasks = kept.take();
    world.fanout_queue()?.enqueue(&tasks).await?;
    for receiver in receivers {
        for _ in 0..BURST {
            receiver.pushed().await?;
        }
    }
    world.settled().await?;
    let limit = cost(1.2, 0.05, 0.06, 0.1);
    let operation = "group message, per member, in bursts of 10";
    per_member(world, operation, SHARD_MEMBERS * BURST, (ONLINE - 1) * BURST, limit).await
}

/// What was counted, per message and member, and per message and device.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
async fn per_member(world: &World, operation: &'static str, copies: u64, pushed: u64, limit: Cost) -> Result<Row> {
    let reading = world.meter().await?;
    let is_push = |row: &AwsRow| row.operation == "PostToConnection";
    // Polls that bring nothing are there however many messages there are: of the others there is one for each batch.
    let is_poll = |row: &AwsRow| row.operation == "ReceiveMessage";
    let batches = reading.functions.get("FanoutFunction").map_or(0, |row| row.invocations);
    let work = reading.aws_total(|row| !is_push(row) && !is_poll(row));
    let posts = reading.aws_total(is_push);
    let copies = copies as f64;
    let measured = cost(
        work.write_units / copies,
        work.read_units / copies,
        (work.requests + batches) as f64 / copies,
        posts.requests as f64 / pushed as f64,
    );
    Ok(Row {
        operation,
        measured,
        limit,
    })
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
pub async fn disconnected(world: &World) -> Result<()> {
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
    // A key of the tokens is read by a process, not by an operation.
    let total = reading.aws_total(|row| wanted(row) && row.service != "secretsmanager");
    let pushes = reading.aws_total(|row| wanted(row) && row.operation == "PostToConnection");
    let times = TIMES as f64;
    cost(
        total.write_units / times,
        total.read_units / times,
        total.requests as f64 / times,
        pushes.requests as f64 / times,
    )
}
