//! The list of groups from the HTTP API: when the client asks for it and what it does with it.

use super::groups::*;
use super::peer::*;
use crate::http::{Group, Role};
use crate::{Client, Event, Start};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wigwag_protocol::OutputFrame;
use wigwag_protocol::pb::{GroupChangeType, Message};

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
async fn a_device_that_starts_at_the_newest_lists_unannounced_groups_and_starts_near_their_ends() {
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
        // The inbox may be about to announce it.
        let ((), waited) = time(link.sync_is_empty(0)).await;
        assert_eq!(waited, Duration::from_secs(2));
        assert_eq!(cursor(&mut events).await, begins_after);
        let (id, group, begin) = link.pull().await;
        assert_eq!((group, begin), (GROUP, begins_after + 1));
        link.group_page(id, &[], 40).await;
        while !matches!(next(&mut events).await, Event::GroupsCaughtUp) {}
    }
}

/// The list may be ahead of the inbox, and does not know earlier membership intervals.
#[tokio::test(start_paused = true)]
async fn a_device_that_continues_after_a_cursor_needs_no_list() {
    let (mut peer, mut options) = peer();
    options.lister = Some(Arc::new(|| panic!("nobody needs a list")));
    let (_client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    while !matches!(next(&mut events).await, Event::GroupsCaughtUp) {}
}

#[tokio::test(start_paused = true)]
async fn a_listed_group_that_the_inbox_announces_begins_where_the_inbox_says() {
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
async fn a_failed_list_is_asked_for_again_before_groups_are_caught_up() {
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

/// A copy is given up after fourteen days.
#[tokio::test(start_paused = true)]
async fn a_group_that_pushes_without_an_announcement_is_looked_up_in_the_list_once() {
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
    link.push_group_message(40).await;
    link.sync_is_empty(0).await;
    link.say(OutputFrame::push(Message {
        receiver_id: GROUP + 1,
        ..group_message_from_bob(3)
    }))
    .await;
    link.heartbeat(0).await;
    link.sync_is_empty(0).await;
    assert_eq!(
        cursor(&mut events).await,
        19,
        "from the first message that they may read"
    );
    let (id, group, begin) = link.pull().await;
    assert_eq!((group, begin), (GROUP, 20));
    link.group_page(id, &[39, 40], 40).await;
    assert_eq!(group_message(&mut events).await, 39);
    assert_eq!(group_message(&mut events).await, 40);
    // The other group is not in the list.
    link.heartbeat(0).await;
    link.heartbeat(0).await;
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
}
