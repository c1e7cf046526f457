//! A room with more connections than one task pushes to.
use super::{ROOM, hears, sorted, users};
use anyhow::{Context as _, Result};
use wigwag_cluster::{Cluster, now_ms};
use wigwag_domain::connection::Connection;
use wigwag_domain::{DeviceKey, RoomId, UserId};
use wigwag_messaging::connect::{Connected, ConnectionPolicy};
use wigwag_messaging::enter_room::Moved;
use wigwag_protocol::limits::DEVICES_PER_USER;
use wigwag_store::{inboxes, rooms};

/// More connections than one task pushes to. All were closed long ago, except two that come last.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_pushed_to_page_by_page_and_removes_closed_connections() -> Result<()> {
    const GONE: u64 = 210;
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    a.enter(7).await?;
    b.enter(7).await?;
    let store = cluster.store();
    let devices = DEVICES_PER_USER as u64;
    let crowd = cluster.crowd(5000, GONE.div_ceil(devices)).await?;
    // Long enough ago: the connection cannot still be opening.
    let opened_ms = now_ms() - 600_000;
    for n in 0..GONE {
        let user = crowd[usize::try_from(n / devices)?];
        let device = DeviceKey::derive(1, &format!("phone {n}"));
        let connection = Connection {
            // Of the form that API Gateway uses, and sorted before all of its own.
            id: format!("----------{n:04}0="),
            platform: 1,
            protobuf: true,
            connected_at_ms: opened_ms,
        };
        let connected = wigwag_messaging::connect(
            &store,
            UserId(user),
            &device,
            &connection,
            ConnectionPolicy::Device,
            now_ms(),
        );
        anyhow::ensure!(matches!(connected.await?, Connected::Yes { .. }), "not connected");
        let moved = wigwag_messaging::enter_room(
            &store,
            UserId(user),
            &device,
            opened_ms,
            &connection.id,
            RoomId(7),
            now_ms(),
        )
        .await?;
        assert_eq!(moved, Moved::From(None));
    }
    let (first, next) = rooms::occupants(&store, RoomId(7), None, 200, now_ms()).await?;
    let real = |user: u64| user == ada.user_id || user == bob.user_id;
    anyhow::ensure!(
        first.len() == 200 && next.is_some() && !first.iter().any(|it| real(it.user.0)),
        "one page"
    );
    a.tell_to(ROOM, 7, 0, "anybody?").await?;
    hears(&mut b, "anybody?").await?;
    cluster.settled().await?;
    assert_eq!(users(&cluster, &ada, 7).await?, sorted(vec![ada.user_id, bob.user_id]));
    for user in crowd {
        let head = inboxes::head(&store, UserId(user), true).await?;
        let mut devices = head.context("no inbox")?.devices.into_values();
        assert!(devices.all(|device| device.connection.is_none()), "user {user}");
    }
    assert!(cluster.dead_letters().await?.is_empty());
    cluster.stop().await;
    Ok(())
}
