//! `cargo xtask cost`: what a month of users costs on AWS. The local stack's meter counts each
//! activity, and this multiplies it by how often users do it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wigwag_cluster::budget::disconnected;
use wigwag_cluster::{Cluster, Device};
use wigwag_local::build::Bootstraps;
use wigwag_local::meter::prices::{CONNECTION_MINUTES, FIFO_QUEUE_REQUESTS};
use wigwag_protocol::pb::SessionType;

/// Flags of `cargo xtask cost`: what a user does in a day.
#[derive(Debug, clap::Args)]
pub(crate) struct CostArgs {
    /// Number of users.
    #[arg(long, default_value_t = 1000)]
    users: u32,
    /// Hours a day that a user is connected, on one device.
    #[arg(long, default_value_t = 4.0, value_parser = hours)]
    hours: f64,
    /// Times a day that a user connects and reads new messages.
    #[arg(long, default_value_t = 6)]
    connects: u32,
    /// One-to-one messages that a user sends a day.
    #[arg(long, default_value_t = 20)]
    messages: u32,
    /// Messages that a user sends to groups a day.
    #[arg(long, default_value_t = 10)]
    group_messages: u32,
    /// Members of a group.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=500))]
    group_size: u32,
    /// Bytes of content of a message.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    bytes: u32,
    /// Repetitions of each activity that is counted.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

fn hours(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|hours| (0.0..=24.0).contains(hours))
        .ok_or_else(|| format!("{text} is not a number of hours between 0 and 24; try 4"))
}

/// Days of a month.
const DAYS: f64 = 30.0;

/// Heartbeats of a client in an hour: one every four minutes.
const HEARTBEATS_PER_HOUR: f64 = 15.0;

/// Requests a minute of an event source mapping whose queue is empty: five pollers, and each
/// waits twenty seconds.
const IDLE_POLLS_PER_MINUTE: f64 = 15.0;

const GROUP: u64 = 1;

/// One thing that users do, and its cost by item of the bill.
struct Activity {
    name: &'static str,
    /// How often a user does it in a day.
    per_day: f64,
    /// For one time: the quantity, and the price in US dollars for a million.
    uses: BTreeMap<String, (f64, f64)>,
}

pub(crate) async fn run(arguments: &CostArgs) -> Result<()> {
    let cluster = Cluster::with(|options| {
        options.bootstraps = Bootstraps::Build { release: true };
    })
    .await?;
    let activities = count(&cluster, arguments).await;
    cluster.stop().await;
    let bill = bill(arguments, &activities?);
    if arguments.json {
        println!("{bill}");
        return Ok(());
    }
    println!("| what | times per user and day | $ for a million | $ a month |");
    println!("|---|---|---|---|");
    print_rows(&bill["deeds"], &["what", "per_day", "usd_per_million", "usd"])?;
    println!("\n| item of the bill | quantity a month | $ a month |");
    println!("|---|---|---|");
    print_rows(&bill["items"], &["item", "quantity", "usd"])?;
    println!("\n{} users: {} $ a month", arguments.users, figure(&bill["usd"]));
    Ok(())
}

/// Does everything several times. Each activity is counted by itself.
async fn count(cluster: &Cluster, arguments: &CostArgs) -> Result<Vec<Activity>> {
    let users = cluster.crowd(1, arguments.group_size.into()).await?;
    cluster.group_of(GROUP, &users, false).await?;
    let devices = connect_share(cluster, &users, arguments.hours / 24.0).await?;
    let mut counting = Counting {
        cluster,
        repeat: arguments.repeat,
        activities: Vec::new(),
    };
    count_logins(&mut counting).await?;
    let away = *users.last().context("nobody is away")?;
    count_sending(&mut counting, arguments, devices, users[1], away).await?;
    count_visits(&mut counting, arguments, away).await?;
    Ok(counting.activities)
}

/// Connects as many members as are online at any time, and at least the first two, who talk to each
/// other.
async fn connect_share(cluster: &Cluster, users: &[u64], online: f64) -> Result<Vec<Device>> {
    let members = u32::try_from(users.len())?;
    let share = (f64::from(members) * online).round().max(2.0);
    let mut devices = Vec::new();
    for (nth, &user) in (0_u32..).zip(users) {
        if f64::from(nth) >= share {
            break;
        }
        devices.push(cluster.device(&cluster.member(user)?).await?);
    }
    Ok(devices)
}

async fn count_logins(counting: &mut Counting<'_>) -> Result<()> {
    let account = counting.cluster.account("who logs in").await?;
    counting.begin().await?;
    for _ in 0..counting.repeat {
        counting.cluster.another_device(&account, "device").await?;
    }
    counting.end("logs in", 1.0).await
}

/// The first device sends to a connected user, to a user who is away, and to the group; then it
/// sends heartbeats.
async fn count_sending(
    counting: &mut Counting<'_>,
    arguments: &CostArgs,
    mut devices: Vec<Device>,
    connected: u64,
    away: u64,
) -> Result<()> {
    let (sender, others) = devices.split_first_mut().context("nobody is online")?;
    let mut talk = Talk {
        content: "x".repeat(arguments.bytes as usize),
        sender,
        sent: 0,
    };
    // One message each before the count begins: it creates the log of the conversation and starts
    // processes.
    for user in [connected, away] {
        talk.tell(SessionType::Single, user).await?;
    }
    others[0].pushed().await?;
    counting.begin().await?;
    for _ in 0..counting.repeat {
        talk.tell(SessionType::Single, connected).await?;
        others[0].pushed().await?;
    }
    let (messages, online) = (f64::from(arguments.messages), arguments.hours / 24.0);
    counting
        .end("sends a message to one who is connected", messages * online)
        .await?;
    counting.begin().await?;
    for _ in 0..counting.repeat {
        talk.tell(SessionType::Single, away).await?;
    }
    counting
        .end("sends a message to one who is not", messages * (1.0 - online))
        .await?;
    counting.begin().await?;
    for _ in 0..counting.repeat {
        talk.tell(SessionType::Group, GROUP).await?;
        for device in &mut *others {
            device.pushed().await?;
        }
        counting.cluster.settled().await?;
    }
    counting
        .end("sends a message to a group", arguments.group_messages.into())
        .await?;
    counting.begin().await?;
    for _ in 0..counting.repeat {
        talk.sender.heartbeat().await?;
    }
    counting.end("heartbeat", arguments.hours * HEARTBEATS_PER_HOUR).await
}

/// A user who is away comes back, reads a page and leaves.
async fn count_visits(counting: &mut Counting<'_>, arguments: &CostArgs, user: u64) -> Result<()> {
    let cluster = counting.cluster;
    let visitor = cluster.member(user)?;
    cluster.device(&visitor).await?.leave().await?;
    disconnected(cluster).await?;
    counting.begin().await?;
    for _ in 0..counting.repeat {
        let mut device = cluster.device(&visitor).await?;
        device.sync(0, 50).await?;
        device.leave().await?;
        disconnected(cluster).await?;
    }
    counting
        .end("connects, reads a page, leaves", arguments.connects.into())
        .await
}

/// The device that sends.
struct Talk<'a> {
    sender: &'a mut Device,
    content: String,
    sent: u64,
}

impl Talk<'_> {
    async fn tell(&mut self, kind: SessionType, to: u64) -> Result<()> {
        self.sent += 1;
        self.sender.tell_to(kind, to, self.sent, &self.content).await?;
        Ok(())
    }
}

struct Counting<'a> {
    cluster: &'a Cluster,
    repeat: u32,
    activities: Vec<Activity>,
}

impl Counting<'_> {
    async fn begin(&self) -> Result<()> {
        self.cluster.settled().await?;
        self.cluster.reset_meter().await
    }

    /// Reads the usage since [`Self::begin`]. Connection minutes are left out, because a connection
    /// lasts only a moment here.
    async fn end(&mut self, name: &'static str, per_day: f64) -> Result<()> {
        self.cluster.settled().await?;
        let reading = self.cluster.meter().await?;
        let uses = reading
            .cost
            .into_iter()
            .filter(|row| row.item != CONNECTION_MINUTES.item);
        let uses = uses.map(|row| (row.item, (row.quantity / f64::from(self.repeat), row.usd_per_million)));
        self.activities.push(Activity {
            name,
            per_day,
            uses: uses.collect(),
        });
        Ok(())
    }
}

/// The bill for all users and a month.
fn bill(arguments: &CostArgs, activities: &[Activity]) -> Value {
    let users_days = f64::from(arguments.users) * DAYS;
    let minutes = arguments.hours * 60.0 * users_days;
    let polls = IDLE_POLLS_PER_MINUTE * 60.0 * 24.0 * DAYS;
    let mut items = BTreeMap::from([
        (
            CONNECTION_MINUTES.item.to_owned(),
            (minutes, CONNECTION_MINUTES.usd_per_million),
        ),
        (
            "SQS requests, FIFO queues, while nothing waits".to_owned(),
            (polls, FIFO_QUEUE_REQUESTS.usd_per_million),
        ),
    ]);
    let mut rows = Vec::new();
    for activity in activities {
        let times = activity.per_day * users_days;
        for (item, (quantity, price)) in &activity.uses {
            items.entry(item.clone()).or_insert((0.0, *price)).0 += quantity * times;
        }
        let usd_per_million: f64 = activity.uses.values().map(|(quantity, price)| quantity * price).sum();
        rows.push(json!({
            "what": activity.name, "per_day": activity.per_day,
            "usd_per_million": usd_per_million, "usd": usd_per_million * times / 1e6,
        }));
    }
    let usd: f64 = items.values().map(|(quantity, price)| quantity * price / 1e6).sum();
    let items: Vec<Value> = items
        .iter()
        .filter(|(_, (quantity, _))| *quantity > 0.0)
        .map(|(item, (quantity, price))| json!({ "item": item, "quantity": quantity, "usd": quantity * price / 1e6 }))
        .collect();
    json!({ "users": arguments.users, "deeds": rows, "items": items, "usd": usd })
}

fn print_rows(rows: &Value, columns: &[&str]) -> Result<()> {
    for row in rows.as_array().context("no rows")? {
        let cells: Vec<String> = columns.iter().map(|column| figure(&row[column])).collect();
        println!("| {} |", cells.join(" | "));
    }
    Ok(())
}

/// Text as it is; large numbers without decimals.
fn figure(value: &Value) -> String {
    match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) if number >= 1000.0 => format!("{number:.0}"),
        (None, Some(number)) => format!("{number:.2}"),
        (None, None) => String::new(),
    }
}
