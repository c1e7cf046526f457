//! Rooms: a connection is in one of them at most.

use crate::engine::Engine;
use crate::harness::{NOW, connect, connection, inbox_head, phone};
use serde_json::json;
use wigwag_domain::connection::CONNECTION_MAX_AGE_S;
use wigwag_domain::{DeviceKey, RoomId, UserId};
use wigwag_messaging::connect::ConnectionPolicy;
use wigwag_messaging::disconnect::Disconnected;
use wigwag_messaging::enter_room::Moved;
use wigwag_store::schema::directory as attr;
use wigwag_store::{Store, rooms};

const ROOM: RoomId = RoomId(5);
const OTHER: RoomId = RoomId((1 << 53) - 1);

/// A user whose phone is connected.
async fn connected(engine: &Engine, user: UserId, id: &str) -> Store {
    engine.user(user).await;
    let store = engine.store();
    connect(&store, user, &phone(), id, ConnectionPolicy::Platform).await;
    store
}

async fn enter(store: &Store, id: &str, room: RoomId) -> Moved {
    wigwag_messaging::enter_room(store, UserId(1), &phone(), NOW, id, room, NOW)
        .await
        .unwrap()
}

async fn leave(store: &Store, id: &str) -> Moved {
    wigwag_messaging::leave_room(store, UserId(1), &phone(), NOW, id, None)
        .await
        .unwrap()
}

async fn disconnect(store: &Store, id: &str) -> Disconnected {
    wigwag_messaging::disconnect(store, UserId(1), &phone(), NOW, id)
        .await
        .unwrap()
}

/// The connections in a room, read page by page.
async fn occupants(store: &Store, room: RoomId, now_ms: i64) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = rooms::occupants(store, room, after.as_deref(), 2, now_ms)
            .await
            .unwrap();
        ids.extend(page.into_iter().map(|occupant| occupant.connection.id));
        after = next;
        if after.is_none() {
            return ids;
        }
    }
}

async fn in_rooms(store: &Store) -> [Vec<String>; 2] {
    [occupants(store, ROOM, NOW).await, occupants(store, OTHER, NOW).await]
}

#[tokio::test]
async fn a_connection_is_in_one_room_at_most() {
    let store = connected(&Engine::start(), UserId(1), "a=").await;
    assert_eq!(enter(&store, "a=", ROOM).await, Moved::From(None));
    assert!(rooms::is_in_room(&store, ROOM, "a=").await.unwrap());
    assert_eq!(
        enter(&store, "a=", ROOM).await,
        Moved::From(None),
        "it was in it already"
    );
    assert_eq!(enter(&store, "a=", OTHER).await, Moved::From(Some(ROOM)));
    assert!(!rooms::is_in_room(&store, ROOM, "a=").await.unwrap());
    assert_eq!(in_rooms(&store).await, [vec![], vec!["a=".to_owned()]]);
    assert_eq!(leave(&store, "a=").await, Moved::From(Some(OTHER)));
    assert_eq!(leave(&store, "a=").await, Moved::From(None));
    assert_eq!(in_rooms(&store).await, [vec![], Vec::<String>::new()]);
}

#[tokio::test]
async fn the_occupants_of_a_room_come_in_pages_with_their_connections() {
    let engine = Engine::start();
    for user in 1..=5 {
        let (store, id) = (
            connected(&engine, UserId(user), &format!("{user}=")).await,
            format!("{user}="),
        );
        let moved = wigwag_messaging::enter_room(&store, UserId(user), &phone(), NOW, &id, ROOM, NOW)
            .await
            .unwrap();
        assert_eq!(moved, Moved::From(None));
    }
    let store = engine.store();
    assert_eq!(occupants(&store, ROOM, NOW).await, ["1=", "2=", "3=", "4=", "5="]);
    let (page, _) = rooms::occupants(&store, ROOM, Some("3="), 1, NOW).await.unwrap();
    assert_eq!(
        (page[0].user, &page[0].device, &page[0].connection),
        (UserId(4), &phone(), &connection("4="))
    );
    let too_late = NOW + (CONNECTION_MAX_AGE_S + 2) * 1000;
    assert!(occupants(&store, ROOM, too_late).await.is_empty());
    assert_eq!(
        wigwag_messaging::enter_room(&store, UserId(1), &phone(), NOW, "1=", ROOM, too_late)
            .await
            .unwrap(),
        Moved::NoConnection
    );
}

#[tokio::test]
async fn an_unreadable_row_of_a_room_keeps_nobody_else_out_of_it() {
    let engine = Engine::start();
    let store = connected(&engine, UserId(1), "a=").await;
    enter(&store, "a=", ROOM).await;
    let row = json!({
        "pk": { "S": format!("room#{ROOM}") },
        "sk": { "S": "0=" },
        "connection": { "S": "of a newer version" },
    });
    engine.put("directory", &row);
    assert_eq!(occupants(&store, ROOM, NOW).await, ["a="]);
}

#[tokio::test]
async fn a_connection_that_ends_leaves_its_room() {
    let store = connected(&Engine::start(), UserId(1), "a=").await;
    enter(&store, "a=", ROOM).await;
    assert_eq!(disconnect(&store, "a=").await, Disconnected::Yes { room: Some(ROOM) });
    assert_eq!(disconnect(&store, "a=").await, Disconnected::NotThere);
    assert!(occupants(&store, ROOM, NOW).await.is_empty());
    assert_eq!(enter(&store, "a=", ROOM).await, Moved::NoConnection);
    assert_eq!(leave(&store, "a=").await, Moved::NoConnection);
    assert!(occupants(&store, ROOM, NOW).await.is_empty());
}

#[tokio::test]
async fn a_connection_that_is_replaced_leaves_its_room() {
    let store = connected(&Engine::start(), UserId(1), "a=").await;
    enter(&store, "a=", ROOM).await;
    connect(&store, UserId(1), &phone(), "b=", ConnectionPolicy::Platform).await;
    assert!(occupants(&store, ROOM, NOW).await.is_empty());
    enter(&store, "b=", ROOM).await;
    assert_eq!(disconnect(&store, "a=").await, Disconnected::NotThere);
    assert_eq!(
        occupants(&store, ROOM, NOW).await,
        ["b="],
        "a late end of the older one changes nothing"
    );
    connect(
        &store,
        UserId(1),
        &DeviceKey::derive(1, "second phone"),
        "c=",
        ConnectionPolicy::Platform,
    )
    .await;
    assert!(occupants(&store, ROOM, NOW).await.is_empty());
}

/// For every call after which the function can die: the device repeats its frame, and is in that
/// room and no other.
#[tokio::test]
async fn a_repeat_finishes_a_move_whose_function_died_halfway() {
    for answer_lost in [true, false] {
        for calls in 1..8 {
            let engine = Engine::start();
            let store = connected(&engine, UserId(1), "a=").await;
            enter(&store, "a=", ROOM).await;
            let dying = engine.store_that_dies_after(calls, answer_lost);
            let died = wigwag_messaging::enter_room(&dying, UserId(1), &phone(), NOW, "a=", OTHER, NOW).await;
            assert_eq!(died.is_err(), calls < 5, "after {calls} calls: {died:?}");
            enter(&store, "a=", OTHER).await;
            assert_eq!(
                in_rooms(&store).await,
                [vec![], vec!["a=".to_owned()]],
                "after {calls} calls"
            );
            let dying = engine.store_that_dies_after(calls, answer_lost);
            let _ = wigwag_messaging::leave_room(&dying, UserId(1), &phone(), NOW, "a=", None).await;
            leave(&store, "a=").await;
            assert_eq!(
                in_rooms(&store).await,
                [vec![], Vec::<String>::new()],
                "after {calls} calls"
            );
        }
    }
}

/// The connection enters the room that it is in, and a `LEAVE` comes between any two calls of that.
/// The `ENTER` puts the row back, and must not end before the head names the room too: nobody would
/// ever delete a row that the head does not know.
#[tokio::test]
async fn a_connection_that_enters_its_room_again_while_leaving_it_ends_up_in_it() {
    for calls in 0..3 {
        let engine = Engine::start();
        let store = connected(&engine, UserId(1), "a=").await;
        enter(&store, "a=", ROOM).await;
        let (slow, permits) = engine.store_held_up_after(calls);
        let again = tokio::spawn(async move { enter(&slow, "a=", ROOM).await });
        while permits.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        leave(&store, "a=").await;
        permits.add_permits(100);
        assert_eq!(again.await.unwrap(), Moved::From(None), "after {calls} calls");
        assert_eq!(occupants(&store, ROOM, NOW).await, ["a="], "after {calls} calls");
        assert_eq!(
            leave(&store, "a=").await,
            Moved::From(Some(ROOM)),
            "after {calls} calls"
        );
        assert!(occupants(&store, ROOM, NOW).await.is_empty(), "after {calls} calls");
    }
}

/// For every call that can fail: a move that failed without an effect has changed nothing that
/// anybody can see.
#[tokio::test]
async fn a_failed_move_leaves_the_connection_in_the_room_that_its_head_names() {
    for first in [None, Some(ROOM)] {
        for takes_effect in [true, false] {
            for nth in 1..6 {
                let engine = Engine::start();
                let store = connected(&engine, UserId(1), "a=").await;
                if let Some(room) = first {
                    enter(&store, "a=", room).await;
                }
                let failing = engine.store_that_fails_call(nth, takes_effect);
                let moved = wigwag_messaging::enter_room(&failing, UserId(1), &phone(), NOW, "a=", OTHER, NOW).await;
                let head = inbox_head(&store, UserId(1)).await;
                let named = head.devices[&phone()].room;
                let at = |room| {
                    if named == Some(room) {
                        vec!["a=".to_owned()]
                    } else {
                        vec![]
                    }
                };
                let what = format!("from {first:?}, call {nth}, {takes_effect}: {moved:?}");
                assert_eq!(in_rooms(&store).await, [at(ROOM), at(OTHER)], "{what}");
                if moved.is_ok() {
                    assert_eq!(named, Some(OTHER), "{what}");
                } else if !takes_effect {
                    assert_eq!(named, first, "{what}");
                }
            }
        }
    }
}

/// If the function died between the row and the head, the connection is in two rooms. It learns of
/// the second one by what is pushed from there.
#[tokio::test]
async fn a_named_room_is_left_whatever_the_head_says() {
    for first in [None, Some(ROOM)] {
        let engine = Engine::start();
        let store = connected(&engine, UserId(1), "a=").await;
        if let Some(room) = first {
            enter(&store, "a=", room).await;
        }
        let mut calls = 0;
        while !rooms::is_in_room(&store, OTHER, "a=").await.unwrap() {
            calls += 1;
            let dying = engine.store_that_dies_after(calls, true);
            wigwag_messaging::enter_room(&dying, UserId(1), &phone(), NOW, "a=", OTHER, NOW)
                .await
                .unwrap_err();
        }
        let head = inbox_head(&store, UserId(1)).await;
        assert_eq!(
            head.devices[&phone()].room,
            first,
            "it died before the head was written"
        );
        let leave = async |room| {
            wigwag_messaging::leave_room(&store, UserId(1), &phone(), NOW, "a=", Some(room))
                .await
                .unwrap()
        };
        assert_eq!(leave(OTHER).await, Moved::From(None));
        assert!(!rooms::is_in_room(&store, OTHER, "a=").await.unwrap());
        assert_eq!(leave(OTHER).await, Moved::From(None), "leaving can be repeated");
        enter(&store, "a=", ROOM).await;
        assert_eq!(leave(OTHER).await, Moved::From(None), "it is in another room");
        assert_eq!(in_rooms(&store).await, [vec!["a=".to_owned()], vec![]]);
        assert_eq!(leave(ROOM).await, Moved::From(Some(ROOM)));
        assert_eq!(in_rooms(&store).await, [vec![], Vec::<String>::new()]);
        let gone = wigwag_messaging::leave_room(&store, UserId(1), &phone(), NOW, "b=", Some(ROOM))
            .await
            .unwrap();
        assert_eq!(gone, Moved::NoConnection);
    }
}

/// The TTL is in seconds. No connection lives longer.
#[tokio::test]
async fn a_row_expires_with_its_connection_if_no_disconnect_comes() {
    let engine = Engine::start();
    let store = connected(&engine, UserId(1), "a=").await;
    enter(&store, "a=", ROOM).await;
    let items = engine.items("directory");
    let row = items
        .iter()
        .find(|item| item[attr::PK]["S"] == format!("{}{ROOM}", attr::ROOM));
    let expires = &row.expect("a row")[attr::TTL]["N"];
    assert_eq!(*expires, (NOW / 1000 + CONNECTION_MAX_AGE_S).to_string());
}
