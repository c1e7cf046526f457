//! `cargo xtask cost`: what a month of users costs on AWS, reckoned from what the stack's meter counts for each thing that they do.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wigwag_cluster::budget::disconnected;
use wigwag_cluster::{Device, World};
use wigwag_local::build::Bootstraps;
use wigwag_local::meter::prices::{CONNECTION_MINUTES, FIFO_QUEUE_REQUESTS};
use wigwag_protocol::pb::SessionType;
use wigwag_store::GroupId;

/// Flags of `cargo xtask cost`: what a user does in a day.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Users that the bill is for.
    #[arg(long, default_value_t = 1000)]
    users: u32,
    /// Hours a day that a user is connected, on one device.
    #[arg(long, default_value_t = 4.0, value_parser = hours)]
    hours: f64,
    /// Times a day that a user connects, and asks for what came meanwhile.
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
    /// Repetitions of everything that is counted.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

fn hours(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|hours| (0.0..=24.0).contains(hours))
        .ok_or_else(|| format!("{text} is no number of hours of a day; try 4"))
}

/// Days of a month.
const DAYS: f64 = 30.0;

/// Heartbeats of the client in an hour: one every four minutes.
const HEARTBEATS_PER_HOUR: f64 = 15.0;

/// Requests a minute of an event source mapping whose queue is empty: five pollers, each waiting twenty seconds.
const IDLE_POLLS_PER_MINUTE: f64 = 15.0;

const GROUP: GroupId = 1;

/// One thing that users do, and what it uses: quantities by item of the bill.
struct Deed {
    name: &'static str,
    /// How often a user does it.
    per_day: f64,
    /// For one time: quantity, and US dollars for a million.
    uses: BTreeMap<String, (f64, f64)>,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let world = World::with(|options| {
        options.bootstraps = Bootstraps::Build { release: true };
    })
    .await?;
    let deeds = count(&world, arguments).await;
    world.stop().await;
    let bill = bill(arguments, &deeds?);
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

/// Does everything several times, each time counted for itself.
async fn count(world: &World, arguments: &Arguments) -> Result<Vec<Deed>> {
    let online = arguments.hours / 24.0;
    let users = world.crowd(1, arguments.group_size.into()).await?;
    world.group_of(GROUP, &users, false).await?;
    // As many members are online as at any time; the first two, who talk to each other, always.
    let mut devices = Vec::new();
    let here = (f64::from(arguments.group_size) * online).round().max(2.0);
    for (nth, &user) in (0_u32..).zip(&users) {
        if f64::from(nth) >= here {
            break;
        }
        devices.push(world.device(&world.member(user)?).await?);
    }
    let (sender, others) = devices.split_first_mut().context("nobody is online")?;
    let receiver = users[1];
    let away = *users.last().context("nobody is away")?;
    let mut talk = Talk {
        content: "x".repeat(arguments.bytes as usize),
        sender,
        sent: 0,
    };
    let mut counting = Counting {
        world,
        repeat: arguments.repeat,
        deeds: Vec::new(),
    };

    let logs_in = world.account("who logs in").await?;
    counting.begin().await?;
    for _ in 0..arguments.repeat {
        world.another_device(&logs_in, "device").await?;
    }
    counting.end("logs in", 1.0).await?;

    // Once before it counts: the log of the conversation is made, and processes have started.
    for user in [receiver, away] {
        talk.tell(SessionType::Single, user).await?;
    }
    others[0].pushed().await?;
    counting.begin().await?;
    for _ in 0..arguments.repeat {
        talk.tell(SessionType::Single, receiver).await?;
        others[0].pushed().await?;
    }
    let messages = f64::from(arguments.messages);
    counting
        .end("sends a message to one who is connected", messages * online)
        .await?;
    counting.begin().await?;
    for _ in 0..arguments.repeat {
        talk.tell(SessionType::Single, away).await?;
    }
    counting
        .end("sends a message to one who is not", messages * (1.0 - online))
        .await?;

    counting.begin().await?;
    for _ in 0..arguments.repeat {
        talk.tell(SessionType::Group, GROUP).await?;
        for device in &mut *others {
            device.pushed().await?;
        }
        world.settled().await?;
    }
    counting
        .end("sends a message to a group", arguments.group_messages.into())
        .await?;

    counting.begin().await?;
    for _ in 0..arguments.repeat {
        talk.sender.heartbeat().await?;
    }
    counting.end("heartbeat", arguments.hours * HEARTBEATS_PER_HOUR).await?;

    let comes_back = world.member(away)?;
    world.device(&comes_back).await?.leave().await?;
    disconnected(world).await?;
    counting.begin().await?;
    for _ in 0..arguments.repeat {
        let mut device = world.device(&comes_back).await?;
        device.sync(0, 50).await?;
        device.leave().await?;
        disconnected(world).await?;
    }
    counting
        .end("connects, reads a page, leaves", arguments.connects.into())
        .await?;
    Ok(counting.deeds)
}

/// The one who sends.
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
    world: &'a World,
    repeat: u32,
    deeds: Vec<Deed>,
}

impl Counting<'_> {
    async fn begin(&self) -> Result<()> {
        self.world.settled().await?;
        self.world.reset_meter().await
    }

    /// Reads what was used since the beginning. Connection minutes are left out: here a connection lasts a moment.
    async fn end(&mut self, name: &'static str, per_day: f64) -> Result<()> {
        self.world.settled().await?;
        let reading = self.world.meter().await?;
        let uses = reading
            .cost
            .into_iter()
            .filter(|row| row.item != CONNECTION_MINUTES.item);
        let uses = uses.map(|row| (row.item, (row.quantity / f64::from(self.repeat), row.usd_per_million)));
        self.deeds.push(Deed {
            name,
            per_day,
            uses: uses.collect(),
        });
        Ok(())
    }
}

/// The bill, for all users and a month.
fn bill(arguments: &Arguments, deeds: &[Deed]) -> Value {
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
    for deed in deeds {
        let times = deed.per_day * users_days;
        for (item, (quantity, price)) in &deed.uses {
            items.entry(item.clone()).or_insert((0.0, *price)).0 += quantity * times;
        }
        let usd_per_million: f64 = deed.uses.values().map(|(quantity, price)| quantity * price).sum();
        rows.push(json!({
            "what": deed.name, "per_day": deed.per_day,
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

/// Text as it is, large numbers without decimals.
fn figure(value: &Value) -> String {
    match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) if number >= 1000.0 => format!("{number:.0}"),
        (None, Some(number)) => format!("{number:.2}"),
        (None, None) => String::new(),
    }
}
