//! Groups: sending to them, and receiving from super groups by push and PULL.

use super::peer::*;
use crate::{Client, Code, Conversation, Event, Events};
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_protocol::pb::{CmdType, GroupChangeType, Message, PullOutputMsg, SessionType, SyncOutputMsg};
use wigwag_protocol::{OutputFrame, Payload};

pub(super) async fn group_message(events: &mut Events) -> u64 {
    match next_of_substance(events).await {
        Event::GroupMessage(message) => message.conversation_seq,
        other => panic!("not a message of a super group: {other:?}"),
    }
}

pub(super) async fn cursor(events: &mut Events) -> u64 {
    match next_of_substance(events).await {
        Event::GroupCursor { group_id, cursor } => {
            assert_eq!(group_id, GROUP);
            cursor
        }
        other => panic!("not a cursor: {other:?}"),
    }
}

/// A client that follows the super group after this seq, with nothing missed.
async fn following(after: u64) -> (Peer, PeerConnection, Client, Events) {
    let (mut peer, mut options) = peer();
    options.super_groups = BTreeMap::from([(GROUP, after)]);
    let (client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP, after + 1));
    link.group_page(id, &[], after).await;
    while !matches!(next(&mut events).await, Event::GroupsCaughtUp) {}
    (peer, link, client, events)
}

pub(super) async fn inbox_page(link: &mut PeerConnection, id: u64, messages: Vec<Message>) {
    let last = messages.last().map_or(0, |message| message.seq);
    let page = SyncOutputMsg {
        messages,
        has_more: false,
        cursor: last,
        max_seq: last,
    };
    link.say(OutputFrame::new(CmdType::Sync, id, Payload::Sync(page))).await;
}

#[tokio::test(start_paused = true)]
async fn messages_to_people_and_groups_are_numbered_in_one_series() {
    let (_peer, mut link, client, mut events) = connected().await;
    let sendings = [
        client.enqueue(BOB, "a").await.unwrap(),
        client.enqueue(Conversation::Group(GROUP), "b").await.unwrap(),
        client.enqueue(BOB, "c").await.unwrap(),
    ];
    for (n, kind) in [
        (1, SessionType::Single),
        (2, SessionType::Group),
        (3, SessionType::Single),
    ] {
        let (id, up) = link.message().await;
        assert_eq!((up.client_id, up.msg.as_ref().unwrap().session_type()), (n, kind));
        link.accept(id, &up, n).await;
    }
    for (n, sending) in (1..).zip(sendings) {
        assert_eq!(sending.await.unwrap().seq, n);
        assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.seq == n));
    }
}

#[tokio::test(start_paused = true)]
async fn missed_messages_of_a_super_group_are_pulled_from_its_cursor() {
    let (mut peer, mut options) = peer();
    options.super_groups = BTreeMap::from([(GROUP, 3), (GROUP + 1, 8)]);
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP, 4));
    let page = PullOutputMsg {
        messages: vec![group_message_from_bob(4), group_message_from_bob(5)],
        has_more: true,
        next_seq: 6,
        max_seq: 7,
        ..PullOutputMsg::default()
    };
    link.say(OutputFrame::new(CmdType::Pull, id, Payload::Pull(page))).await;
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP, 6));
    link.group_page(id, &[6], 7).await; // 7 is a seal
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP + 1, 9));
    link.group_page(id, &[], 8).await;
    for seq in 4..=6 {
        assert_eq!(group_message(&mut events).await, seq);
    }
    assert_eq!(cursor(&mut events).await, 7);
    assert!(matches!(next(&mut events).await, Event::GroupsCaughtUp));
}

#[tokio::test(start_paused = true)]
async fn pushes_of_a_super_group_are_put_in_order_and_a_hole_is_pulled() {
    let (_peer, mut link, _client, mut events) = following(3).await;
    link.push_group_message(5).await;
    link.push_group_message(4).await;
    link.push_group_message(4).await;
    assert_eq!(group_message(&mut events).await, 4);
    assert_eq!(group_message(&mut events).await, 5);
    link.push_group_message(8).await;
    let ((id, _, begin), waited) = time(link.pull()).await;
    assert_eq!(begin, 6);
    assert!(waited >= Duration::from_millis(100), "{waited:?}");
    assert!(waited <= Duration::from_millis(2100), "{waited:?}");
    link.group_page(id, &[6, 8], 8).await; // 7 is a seal
    for seq in [6, 8] {
        assert_eq!(group_message(&mut events).await, seq);
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_being_written_in_a_super_group_is_asked_for_again() {
    let (_peer, mut link, _client, mut events) = following(3).await;
    link.push_group_message(5).await;
    let (id, ..) = link.pull().await;
    let page = PullOutputMsg {
        messages: vec![group_message_from_bob(5)],
        has_more: false,
        next_seq: 4,
        max_seq: 5,
        ..PullOutputMsg::default()
    };
    link.say(OutputFrame::new(CmdType::Pull, id, Payload::Pull(page))).await;
    let ((id, _, begin), waited) = time(link.pull()).await;
    assert_eq!((begin, waited), (4, Duration::from_millis(500)));
    link.group_page(id, &[4, 5], 5).await;
    assert_eq!(group_message(&mut events).await, 4);
    assert_eq!(group_message(&mut events).await, 5);
}

#[tokio::test(start_paused = true)]
async fn an_own_message_in_a_super_group_is_delivered_in_log_order() {
    let (_peer, mut link, client, mut events) = following(3).await;
    let sending = client.enqueue(Conversation::Group(GROUP), "mine").await.unwrap();
    let (id, up) = link.message().await;
    let ack = wigwag_protocol::pb::AckMsg {
        r#type: 1,
        client_id: up.client_id,
        session: up.session,
        conversation_seq: 4,
        ..Default::default()
    };
    link.say(OutputFrame::new(CmdType::Ack, id, Payload::Ack(ack))).await;
    let receipt = sending.await.unwrap();
    assert_eq!((receipt.seq, receipt.conversation_seq), (0, 4));
    link.push_group_message(5).await;
    let own = next_of_substance(&mut events).await;
    assert!(
        matches!(&own, Event::GroupMessage(m) if m.sender_id == ME && m.conversation_seq == 4),
        "{own:?}"
    );
    assert_eq!(group_message(&mut events).await, 5);
    link.heartbeat(0).await;
}

#[tokio::test(start_paused = true)]
async fn the_inbox_says_where_a_super_group_begins_and_ends() {
    let (_peer, mut link, _client, mut events) = connected().await;
    let added = change(1, 10, GroupChangeType::MembersAdded);
    link.say(OutputFrame::push(added)).await;
    // The cursor comes first, so that a process that ends between the two knows the group.
    assert_eq!(cursor(&mut events).await, 10);
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.seq == 1));
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP, 11));
    link.group_page(id, &[11], 11).await;
    assert_eq!(group_message(&mut events).await, 11);
    let removed = change(2, 13, GroupChangeType::MembersRemoved);
    link.say(OutputFrame::push(removed)).await;
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.seq == 2));
    let (id, _, begin) = link.pull().await;
    assert_eq!(begin, 12);
    link.last_group_page(id, &[12], 13).await;
    assert_eq!(group_message(&mut events).await, 12);
    assert_eq!(cursor(&mut events).await, 13);
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::GroupEnded {
            group_id: GROUP,
            cursor: 13
        }
    ));
    link.heartbeat(2).await;
    link.heartbeat(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_push_of_an_unknown_group_triggers_a_sync() {
    let (_peer, mut link, _client, mut events) = connected().await;
    link.push_group_message(11).await;
    let (id, _) = link.sync().await;
    inbox_page(&mut link, id, vec![change(1, 10, GroupChangeType::MembersAdded)]).await;
    assert_eq!(cursor(&mut events).await, 10);
    let (id, ..) = link.pull().await;
    link.group_page(id, &[11], 11).await;
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(_)));
    assert_eq!(group_message(&mut events).await, 11);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_finds_a_lost_push_of_a_quiet_super_group() {
    let (_peer, mut link, _client, mut events) = following(3).await;
    let waiting = async {
        link.heartbeat(0).await;
        // Four minutes without a push do not count as quiet.
        link.heartbeat(0).await;
        link.pull().await
    };
    let ((id, _, begin), waited) = time(waiting).await;
    assert_eq!(begin, 4);
    assert!(
        waited >= Duration::from_mins(6) && waited <= Duration::from_mins(10),
        "{waited:?}"
    );
    link.group_page(id, &[4], 4).await;
    assert_eq!(group_message(&mut events).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_lost_or_temporarily_refused_is_asked_for_again() {
    let (mut peer, mut options) = peer();
    options.super_groups = BTreeMap::from([(GROUP, 0)]);
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    link.pull().await;
    let ((id, ..), waited) = time(link.pull()).await;
    assert_eq!(waited, Duration::from_secs(10));
    link.say(OutputFrame::refusal(CmdType::Pull, id, Code::BUSY, Payload::None))
        .await;
    link.pull().await;
    link.gateway_fails().await;
    let (id, ..) = link.pull().await;
    link.group_page(id, &[1], 1).await;
    assert_eq!(group_message(&mut events).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_the_server_refuses_to_show_ends() {
    let (mut peer, mut options) = peer();
    options.super_groups = BTreeMap::from([(GROUP, 0)]);
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, ..) = link.pull().await;
    link.say(OutputFrame::refusal(
        CmdType::Pull,
        id,
        Code::NOT_A_MEMBER,
        Payload::None,
    ))
    .await;
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::GroupEnded { group_id: GROUP, .. }
    ));
    assert!(matches!(next(&mut events).await, Event::GroupsCaughtUp));
}

#[tokio::test(start_paused = true)]
async fn every_super_group_is_pulled_again_after_a_reconnect() {
    let (mut peer, mut link, _client, mut events) = following(3).await;
    link.push_group_message(4).await;
    assert_eq!(group_message(&mut events).await, 4);
    drop(link);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, _, begin) = link.pull().await;
    assert_eq!(begin, 5);
    link.group_page(id, &[5], 5).await;
    assert_eq!(group_message(&mut events).await, 5);
}

/// The server forgot the numbering, so it is unknown whether the repeat was accepted. In a super
/// group the copy is in the log, not in the inbox.
#[tokio::test(start_paused = true)]
async fn a_message_in_doubt_is_searched_for_in_the_log_of_its_super_group() {
    let (_peer, mut link, client, mut events) = following(3).await;
    let sending = client.enqueue(Conversation::Group(GROUP), "mine").await.unwrap();
    link.message().await;
    let (id, up) = link.message().await;
    link.refuse(id, Code::CLIENT_ID_AHEAD).await;
    link.sync_is_empty(0).await;
    let (id, ..) = link.pull().await;
    let copy = Message {
        conversation_seq: 4,
        client_id: up.client_id,
        session: up.session,
        ..up.msg.unwrap()
    };
    let page = PullOutputMsg {
        messages: vec![copy],
        max_seq: 4,
        ..PullOutputMsg::default()
    };
    link.say(OutputFrame::new(CmdType::Pull, id, Payload::Pull(page))).await;
    assert_eq!(sending.await.unwrap().conversation_seq, 4);
    assert_eq!(group_message(&mut events).await, 4);
    link.heartbeat(0).await;
}

/// Holds independently of what an earlier process knew, and of refused sends that have raised the
/// counter.
#[tokio::test(start_paused = true)]
async fn a_dissolved_group_is_no_longer_pulled_after_the_closing_time() {
    let (mut peer, mut options) = peer();
    options.super_groups = BTreeMap::from([(GROUP, 7)]);
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, ..) = link.pull().await;
    link.last_group_page(id, &[], 9).await;
    link.heartbeat(0).await;
    link.heartbeat(0).await;
    let (id, _, begin) = link.pull().await;
    assert_eq!(begin, 10);
    // Its sender got this number before the end.
    link.last_group_page(id, &[10], 10).await;
    for cursor in [9, 10] {
        match next_of_substance(&mut events).await {
            Event::GroupCursor { cursor: told, .. } => assert_eq!(told, cursor),
            Event::GroupMessage(message) => assert_eq!(message.conversation_seq, cursor),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::GroupEnded {
            group_id: GROUP,
            cursor: 10
        }
    ));
    for _ in 0..10 {
        link.heartbeat(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_inbox_copy_does_not_restart_an_ended_group() {
    let (mut peer, mut options) = peer();
    options.ended_groups = BTreeMap::from([(GROUP, 13)]);
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    let (id, _) = link.sync().await;
    inbox_page(&mut link, id, vec![change(1, 10, GroupChangeType::MembersAdded)]).await;
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.seq == 1));
    link.heartbeat(1).await;
    let added = change(2, 20, GroupChangeType::MembersAdded);
    link.say(OutputFrame::push(added)).await;
    assert_eq!(cursor(&mut events).await, 20);
    assert_eq!(link.pull().await.2, 21);
}
