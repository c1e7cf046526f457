//! Groups: sending to them, and receiving from super groups by push and PULL.

use super::peer::*;
use crate::http::{Group, Role};
use crate::{Client, Code, Conversation, Event, Events, Start};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wigwag_protocol::pb::{CmdType, GroupChangeType, Message, PullOutputMsg, SessionType, SyncOutputMsg};
use wigwag_protocol::{OutputFrame, Payload};

async fn group_message(events: &mut Events) -> u64 {
    match next_of_substance(events).await {
        Event::GroupMessage(message) => message.conversation_seq,
        other => panic!("not a message of a super group: {other:?}"),
    }
}

async fn cursor(events: &mut Events) -> u64 {
    match next_of_substance(events).await {
        Event::GroupCursor { group_id, cursor } => {
            assert_eq!(group_id, GROUP);
            cursor
        }
        other => panic!("not a cursor: {other:?}"),
    }
}

/// A client that follows the super group after this seq, with nothing missed.
async fn following(after: u64) -> (Peer, Link, Client, Events) {
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

async fn inbox_page(link: &mut Link, id: u64, messages: Vec<Message>) {
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
async fn what_was_missed_in_a_super_group_is_pulled_from_its_cursor() {
    let (mut peer, mut options) = peer();
    options.super_groups = BTreeMap::from([(GROUP, 3), (GROUP + 1, 8)]);
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP, 4));
    let page = PullOutputMsg {
        messages: vec![of_group(4), of_group(5)],
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
    link.push_of_group(5).await;
    link.push_of_group(4).await;
    link.push_of_group(4).await;
    assert_eq!(group_message(&mut events).await, 4);
    assert_eq!(group_message(&mut events).await, 5);
    link.push_of_group(8).await;
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
async fn what_is_being_written_in_a_super_group_is_asked_for_again() {
    let (_peer, mut link, _client, mut events) = following(3).await;
    link.push_of_group(5).await;
    let (id, ..) = link.pull().await;
    let page = PullOutputMsg {
        messages: vec![of_group(5)],
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
async fn an_own_message_in_a_super_group_takes_its_place_in_the_log() {
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
    link.push_of_group(5).await;
    let own = next_of_substance(&mut events).await;
    assert!(
        matches!(&own, Event::GroupMessage(m) if m.sender_id == ME && m.conversation_seq == 4),
        "{own:?}"
    );
    assert_eq!(group_message(&mut events).await, 5);
    link.heartbeat(0).await;
}

#[tokio::test(start_paused = true)]
async fn the_inbox_tells_where_a_super_group_begins_and_ends() {
    let (_peer, mut link, _client, mut events) = connected().await;
    let added = change(1, 10, GroupChangeType::MembersAdded);
    link.say(OutputFrame::push(added)).await;
    // The cursor first: a process that ends between the two knows of the group.
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
async fn a_push_of_a_group_that_is_not_known_yet_makes_the_client_look_into_its_inbox() {
    let (_peer, mut link, _client, mut events) = connected().await;
    link.push_of_group(11).await;
    let (id, _) = link.sync().await;
    inbox_page(&mut link, id, vec![change(1, 10, GroupChangeType::MembersAdded)]).await;
    assert_eq!(cursor(&mut events).await, 10);
    let (id, ..) = link.pull().await;
    link.group_page(id, &[11], 11).await;
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(_)));
    assert_eq!(group_message(&mut events).await, 11);
}

#[tokio::test(start_paused = true)]
async fn a_lost_push_of_a_quiet_super_group_is_found_with_a_heartbeat() {
    let (_peer, mut link, _client, mut events) = following(3).await;
    let waiting = async {
        link.heartbeat(0).await;
        // Four minutes of silence are none yet.
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
async fn a_page_that_is_lost_or_refused_for_the_moment_is_asked_for_again() {
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
async fn a_group_that_the_server_does_not_show_is_given_up() {
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
    link.push_of_group(4).await;
    assert_eq!(group_message(&mut events).await, 4);
    drop(link);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, _, begin) = link.pull().await;
    assert_eq!(begin, 5);
    link.group_page(id, &[5], 5).await;
    assert_eq!(group_message(&mut events).await, 5);
}

fn listed(group_id: u64, max_seq: u64, super_group: bool) -> Group {
    Group {
        group_id,
        name: "group".to_owned(),
        owner_id: BOB,
        members: 2,
        super_group,
        muted: false,
        open_history: false,
        dissolved: false,
        created_at_ms: 0,
        max_seq,
        min_seq: 20,
        log_after: 19,
        role: Role::Member,
        muted_until_ms: 0,
    }
}

#[tokio::test(start_paused = true)]
async fn who_begins_near_the_end_lists_groups_of_which_nothing_else_tells_and_begins_near_their_ends() {
    for (start, begins_after) in [(Start::Newest(5), 35), (Start::Newest(50), 19)] {
        let (mut peer, mut options) = peer();
        options.start = start;
        options.super_groups = BTreeMap::from([(GROUP + 1, 3)]);
        options.lister = Some(Arc::new(|| {
            let groups = vec![
                listed(GROUP, 40, true),
                listed(GROUP + 1, 4, true),
                listed(GROUP + 2, 9, false),
            ];
            Box::pin(async { Ok(groups) })
        }));
        let (_client, mut events) = Client::start(options);
        let mut link = peer.accept().await;
        link.heartbeat(0).await;
        let (id, ..) = link.pull().await;
        link.group_page(id, &[], 3).await;
        link.sync_is_empty(0).await;
        // The inbox may be about to tell of it.
        let ((), waited) = time(link.sync_is_empty(0)).await;
        assert_eq!(waited, Duration::from_secs(2));
        assert_eq!(cursor(&mut events).await, begins_after);
        let (id, group, begin) = link.pull().await;
        assert_eq!((group, begin), (GROUP, begins_after + 1));
        link.group_page(id, &[], 40).await;
        while !matches!(next(&mut events).await, Event::GroupsCaughtUp) {}
    }
}

/// The list may be ahead of the inbox, and knows nothing of earlier stays.
#[tokio::test(start_paused = true)]
async fn who_goes_on_after_a_cursor_is_told_of_every_group_by_the_inbox_alone() {
    let (mut peer, mut options) = peer();
    options.lister = Some(Arc::new(|| panic!("nobody needs a list")));
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    while !matches!(next(&mut events).await, Event::GroupsCaughtUp) {}
}

#[tokio::test(start_paused = true)]
async fn where_the_inbox_tells_of_a_listed_group_after_all_it_begins_there() {
    let (mut peer, mut options) = peer();
    options.start = Start::Newest(10);
    options.lister = Some(Arc::new(|| {
        let groups = vec![listed(GROUP, 40, true)];
        Box::pin(async { Ok(groups) })
    }));
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.heartbeat(0).await;
    link.sync_is_empty(0).await;
    let (id, _) = link.sync().await;
    let mut became = change(1, 31, GroupChangeType::BecameSuper);
    became.group_change.as_mut().unwrap().super_after = 31;
    inbox_page(&mut link, id, vec![became]).await;
    assert_eq!(cursor(&mut events).await, 31);
    assert_eq!(link.pull().await.2, 32);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_had_is_asked_for_again_and_until_then_the_groups_are_not_all_there() {
    let (mut peer, mut options) = peer();
    options.start = Start::Newest(10);
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = Arc::clone(&asked);
    options.lister = Some(Arc::new(move || {
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move {
            match nth {
                0 => Err("no".into()),
                _ => Ok(vec![listed(GROUP, 40, true)]),
            }
        })
    }));
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.heartbeat(0).await;
    link.sync_is_empty(0).await;
    link.sync_is_empty(0).await;
    assert_eq!(cursor(&mut events).await, 30);
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 2);
}

/// The server forgot the numbering: was the repeated message accepted? In a super group its copy is in the log, not the inbox.
#[tokio::test(start_paused = true)]
async fn a_message_in_doubt_is_looked_for_in_the_log_of_its_super_group() {
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

/// Whatever the process before was told, and however far refused sends have raised the counter.
#[tokio::test(start_paused = true)]
async fn a_group_that_was_dissolved_is_pulled_no_more_after_a_while() {
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
    // Its sender had the number of this before the end.
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
async fn a_group_that_ended_is_not_begun_anew_by_what_the_inbox_tells_late() {
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

/// Copies are given up after fourteen days.
#[tokio::test(start_paused = true)]
async fn a_group_that_pushes_and_of_which_the_inbox_does_not_tell_is_looked_for_in_the_list_once() {
    let (mut peer, mut options) = peer();
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = Arc::clone(&asked);
    options.lister = Some(Arc::new(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async { Ok(vec![listed(GROUP, 40, true)]) })
    }));
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    link.push_of_group(40).await;
    link.sync_is_empty(0).await;
    link.say(OutputFrame::push(Message {
        receiver_id: GROUP + 1,
        ..of_group(3)
    }))
    .await;
    link.heartbeat(0).await;
    link.sync_is_empty(0).await;
    assert_eq!(cursor(&mut events).await, 19, "from the first that is theirs to read");
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP, 20));
    link.group_page(id, &[39, 40], 40).await;
    assert_eq!(group_message(&mut events).await, 39);
    assert_eq!(group_message(&mut events).await, 40);
    // The other one is not in the list.
    link.heartbeat(0).await;
    link.heartbeat(0).await;
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
}
