//! Receiving: SYNC first, pushes in order, gaps, and a slow app.

use super::peer::*;
use crate::{Client, Code, Event, Events, Start, StopReason};
use std::time::Duration;
use wigwag_protocol::pb::{CmdType, SyncOutputMsg};
use wigwag_protocol::{OutputFrame, Payload};

async fn message_seq(events: &mut Events) -> u64 {
    match next_of_substance(events).await {
        Event::Message(message) => message.seq,
        other => panic!("not a message: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_starts_with_the_missed_messages() {
    let (mut peer, mut options) = peer();
    options.start = Start::After(3);
    let (client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    let (id, after) = link.sync().await;
    assert_eq!(after, 3);
    link.page(id, &[4, 6], 6, 6).await; // 5 is a seal
    assert_eq!(message_seq(&mut events).await, 4);
    assert_eq!(message_seq(&mut events).await, 6);
    assert!(matches!(next(&mut events).await, Event::CaughtUp { cursor: 6 }));
    assert_eq!(client.cursor(), 6);
}

#[tokio::test(start_paused = true)]
async fn pushes_out_of_order_are_put_in_order_without_asking() {
    let (_peer, mut link, _client, mut events) = connected().await;
    link.push(2).await;
    link.push(1).await;
    link.push(1).await;
    assert_eq!(message_seq(&mut events).await, 1);
    assert_eq!(message_seq(&mut events).await, 2);
    // The next request is the heartbeat, so nothing else was asked.
    link.heartbeat(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_asked_for_after_a_short_wait() {
    let (_peer, mut link, _client, mut events) = connected().await;
    link.push(3).await;
    let ((id, after), waited) = time(link.sync()).await;
    assert_eq!((after, waited), (0, Duration::from_millis(100)));
    link.page(id, &[1, 2, 3], 3, 3).await;
    for seq in 1..=3 {
        assert_eq!(message_seq(&mut events).await, seq);
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_finds_a_lost_push() {
    let (_peer, mut link, _client, mut events) = connected().await;
    link.heartbeat(1).await;
    let (id, _) = link.sync().await;
    link.page(id, &[1], 1, 1).await;
    assert_eq!(message_seq(&mut events).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_being_written_is_asked_for_again_shortly() {
    let (mut peer, options) = peer();
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    let (id, _) = link.sync().await;
    link.page(id, &[2], 0, 2).await;
    let ((id, after), waited) = time(link.sync()).await;
    assert_eq!((after, waited), (0, Duration::from_millis(100)));
    link.page(id, &[1, 2], 2, 2).await;
    assert_eq!(message_seq(&mut events).await, 1);
    assert_eq!(message_seq(&mut events).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_page_is_asked_for_again() {
    let (mut peer, options) = peer();
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync().await;
    link.gateway_fails().await;
    let (_, waited) = time(link.sync()).await;
    assert!(waited <= Duration::from_millis(250), "{waited:?}");
    let ((id, _), waited) = time(link.sync()).await;
    assert_eq!(waited, Duration::from_secs(10));
    link.page(id, &[1], 1, 1).await;
    assert_eq!(message_seq(&mut events).await, 1);
}

#[tokio::test(start_paused = true)]
async fn the_own_copy_of_a_sent_message_is_delivered_in_order_without_asking() {
    let (_peer, mut link, client, mut events) = connected().await;
    let sending = send(&client, "hello");
    let (id, up) = link.message().await;
    link.push(2).await;
    link.accept(id, &up, 1).await;
    sending.await.unwrap().unwrap();
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.seq == 1 && m.sender_id == ME));
    assert_eq!(message_seq(&mut events).await, 2);
    link.heartbeat(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_app_gets_everything_and_does_not_hold_up_sending() {
    let (mut peer, mut options) = peer();
    options.event_queue = 2;
    let (client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    for seq in 1..=20 {
        link.push(seq).await;
    }
    let sending = send(&client, "hello");
    let (id, up) = link.message().await;
    link.accept(id, &up, 21).await;
    sending.await.unwrap().unwrap();
    // Now the app reads, and the client asks for the messages that had no room.
    let reading = tokio::spawn(async move {
        let mut seqs = Vec::new();
        while seqs.len() < 21 {
            seqs.push(message_seq(&mut events).await);
        }
        seqs
    });
    let (id, after) = link.sync().await;
    assert!(after < 20, "{after}");
    let rest: Vec<u64> = (after + 1..=21).collect();
    link.page(id, &rest, 21, 21).await;
    assert_eq!(reading.await.unwrap(), (1..=21).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_starts_at_the_end_asks_for_the_end_first() {
    let (mut peer, mut options) = peer();
    options.start = Start::Newest(2);
    let (client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.heartbeat(40).await;
    let (id, after) = link.sync().await;
    assert_eq!(after, 38);
    link.page(id, &[39, 40], 40, 40).await;
    assert_eq!(message_seq(&mut events).await, 39);
    assert_eq!(client.cursor(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_only_sends_asks_for_nothing() {
    let (mut peer, mut options) = peer();
    options.receive = false;
    let (client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.push(9).await;
    let sending = send(&client, "hello");
    let (id, up) = link.message().await;
    link.accept(id, &up, 10).await;
    sending.await.unwrap().unwrap();
    link.heartbeat(10).await;
    drop(client);
    link.ended().await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::Stopped(StopReason::Closed)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_beyond_the_end_is_final() {
    let (mut peer, mut options) = peer();
    options.start = Start::After(50);
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    let (id, _) = link.sync().await;
    let page = SyncOutputMsg {
        max_seq: 4,
        ..SyncOutputMsg::default()
    };
    let code = Code::CURSOR_BEYOND_END;
    link.say(OutputFrame::refusal(CmdType::Sync, id, code, Payload::Sync(page)))
        .await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::Stopped(StopReason::CursorBeyondEnd { cursor: 50, max_seq: 4 })
    ));
}

#[tokio::test(start_paused = true)]
async fn the_client_recovers_from_an_unreadable_frame() {
    let (_peer, mut link, _client, mut events) = connected().await;
    link.raw("this is no frame").await;
    let (id, _) = link.sync().await;
    link.page(id, &[1], 1, 1).await;
    assert_eq!(message_seq(&mut events).await, 1);
}
