//! Sockets that are cut, and frames and `$disconnect` that are lost or late.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{FaultyStack, within};

#[tokio::test]
async fn a_socket_is_cut_without_a_close_frame_and_its_disconnect_says_so() {
    let mut faulty = FaultyStack::start("[sockets]\ncut = { rate = 1, ms = 50 }").await;
    let mut socket = faulty.open().await;
    let end = within(socket.next()).await;
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    let event = faulty.event("Probe").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1006);
    assert_eq!(faulty.injected("sockets.cut"), 1);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn a_disconnect_is_lost_or_comes_when_the_plan_is_paused() {
    let faulty = FaultyStack::start("[sockets]\ndrop_disconnect = 1").await;
    drop(faulty.open().await);
    let lost = async {
        while faulty.injected("sockets.drop_disconnect") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(lost).await;
    faulty.stack.stop().await;

    let mut faulty = FaultyStack::start("[sockets]\ndelay_disconnect = { rate = 1, ms = 900000 }").await;
    drop(faulty.open().await);
    let held = async {
        while faulty.injected("sockets.delay_disconnect") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(held).await;
    assert_eq!(
        faulty
            .stack
            .meter()
            .read()
            .functions
            .get("Probe")
            .map_or(0, |row| row.invocations),
        0
    );
    faulty.stack.faults().pause();
    assert_eq!(faulty.event("Probe").await["requestContext"]["routeKey"], "$disconnect");
    faulty.stack.stop().await;
}

#[tokio::test]
async fn frames_of_a_socket_overtake_each_other_in_both_directions() {
    for direction in ["in", "out"] {
        let faulty = FaultyStack::start(&format!(
            "[sockets]\ndelay_frame_{direction} = {{ rate = 1, ms = 400 }}"
        ))
        .await;
        let mut socket = faulty.open().await;
        for n in 0..8 {
            let order = json!({"answer": {"statusCode": 200, "body": n.to_string()}});
            socket.send(Message::text(order.to_string())).await.unwrap();
        }
        let mut order = Vec::new();
        for _ in 0..8 {
            let frame = within(socket.next()).await.unwrap().unwrap();
            order.push(frame.into_text().unwrap().to_string());
        }
        assert!(!order.is_sorted(), "{order:?}");
        order.sort();
        assert_eq!(order, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        faulty.stack.stop().await;
    }
}
