//! The receiving rule of a super group, against a simulated log with random events and restarts.

use super::*;
use proptest::prelude::*;

fn message(seq: u64) -> Message {
    Message {
        conversation_seq: seq,
        ..Message::default()
    }
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.conversation_seq).collect()
}

fn page(seqs: &[u64], next_seq: u64, max_seq: u64, has_more: bool) -> PullOutputMsg {
    PullOutputMsg {
        messages: seqs.iter().copied().map(message).collect(),
        has_more,
        next_seq,
        max_seq,
        ..PullOutputMsg::default()
    }
}

fn push(log: &mut GroupLog, seq: u64) -> Vec<u64> {
    seqs(&log.push(message(seq)))
}

#[test]
fn a_page_to_the_end_settles_everything() {
    let mut log = GroupLog::new(5, 10);
    push(&mut log, 9);
    // 7 and 10 are seals.
    let (ready, next) = log.page(page(&[6, 8], 0, 10, false), false);
    assert_eq!((seqs(&ready), next), (vec![6, 8, 9], NextAsk::CaughtUp));
    assert_eq!(log.cursor(), 10);
}

#[test]
fn a_page_that_stops_at_an_entry_being_written_does_not_pass_it() {
    let mut log = GroupLog::new(0, 10);
    let (ready, next) = log.page(page(&[1, 3], 2, 3, false), false);
    assert_eq!((seqs(&ready), next), (vec![1], NextAsk::Later(PAUSES.first)));
    let (ready, next) = log.page(page(&[2, 3], 0, 3, false), false);
    assert_eq!((seqs(&ready), next), (vec![2, 3], NextAsk::CaughtUp));
}

#[test]
fn a_full_page_is_followed_by_the_next_at_once() {
    let mut log = GroupLog::new(0, 10);
    let (ready, next) = log.page(page(&[1, 2], 3, 9, true), false);
    assert_eq!((seqs(&ready), next), (vec![1, 2], NextAsk::Again));
}

#[test]
fn a_missing_log_counts_as_caught_up() {
    let mut log = GroupLog::new(4, 10);
    assert_eq!(log.page(PullOutputMsg::default(), false).1, NextAsk::CaughtUp);
    assert_eq!(log.cursor(), 4);
}

#[test]
fn messages_beyond_the_end_are_no_longer_waited_for() {
    let mut log = GroupLog::new(1, 10);
    assert_eq!(push(&mut log, 5), [0; 0]);
    let (ready, next) = log.page(page(&[2], 0, 3, false), true);
    assert_eq!((seqs(&ready), next), (vec![2], NextAsk::CaughtUp));
    assert_eq!((log.cursor(), log.is_behind()), (3, false));
    // The log may still go on.
    assert_eq!(push(&mut log, 4), [4]);
}

/// The next event for the device.
#[derive(Debug, Clone)]
enum NetworkEvent {
    /// A push of the message at this position arrives, possibly again.
    Push(prop::sample::Index),
    /// A page of at most this many messages is read while this part of the log is not written, and
    /// arrives.
    Page {
        limit: usize,
        unwritten: prop::sample::Index,
    },
    /// The same, but the page arrives after the next event.
    LatePage {
        limit: usize,
        unwritten: prop::sample::Index,
    },
    /// The process ends. The next one starts with what the app stored: the last message, or the
    /// cursor.
    Restart { by_cursor: bool },
}

fn network_event() -> impl Strategy<Value = NetworkEvent> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => index().prop_map(NetworkEvent::Push),
        2 => (1..8_usize, index()).prop_map(|(limit, unwritten)| NetworkEvent::Page { limit, unwritten }),
        1 => (1..8_usize, index()).prop_map(|(limit, unwritten)| NetworkEvent::LatePage { limit, unwritten }),
        1 => any::<bool>().prop_map(|by_cursor| NetworkEvent::Restart { by_cursor }),
    ]
}

/// A page of the server, read ascending. `true` is a message, `false` a seal. `hole` (from 1) is
/// not written yet.
fn server_page(log: &[bool], hole: u64, begin: u64, limit: usize) -> PullOutputMsg {
    let max_seq = log.len() as u64;
    let row = |seq: &u64| *seq != hole;
    let rows: Vec<u64> = (begin..=max_seq).filter(row).collect();
    let cut = rows.len() > limit;
    let rows = &rows[..rows.len().min(limit)];
    let mut cursor = begin - 1;
    while rows.contains(&(cursor + 1)) {
        cursor += 1;
    }
    let shown: Vec<u64> = rows
        .iter()
        .copied()
        .filter(|seq| log[usize::try_from(*seq).unwrap() - 1])
        .collect();
    let has_more = cut && rows.last() == Some(&cursor);
    let next_seq = if cursor < max_seq { cursor + 1 } else { 0 };
    page(&shown, next_seq, max_seq, has_more)
}

proptest! {
    #[test]
    fn every_message_is_delivered_once_and_in_order(
        log in prop::collection::vec(prop::bool::weighted(0.8), 1..60),
        happenings in prop::collection::vec(network_event(), 0..120),
        limit in 1..20_usize,
        start in any::<prop::sample::Index>(),
    ) {
        let start = start.index(log.len()) as u64;
        let max_seq = log.len() as u64;
        let begin = |cursor| GroupLog::new(cursor, limit);
        let mut rule = begin(start);
        let mut out: Vec<u64> = Vec::new();
        let mut late = None;
        for happening in happenings {
            let arrived = late.take();
            let read = |rule: &GroupLog, limit, unwritten: prop::sample::Index| {
                let hole = unwritten.index(log.len() + 1) as u64;
                server_page(&log, hole, rule.cursor() + 1, limit)
            };
            match happening {
                NetworkEvent::Push(index) => {
                    let at = index.index(log.len());
                    if log[at] {
                        out.extend(push(&mut rule, at as u64 + 1));
                    }
                }
                NetworkEvent::Page { limit, unwritten } => {
                    let page = read(&rule, limit, unwritten);
                    out.extend(seqs(&rule.page(page, false).0));
                }
                NetworkEvent::LatePage { limit, unwritten } => late = Some(read(&rule, limit, unwritten)),
                NetworkEvent::Restart { by_cursor } => {
                    late = None;
                    let kept = if by_cursor { rule.cursor() } else { out.last().copied().unwrap_or(start) };
                    rule = begin(kept);
                    continue;
                }
            }
            if let Some(page) = arrived {
                out.extend(seqs(&rule.page(page, false).0));
            }
        }
        rule.note(max_seq);
        let mut rounds = 0;
        while rule.is_behind() {
            let page = server_page(&log, 0, rule.cursor() + 1, 7);
            out.extend(seqs(&rule.page(page, false).0));
            rounds += 1;
            prop_assert!(rounds <= log.len(), "no progress");
        }
        let wanted: Vec<u64> =
            (start + 1..=max_seq).filter(|seq| log[usize::try_from(*seq).unwrap() - 1]).collect();
        prop_assert_eq!(out, wanted);
    }
}
