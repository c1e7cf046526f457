//! One timeline: reserving, putting, sealing and reading.

use crate::engine::Engine;
use crate::harness::{LATER, NOW, phone};
use wigwag_domain::page::Range;
use wigwag_domain::timeline::{Content, Entry};
use wigwag_domain::{MessageKey, TimelineId, UserId};
use wigwag_store::timelines::{Missing, Put};
use wigwag_store::{Store, timelines};

const ALL: Range = Range {
    after: 0,
    through: None,
    limit: 100,
};

fn log() -> TimelineId {
    TimelineId::peer(UserId(1), UserId(2))
}

fn entry(client_id: u64, reserved_at_ms: i64) -> Entry {
    let key = MessageKey {
        sender: UserId(1),
        device: phone(),
        session: 1,
        client_id,
    };
    let message = wigwag_protocol::pb::Message {
        client_id,
        ..Default::default()
    };
    Entry::new(
        &key,
        reserved_at_ms,
        Content::Inline(prost::Message::encode_to_vec(&message)),
    )
}

async fn reserve(store: &Store) -> u64 {
    timelines::reserve(store, &log(), 1, Missing::Create, NOW)
        .await
        .unwrap()
        .unwrap()
        .seq
}

async fn read(store: &Store, now_ms: i64) -> (Vec<u64>, u64, u64) {
    let page = timelines::read(store, &log(), ALL, now_ms).await.unwrap().unwrap();
    (
        page.entries.iter().map(|(seq, _)| *seq).collect(),
        page.cursor,
        page.max_seq,
    )
}

#[tokio::test]
async fn concurrent_reservations_share_no_seq_and_skip_none() {
    let engine = Engine::start();
    let store = engine.store();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        tasks.spawn(async move { reserve(&store).await });
    }
    let mut seqs = tasks.join_all().await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=32).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reservation_creates_a_log_but_no_inbox() {
    let engine = Engine::start();
    let inbox = TimelineId::inbox(UserId(9));
    assert_eq!(
        timelines::reserve(&engine.store(), &inbox, 1, Missing::Refuse, NOW)
            .await
            .unwrap(),
        None
    );
    assert_eq!(timelines::head(&engine.store(), &inbox, true).await.unwrap(), None);
}

#[tokio::test]
async fn a_put_can_be_repeated_and_a_sealed_seq_is_lost() {
    let engine = Engine::start();
    let store = engine.store();
    let seq = reserve(&store).await;
    assert_eq!(
        timelines::put(&store, &log(), seq, &entry(1, NOW)).await.unwrap(),
        Put::Done
    );
    assert_eq!(
        timelines::put(&store, &log(), seq, &entry(1, NOW)).await.unwrap(),
        Put::Done
    );
    assert_eq!(
        timelines::seal(&store, &log(), seq, NOW).await.unwrap(),
        Some(entry(1, NOW))
    );
    let lost = reserve(&store).await;
    assert_eq!(timelines::seal(&store, &log(), lost, NOW).await.unwrap(), None);
    assert_eq!(timelines::seal(&store, &log(), lost, NOW).await.unwrap(), None);
    assert_eq!(
        timelines::put(&store, &log(), lost, &entry(2, NOW)).await.unwrap(),
        Put::Sealed
    );
    assert!(
        timelines::put(&store, &log(), seq, &entry(2, NOW)).await.is_err(),
        "two messages at one seq"
    );
}

#[tokio::test]
async fn the_cursor_waits_before_a_hole_until_it_is_filled() {
    let engine = Engine::start();
    let store = engine.store();
    for _ in 0..3 {
        reserve(&store).await;
    }
    timelines::put(&store, &log(), 1, &entry(1, NOW)).await.unwrap();
    timelines::put(&store, &log(), 3, &entry(3, NOW)).await.unwrap();
    assert_eq!(read(&store, NOW).await, (vec![1, 3], 1, 3));
    timelines::put(&store, &log(), 2, &entry(2, NOW)).await.unwrap();
    assert_eq!(read(&store, NOW).await, (vec![1, 2, 3], 3, 3));
}

#[tokio::test]
async fn a_hole_is_sealed_after_its_lease_and_its_late_writer_is_told() {
    let engine = Engine::start();
    let store = engine.store();
    for _ in 0..3 {
        reserve(&store).await;
    }
    timelines::put(&store, &log(), 2, &entry(2, NOW)).await.unwrap();
    assert_eq!(read(&store, NOW).await, (vec![2], 0, 3));
    assert_eq!(read(&store, LATER).await, (vec![2], 3, 3));
    assert_eq!(
        timelines::put(&store, &log(), 1, &entry(1, NOW)).await.unwrap(),
        Put::Sealed
    );
    assert_eq!(
        timelines::put(&store, &log(), 3, &entry(3, NOW)).await.unwrap(),
        Put::Sealed
    );
}

#[tokio::test]
async fn a_run_of_seals_does_not_stop_the_cursor_for_ever() {
    let engine = Engine::start();
    let store = engine.store();
    for seq in 1..=40 {
        assert_eq!(reserve(&store).await, seq);
    }
    for seq in 2..=39 {
        timelines::seal(&store, &log(), seq, NOW).await.unwrap();
    }
    // Others go on reserving, so that the head is always timelines::reserve(&young.store, &log(), 1, Missing::Create, LATER).await.unwrap();
    let page = timelines::read(
        &store,
        &log(),
        Range {
            after: 0,
            through: None,
            limit: 10,
        },
        LATER,
    )
    .await
    .unwrap()
    .unwrap();
    assert_eq!((page.entries.len(), page.cursor, page.has_more), (0, 11, true));
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_in_both_directions() {
    let engine = Engine::start();
    let store = engine.store();
    for seq in 1..=25 {
        reserve(&store).await;
        timelines::put(&store, &log(), seq, &entry(seq, NOW)).await.unwrap();
    }
    let (mut up, mut after) = (Vec::new(), 0);
    loop {
        let page = timelines::read(
            &store,
            &log(),
            Range {
                after,
                through: None,
                limit: 10,
            },
            NOW,
        )
        .await
        .unwrap()
        .unwrap();
        up.extend(page.entries.iter().map(|(seq, _)| *seq));
        after = page.cursor;
        if !page.has_more {
            break;
        }
    }
    assert_eq!(up, (1..=25).collect::<Vec<_>>());
    let (mut down, mut through) = (Vec::new(), None);
    loop {
        let page = timelines::read_back(
            &store,
            &log(),
            Range {
                after: 3,
                through,
                limit: 10,
            },
        )
        .await
        .unwrap()
        .unwrap();
        down.extend(page.entries.iter().map(|(seq, _)| *seq));
        through = Some(page.cursor);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(down, (4..=25).rev().collect::<Vec<_>>());
}
