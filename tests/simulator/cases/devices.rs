//! The devices and connections of a user.

use crate::harness::{NOW, connection, draft, engine_with_users, inbox_head, phone, send};
use wigwag_domain::connection::Connection;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_messaging::SendError;
use wigwag_messaging::connect::{Connected, ConnectionPolicy};
use wigwag_messaging::disconnect::Disconnected;
use wigwag_protocol::Code;
use wigwag_protocol::limits::DEVICES_PER_USER;
use wigwag_store::inboxes::{KEEP_IDLE, Positioned};
use wigwag_store::{Store, inboxes};

/// Connects a device of user 1. Returns the ids of the connections that it replaces.
async fn connect(store: &Store, device: &DeviceKey, id: &str, policy: ConnectionPolicy) -> Vec<String> {
    match wigwag_messaging::connect(store, UserId(1), device, &connection(id), policy, NOW)
        .await
        .unwrap()
    {
        Connected::Yes { replaced, .. } => replaced.into_iter().map(|connection| connection.id).collect(),
        other => panic!("{other:?}"),
    }
}

async fn connected(store: &Store) -> Vec<String> {
    let head = inbox_head(store, UserId(1)).await;
    head.connections(NOW)
        .map(|(_, connection)| connection.id.clone())
        .collect()
}

#[tokio::test]
async fn a_newer_connection_of_a_device_replaces_the_older_one() {
    let engine = engine_with_users(UserId(1).0).await;
    let store = engine.store();
    assert!(
        connect(&store, &phone(), "a=", ConnectionPolicy::Device)
            .await
            .is_empty()
    );
    assert_eq!(connect(&store, &phone(), "b=", ConnectionPolicy::Device).await, ["a="]);
    assert!(
        connect(
            &store,
            &DeviceKey::derive(1, "second phone"),
            "c=",
            ConnectionPolicy::Device
        )
        .await
        .is_empty()
    );
    assert_eq!(connected(&store).await.len(), 2);
}

#[tokio::test]
async fn under_the_platform_policy_one_connection_of_a_platform_is_left() {
    let engine = engine_with_users(UserId(1).0).await;
    let store = engine.store();
    connect(&store, &phone(), "a=", ConnectionPolicy::Platform).await;
    assert_eq!(
        connect(
            &store,
            &DeviceKey::derive(1, "second phone"),
            "b=",
            ConnectionPolicy::Platform
        )
        .await,
        ["a="]
    );
    assert_eq!(connected(&store).await, ["b="]);
}

#[tokio::test]
async fn a_late_disconnect_does_not_remove_the_newer_connection() {
    let engine = engine_with_users(UserId(1).0).await;
    let store = engine.store();
    connect(&store, &phone(), "a=", ConnectionPolicy::Device).await;
    connect(&store, &phone(), "b=", ConnectionPolicy::Device).await;
    let gone = wigwag_messaging::disconnect(&store, UserId(1), &phone(), NOW, "a=")
        .await
        .unwrap();
    assert_eq!(gone, Disconnected::NotThere);
    assert_eq!(connected(&store).await, ["b="]);
    let gone = wigwag_messaging::disconnect(&store, UserId(1), &phone(), NOW, "b=")
        .await
        .unwrap();
    assert_eq!(gone, Disconnected::Yes { room: None });
    assert!(connected(&store).await.is_empty());
}

#[tokio::test]
async fn an_unknown_user_cannot_connect() {
    let engine = engine_with_users(UserId(0).0).await;
    let result = wigwag_messaging::connect(
        &engine.store(),
        UserId(9),
        &phone(),
        &connection("a="),
        ConnectionPolicy::Device,
        NOW,
    )
    .await
    .unwrap();
    assert_eq!(result, Connected::NoSuchUser);
}

#[tokio::test]
async fn slots_are_limited_and_the_device_that_was_away_longest_makes_room() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    send(&store, &draft(1, "the phone takes a slot and goes"))
        .await
        .unwrap();
    for n in 1..DEVICES_PER_USER {
        connect(
            &store,
            &DeviceKey::derive(1, &n.to_string()),
            &format!("{n}="),
            ConnectionPolicy::Device,
        )
        .await;
    }
    let more = DeviceKey::derive(1, "one more");
    let connect_more = async |now_ms| {
        let more_connection = Connection {
            connected_at_ms: now_ms,
            ..connection("more=")
        };
        wigwag_messaging::connect(
            &store,
            UserId(1),
            &more,
            &more_connection,
            ConnectionPolicy::Device,
            now_ms,
        )
        .await
        .unwrap()
    };
    assert_eq!(
        connect_more(NOW).await,
        Connected::TooManyDevices,
        "the phone may still repeat its message"
    );
    assert_eq!(connected(&store).await.len(), DEVICES_PER_USER - 1);
    let idle_ms = i64::try_from(KEEP_IDLE.as_millis()).unwrap() + 1;
    assert!(matches!(connect_more(NOW + idle_ms).await, Connected::Yes { .. }));
    let head = inbox_head(&store, UserId(1)).await;
    assert!(head.devices.len() == DEVICES_PER_USER && !head.devices.contains_key(&phone()));
}

#[tokio::test]
async fn a_position_only_advances_and_never_past_the_end() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    for client_id in 1..=3 {
        send(&store, &draft(client_id, "hi")).await.unwrap();
    }
    assert_eq!(
        inboxes::set_position(&store, UserId(1), &phone(), 2).await.unwrap(),
        Positioned::Yes
    );
    assert_eq!(
        inboxes::set_position(&store, UserId(1), &phone(), 1).await.unwrap(),
        Positioned::Yes
    );
    assert_eq!(
        inboxes::set_position(&store, UserId(1), &phone(), 4).await.unwrap(),
        Positioned::BeyondEnd { max_seq: 3 }
    );
    let head = inbox_head(&store, UserId(1)).await;
    assert_eq!(head.devices[&phone()].position, Some(2));
}

/// The device gave a connection attempt up, and its `$connect` arrives after that of the next one.
#[tokio::test]
async fn a_connection_that_was_opened_earlier_does_not_replace_one_that_was_opened_later() {
    let engine = engine_with_users(UserId(1).0).await;
    let store = engine.store();
    connect(&store, &phone(), "later=", ConnectionPolicy::Device).await;
    let earlier = Connection {
        connected_at_ms: NOW - 1,
        ..connection("earlier=")
    };
    let result = wigwag_messaging::connect(&store, UserId(1), &phone(), &earlier, ConnectionPolicy::Device, NOW)
        .await
        .unwrap();
    assert_eq!(result, Connected::Superseded);
    assert_eq!(connected(&store).await, ["later="]);
}

/// Without the device's numbering a repeat looks like a new message, so the sessions of devices
/// that lost their slots are over.
#[tokio::test]
async fn a_device_that_lost_its_slot_cannot_repeat_a_message_as_a_new_one() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    send(&store, &draft(1, "was this answered?")).await.unwrap();
    let idle_ms = i64::try_from(KEEP_IDLE.as_millis()).unwrap() + 1;
    for n in 0..DEVICES_PER_USER {
        let connection = Connection {
            connected_at_ms: NOW + idle_ms,
            ..connection(&format!("{n}="))
        };
        let device = DeviceKey::derive(1, &n.to_string());
        let result = wigwag_messaging::connect(
            &store,
            UserId(1),
            &device,
            &connection,
            ConnectionPolicy::Device,
            NOW + idle_ms,
        )
        .await
        .unwrap();
        assert!(matches!(result, Connected::Yes { .. }), "{result:?}");
    }
    match send(&store, &draft(1, "was this answered?")).await {
        Err(SendError::Refused(refusal)) => {
            assert_eq!((refusal.code, refusal.session), (Code::SESSION_PASSED, Some(10)));
        }
        other => panic!("{other:?}"),
    }
}
