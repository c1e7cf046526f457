//! Rooms: whoever is in one hears what is said there, and nothing of it is kept.

use anyhow::{Context as _, Result};
use wigwag_cluster::{Account, Device, World};
use wigwag_local::gateway::Faults;
use wigwag_protocol::Code;
use wigwag_protocol::http::RoomUsers;
use wigwag_protocol::limits::DEVICES_PER_USER;
use wigwag_protocol::pb::{AckType, Message, SessionType};
use wigwag_store::DeviceKey;
use wigwag_store::devices::{Connected, ConnectionPolicy};
use wigwag_store::head::Connection;
use wigwag_store::rooms::Moved;

const ROOM: SessionType = SessionType::Room;

fn text(message: &Message) -> (u64, String) {
    (message.seq, String::from_utf8_lossy(&message.content).into_owned())
}

async fn users(world: &World, who: &Account, room: u64) -> Result<Vec<u64>> {
    let users: RoomUsers = world
        .get(&format!("/room_user/list?room_id={room}"), Some(&who.token))
        .await?;
    let mut ids = users.user_ids;
    ids.sort_unstable();
    Ok(ids)
}

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

async fn hears(device: &mut Device, words: &str) -> Result<()> {
    assert_eq!(text(&device.pushed().await?), (0, words.to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_a_room_hears_what_is_said_there_and_nobody_else() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b, mut e) = (
        world.device(&ada).await?,
        world.json_device(&bob).await?,
        world.device(&eve).await?,
    );
    let outside = a.say_to(ROOM, 7, 0, "anybody here?").await?;
    assert_eq!(outside.code, Code::NOT_IN_ROOM.number());
    for device in [&mut a, &mut b, &mut e] {
        assert_eq!(device.enter(7).await?, 0);
    }
    assert_eq!(a.enter(7).await?, 0, "already there");
    assert_eq!(
        users(&world, &ada, 7).await?,
        sorted(vec![ada.user_id, bob.user_id, eve.user_id])
    );
    let ack = a.tell_to(ROOM, 7, 0, "one").await?;
    assert_eq!((ack.r#type(), ack.seq, ack.conversation_seq), (AckType::Relayed, 0, 0));
    hears(&mut b, "one").await?;
    hears(&mut e, "one").await?;
    assert_eq!(e.enter(8).await?, 7, "entering another leaves the first");
    b.tell_to(ROOM, 7, 0, "two").await?;
    hears(&mut a, "two").await?;
    let outside = e.say_to(ROOM, 7, 0, "from the other room").await?;
    assert_eq!(outside.code, Code::NOT_IN_ROOM.number());
    assert_eq!(e.enter(7).await?, 8);
    a.tell_to(ROOM, 7, 0, "three").await?;
    hears(&mut b, "three").await?;
    // Not "two": eve was in the other room.
    hears(&mut e, "three").await?;
    assert_eq!(b.leave_room().await?, 7);
    assert_eq!(b.leave_room().await?, 0);
    assert_eq!(users(&world, &eve, 7).await?, sorted(vec![ada.user_id, eve.user_id]));
    assert!(b.catch_up(0).await?.is_empty(), "nothing is kept");
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_disconnects_is_out_of_the_room() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let (mut a, mut b) = (world.device(&ada).await?, world.device(&bob).await?);
    a.enter(7).await?;
    b.enter(7).await?;
    assert_eq!(users(&world, &ada, 7).await?.len(), 2);
    b.leave().await?;
    while users(&world, &ada, 7).await? != [ada.user_id] {
        tokio::task::yield_now().await;
    }
    let mut b = world.device(&bob).await?;
    a.tell_to(ROOM, 7, 0, "where is bob?").await?;
    world.settled().await?;
    let outside = b.say_to(ROOM, 7, 0, "here").await?;
    assert_eq!(outside.code, Code::NOT_IN_ROOM.number(), "a new connection enters anew");
    b.enter(7).await?;
    a.tell_to(ROOM, 7, 0, "there").await?;
    hears(&mut b, "there").await?;
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_disconnect_costs_the_others_in_the_room_nothing() -> Result<()> {
    let world = World::with(|options| {
        options.faults = Faults {
            drop_disconnect: 1.0,
            ..Faults::default()
        };
    })
    .await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b, mut e) = (
        world.device(&ada).await?,
        world.device(&bob).await?,
        world.device(&eve).await?,
    );
    for device in [&mut a, &mut b, &mut e] {
        device.enter(7).await?;
    }
    b.leave().await?;
    a.tell_to(ROOM, 7, 0, "still there?").await?;
    hears(&mut e, "still there?").await?;
    let mut b = world.device(&bob).await?;
    assert_eq!(b.enter(7).await?, 0, "nobody took the new connection there");
    a.tell_to(ROOM, 7, 0, "back").await?;
    hears(&mut b, "back").await?;
    hears(&mut e, "back").await?;
    world.settled().await?;
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}

/// More than one task pushes to, and all of them gone long ago but those that stand behind them.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_pushed_to_page_by_page_and_forgets_who_is_gone() -> Result<()> {
    const GONE: u64 = 210;
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let (mut a, mut b) = (world.device(&ada).await?, world.device(&bob).await?);
    a.enter(7).await?;
    b.enter(7).await?;
    let store = world.store();
    let devices = DEVICES_PER_USER as u64;
    let crowd = world.crowd(5000, GONE.div_ceil(devices)).await?;
    // Long past the time in which a connection may still be opening.
    let opened_ms = now_ms()? - 600_000;
    for n in 0..GONE {
        let user = crowd[usize::try_from(n / devices)?];
        let device = DeviceKey::of(1, &format!("phone {n}"));
        let connection = Connection {
            // As API Gateway gives them, and before any that it would.
            id: format!("----------{n:04}0="),
            platform: 1,
            protobuf: true,
            connected_at_ms: opened_ms,
        };
        let connected = store.connect(user, &device, &connection, ConnectionPolicy::Device, now_ms()?);
        anyhow::ensure!(matches!(connected.await?, Connected::Yes { .. }), "not connected");
        let moved = store
            .enter_room(user, &device, opened_ms, &connection.id, 7, now_ms()?)
            .await?;
        assert_eq!(moved, Moved::From(None));
    }
    let (first, next) = store.occupants(7, None, 200, now_ms()?).await?;
    let real = |user: u64| user == ada.user_id || user == bob.user_id;
    anyhow::ensure!(
        first.len() == 200 && next.is_some() && !first.iter().any(|it| real(it.user)),
        "one page"
    );
    a.tell_to(ROOM, 7, 0, "anybody?").await?;
    hears(&mut b, "anybody?").await?;
    world.settled().await?;
    assert_eq!(users(&world, &ada, 7).await?, sorted(vec![ada.user_id, bob.user_id]));
    for user in crowd {
        let head = store.head(&wigwag_store::TimelineId::inbox(user), true).await?;
        let mut devices = head.context("no inbox")?.devices.into_values();
        assert!(devices.all(|device| device.connection.is_none()), "user {user}");
    }
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}

fn now_ms() -> Result<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}
