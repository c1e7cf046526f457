//! The receiving rule with hand-written cases, and against a simulated timeline with random events.

use super::*;
use proptest::prelude::*;

fn message(seq: u64) -> Message {
    Message {
        seq,
        ..Message::default()
    }
}

fn page(seqs: &[u64], cursor: u64, max_seq: u64, has_more: bool) -> SyncOutputMsg {
    SyncOutputMsg {
        messages: seqs.iter().copied().map(message).collect(),
        has_more,
        cursor,
        max_seq,
    }
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.seq).collect()
}

fn push(inbox: &mut Inbox, seq: u64) -> Vec<u64> {
    seqs(&inbox.push(message(seq)))
}

#[test]
fn the_next_push_is_delivered_and_a_repeat_is_not() {
    let mut inbox = Inbox::new(5, 10);
    assert_eq!(push(&mut inbox, 6), [6]);
    assert_eq!(push(&mut inbox, 6), [0; 0]);
    assert_eq!(push(&mut inbox, 3), [0; 0]);
    assert_eq!((inbox.cursor(), inbox.is_behind()), (6, false));
}

#[test]
fn pushes_beyond_a_hole_wait_for_it() {
    let mut inbox = Inbox::new(5, 10);
    assert_eq!(push(&mut inbox, 8), [0; 0]);
    assert_eq!(push(&mut inbox, 7), [0; 0]);
    assert!(inbox.is_behind());
    assert_eq!(push(&mut inbox, 6), [6, 7, 8]);
    assert!(!inbox.is_behind());
}

#[test]
fn a_page_settles_seals_and_delivers_the_messages_kept_behind_them() {
    let mut inbox = Inbox::new(5, 10);
    push(&mut inbox, 9);
    // 7 is a seal.
    let (ready, next) = inbox.page(page(&[6, 8], 8, 9, false));
    assert_eq!(seqs(&ready), [6, 8, 9]);
    assert_eq!((inbox.cursor(), next), (9, NextAsk::CaughtUp));
}

#[test]
fn messages_beyond_the_cursor_of_a_page_wait_until_they_are_settled() {
    let mut inbox = Inbox::new(0, 10);
    let (ready, next) = inbox.page(page(&[1, 3], 1, 3, false));
    assert_eq!(seqs(&ready), [1]);
    assert_eq!(next, NextAsk::Later(PAUSES.first));
    let (ready, next) = inbox.page(page(&[3], 3, 3, false));
    assert_eq!(seqs(&ready), [3]);
    assert_eq!(next, NextAsk::CaughtUp);
}

#[test]
fn a_page_overtaken_by_pushes_delivers_nothing_twice() {
    let mut inbox = Inbox::new(0, 10);
    assert_eq!(push(&mut inbox, 1), [1]);
    assert_eq!(push(&mut inbox, 2), [2]);
    let (ready, next) = inbox.page(page(&[1], 1, 1, false));
    assert_eq!(seqs(&ready), [0; 0]);
    assert_eq!((inbox.cursor(), next), (2, NextAsk::CaughtUp));
}

#[test]
fn more_pages_are_asked_for_at_once_and_unfinished_entries_in_growing_pauses() {
    let mut inbox = Inbox::new(0, 10);
    assert_eq!(inbox.page(page(&[1, 2], 2, 9, true)).1, NextAsk::Again);
    let pauses: Vec<NextAsk> = (0..5).map(|_| inbox.page(page(&[], 2, 9, false)).1).collect();
    let expected = [100, 200, 400, 500, 500].map(|ms| NextAsk::Later(Duration::from_millis(ms)));
    assert_eq!(pauses, expected);
    assert_eq!(inbox.page(page(&[3], 3, 9, false)).1, NextAsk::Later(PAUSES.first));
}

#[test]
fn a_server_that_promises_more_but_brings_nothing_is_not_asked_in_a_busy_loop() {
    let mut inbox = Inbox::new(0, 10);
    assert_eq!(inbox.page(page(&[], 0, 9, true)).1, NextAsk::Later(PAUSES.first));
}

#[test]
fn messages_over_the_limit_are_remembered_as_missing() {
    let mut inbox = Inbox::new(0, 2);
    for seq in [9, 8, 3, 2] {
        push(&mut inbox, seq);
    }
    assert_eq!(inbox.0.waiting(), 2);
    assert_eq!(push(&mut inbox, 1), [1, 2, 3]);
    assert!(inbox.is_behind(), "8 and 9 are still to come");
}

/// The next event for the device.
#[derive(Debug, Clone)]
enum NetworkEvent {
    /// A push of the entry at this position arrives, possibly again.
    Push(prop::sample::Index),
    /// A page of at most this many entries is read while this part of the timeline is written, and
    /// arrives.
    Page {
        limit: usize,
        written: prop::sample::Index,
    },
    /// The same, but the page arrives after the next event.
    LatePage {
        limit: usize,
        written: prop::sample::Index,
    },
    Heartbeat,
    Restart,
}

fn network_event() -> impl Strategy<Value = NetworkEvent> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => index().prop_map(NetworkEvent::Push),
        2 => (1..8_usize, index()).prop_map(|(limit, written)| NetworkEvent::Page { limit, written }),
        1 => (1..8_usize, index()).prop_map(|(limit, written)| NetworkEvent::LatePage { limit, written }),
        1 => Just(NetworkEvent::Heartbeat),
        1 => Just(NetworkEvent::Restart),
    ]
}

/// A page of the server. `true` is an entry, `false` a seal. `hole` (from 1) is not written yet.
fn server_page(timeline: &[bool], hole: u64, after: u64, limit: usize) -> SyncOutputMsg {
    let max_seq = timeline.len() as u64;
    let exists = |seq: u64| timeline[usize::try_from(seq).unwrap() - 1] && seq != hole;
    let all: Vec<u64> = (after + 1..=max_seq).filter(|seq| exists(*seq)).collect();
    let shown = &all[..all.len().min(limit)];
    let has_more = all.len() > limit;
    let end = if has_more { shown[shown.len() - 1] } else { max_seq };
    let cursor = if hole > after && hole <= end { hole - 1 } else { end };
    page(shown, cursor.max(after), max_seq, has_more && cursor > after)
}

proptest! {
    #[test]
    fn every_entry_is_delivered_once_and_in_order(
        timeline in prop::collection::vec(prop::bool::weighted(0.8), 1..60),
        happenings in prop::collection::vec(network_event(), 0..120),
        limit in 1..20_usize,
    ) {
        let max_seq = timeline.len() as u64;
        let mut inbox = Inbox::new(0, limit);
        let mut out: Vec<u64> = Vec::new();
        let mut late = None;
        for happening in happenings {
            let arrived = late.take();
            match happening {
                NetworkEvent::Push(index) => {
                    let at = index.index(timeline.len());
                    if timeline[at] {
                        out.extend(push(&mut inbox, at as u64 + 1));
                    }
                }
                NetworkEvent::Page { limit, written } => {
                    let hole = written.index(timeline.len() + 1) as u64;
                    out.extend(seqs(&inbox.page(server_page(&timeline, hole, inbox.cursor(), limit)).0));
                }
                NetworkEvent::LatePage { limit, written } => {
                    let hole = written.index(timeline.len() + 1) as u64;
                    late = Some(server_page(&timeline, hole, inbox.cursor(), limit));
                }
                NetworkEvent::Heartbeat => inbox.note(max_seq),
                // The app stored the seq of the last message, which may be below seals that were
                // passed.
                NetworkEvent::Restart => inbox = Inbox::new(out.last().copied().unwrap_or(0), limit),
            }
            if let Some(page) = arrived {
                out.extend(seqs(&inbox.page(page).0));
            }
        }
        inbox.note(max_seq);
        let mut rounds = 0;
        while inbox.is_behind() {
            out.extend(seqs(&inbox.page(server_page(&timeline, 0, inbox.cursor(), 7)).0));
            rounds += 1;
            prop_assert!(rounds <= timeline.len(), "no progress");
        }
        let entries: Vec<u64> = (1..=max_seq).filter(|seq| timeline[usize::try_from(*seq).unwrap() - 1]).collect();
        prop_assert_eq!(out, entries);
    }
}
