use crate::harness::{Engine, NOW, draft, phone, send};
use wigwag_protocol::limits::DEVICES_PER_USER;
use wigwag_store::devices::{Connected, ConnectionPolicy, Disconnected, KEEP_IDLE, Positioned};
use wigwag_store::head::Connection;
use wigwag_store::{DeviceKey, Store, TimelineId};

fn connection(id: &str, platform: u8) -> Connection {
    Connection {
        id: id.to_owned(),
        platform,
        protobuf: false,
        connected_at_ms: NOW,
    }
}

async fn connect(store: &Store, device: &DeviceKey, id: &str, policy: ConnectionPolicy) -> Vec<String> {
    match store.connect(1, device, &connection(id, 1), policy, NOW).await.unwrap() {
        Connected::Yes { replaced, .. } => replaced.into_iter().map(|connection| connection.id).collect(),
        other => panic!("{other:?}"),
    }
}

async fn connected(store: &Store) -> Vec<String> {
    let head = store.head(&TimelineId::inbox(1), true).await.unwrap().unwrap();
    head.connections(NOW)
        .map(|(_, connection)| connection.id.clone())
        .collect()
}

#[tokio::test]
async fn a_newer_connection_of_a_device_replaces_the_older_one() {
    let engine = Engine::start();
    engine.user(1).await;
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
            &DeviceKey::of(1, "second phone"),
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
    let engine = Engine::start();
    engine.user(1).await;
    let store = engine.store();
    connect(&store, &phone(), "a=", ConnectionPolicy::Platform).await;
    assert_eq!(
        connect(
            &store,
            &DeviceKey::of(1, "second phone"),
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
    let engine = Engine::start();
    engine.user(1).await;
    let store = engine.store();
    connect(&store, &phone(), "a=", ConnectionPolicy::Device).await;
    connect(&store, &phone(), "b=", ConnectionPolicy::Device).await;
    let gone = store.disconnect(1, &phone(), NOW, "a=").await.unwrap();
    assert_eq!(gone, Disconnected::NotThere);
    assert_eq!(connected(&store).await, ["b="]);
    let gone = store.disconnect(1, &phone(), NOW, "b=").await.unwrap();
    assert_eq!(gone, Disconnected::Yes { room: None });
    assert!(connected(&store).await.is_empty());
}

#[tokio::test]
async fn an_unknown_user_cannot_connect() {
    let engine = Engine::start();
    let result = engine
        .store()
        .connect(9, &phone(), &connection("a=", 1), ConnectionPolicy::Device, NOW)
        .await
        .unwrap();
    assert_eq!(result, Connected::NoSuchUser);
}

#[tokio::test]
async fn places_are_bounded_and_freed_by_who_is_away_longest() {
    let engine = Engine::start();
    engine.user(1).await;
    engine.user(2).await;
    let store = engine.store();
    send(&store, &draft(1, "the phone takes a place and goes"))
        .await
        .unwrap();
    for n in 1..DEVICES_PER_USER {
        connect(
            &store,
            &DeviceKey::of(1, &n.to_string()),
            &format!("{n}="),
            ConnectionPolicy::Device,
        )
        .await;
    }
    let more = DeviceKey::of(1, "one more");
    let connect_more = async |now_ms| {
        let more_connection = Connection {
            connected_at_ms: now_ms,
            ..connection("more=", 1)
        };
        store
            .connect(1, &more, &more_connection, ConnectionPolicy::Device, now_ms)
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
    let head = store.head(&TimelineId::inbox(1), true).await.unwrap().unwrap();
    assert!(head.devices.len() == DEVICES_PER_USER && !head.devices.contains_key(&phone()));
}

#[tokio::test]
async fn a_position_only_advances_and_never_beyond_the_end() {
    let engine = Engine::start();
    engine.user(1).await;
    engine.user(2).await;
    let store = engine.store();
    for client_id in 1..=3 {
        send(&store, &draft(client_id, "hi")).await.unwrap();
    }
    assert_eq!(store.set_position(1, &phone(), 2).await.unwrap(), Positioned::Yes);
    assert_eq!(store.set_position(1, &phone(), 1).await.unwrap(), Positioned::Yes);
    assert_eq!(
        store.set_position(1, &phone(), 4).await.unwrap(),
        Positioned::BeyondEnd { max_seq: 3 }
    );
    let head = store.head(&TimelineId::inbox(1), true).await.unwrap().unwrap();
    assert_eq!(head.devices[&phone()].position, Some(2));
}

/// A dial that was given up: its `$connect` comes through after that of the next one.
#[tokio::test]
async fn a_connection_that_was_opened_earlier_does_not_replace_one_that_was_opened_later() {
    let engine = Engine::start();
    engine.user(1).await;
    let store = engine.store();
    connect(&store, &phone(), "later=", ConnectionPolicy::Device).await;
    let earlier = Connection {
        connected_at_ms: NOW - 1,
        ..connection("earlier=", 1)
    };
    let result = store
        .connect(1, &phone(), &earlier, ConnectionPolicy::Device, NOW)
        .await
        .unwrap();
    assert_eq!(result, Connected::Superseded);
    assert_eq!(connected(&store).await, ["later="]);
}

/// Without its numbering a repeat could not be told from a new message, so the sessions of devices that made place are over.
#[tokio::test]
async fn a_device_that_made_place_cannot_repeat_a_message_as_a_new_one() {
    let engine = Engine::start();
    engine.user(1).await;
    engine.user(2).await;
    let store = engine.store();
    send(&store, &draft(1, "was this answered?")).await.unwrap();
    let idle_ms = i64::try_from(KEEP_IDLE.as_millis()).unwrap() + 1;
    for n in 0..DEVICES_PER_USER {
        let connection = Connection {
            connected_at_ms: NOW + idle_ms,
            ..connection(&format!("{n}="), 1)
        };
        let device = DeviceKey::of(1, &n.to_string());
        let result = store
            .connect(1, &device, &connection, ConnectionPolicy::Device, NOW + idle_ms)
            .await
            .unwrap();
        assert!(matches!(result, Connected::Yes { .. }), "{result:?}");
    }
    match send(&store, &draft(1, "was this answered?")).await {
        Err(wigwag_store::send::SendError::Refused(refusal)) => {
            assert_eq!(
                (refusal.code, refusal.session),
                (wigwag_protocol::Code::SESSION_PASSED, Some(10))
            );
        }
        other => panic!("{other:?}"),
    }
}
