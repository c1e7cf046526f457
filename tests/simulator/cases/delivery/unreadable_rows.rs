//! Rows that cannot be read, such as those of a newer version.

use super::{again, all_done, connect_phone, engine_with_members, first_shard, inbox, message};
use crate::engine::Engine;
use crate::harness::group::GROUP;
use crate::harness::{NOW, ids};
use serde_json::{Value, json};
use wigwag_domain::{DeviceKey, UserId};
use wigwag_messaging::deliver::MemberPush;

#[tokio::test]
async fn an_unreadable_device_keeps_no_message_from_anybody() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let store = engine.store();
    for user in [2, 3] {
        connect_phone(&store, UserId(user)).await;
    }
    put_unreadable_head(&engine, UserId(3));
    let users = |pushes: &[MemberPush]| -> Vec<UserId> { pushes.iter().map(|inbound| inbound.user).collect() };
    assert_eq!(
        users(&all_done(&store, &[message(1)]).await),
        ids([2, 3]),
        "their other devices"
    );
    assert_eq!(inbox_seqs(&engine, UserId(3)), [1]);
    assert_eq!(users(&all_done(&store, &[again(message(1))]).await), ids([2, 3]));
    let span = first_shard();
    let pushes = wigwag_messaging::announce(&store, &span, &[message(2).logged], NOW)
        .await
        .unwrap();
    assert_eq!(users(&pushes), ids([2, 3]));
}

#[tokio::test]
async fn an_unreadable_shard_row_affects_only_its_member() {
    let engine = engine_with_members(&[UserId(1), UserId(2), UserId(3)]).await;
    let row = json!({
        "pk": { "S": format!("group#{GROUP}#0") },
        "sk": { "S": format!("{:016}", 1) },
        "u": { "N": "2" },
        "j": { "S": "of a newer version" },
    });
    engine.put("directory", &row);
    let store = engine.store();
    connect_phone(&store, UserId(3)).await;
    all_done(&store, &[message(1)]).await;
    assert_eq!(inbox(&store, UserId(3)).await.0, [1]);
    let span = first_shard();
    assert_eq!(
        wigwag_messaging::announce(&store, &span, &[message(2).logged], NOW)
            .await
            .unwrap()
            .len(),
        1
    );
}

/// Puts something unreadable into the head of a user.
fn put_unreadable_head(engine: &Engine, user: UserId) {
    let inbox = format!("u{user}");
    let is_head = |item: &Value| item["t"]["S"] == inbox.as_str() && item["n"]["N"] == "0";
    let mut head = engine.items("timelines").into_iter().find(is_head).unwrap();
    let device = DeviceKey::derive(1, "of a newer version");
    head[format!("C{device}")] = json!({ "S": "short" });
    engine.put("timelines", &head);
}

/// The seqs of the entries in an inbox, as the table has them.
fn inbox_seqs(engine: &Engine, user: UserId) -> Vec<u64> {
    let inbox = format!("u{user}");
    let items = engine.items("timelines");
    let entries = items
        .iter()
        .filter(|item| item["t"]["S"] == inbox.as_str() && item.get("m").is_some());
    entries
        .map(|item| item["n"]["N"].as_str().unwrap().parse().unwrap())
        .collect()
}
